//! `guildgate record`.

use anyhow::anyhow;
use guildgate_server::{log, upstream::UpstreamError};
use guildgate_simulator::{
    Clock, RecordError, RecordOptions, Recorder, Redaction, Redactor, record,
};

use crate::{
    cli::Record,
    exit::{Code, Failure},
    signals::Signals,
    sources::load,
};

pub async fn run(arguments: Record) -> Result<(), Failure> {
    let config = load(arguments.config.config, Vec::new())?;
    log::init(&config.log).map_err(Failure::other)?;
    let Some(token) = config.discord.token else {
        return Err(Failure::new(
            Code::Configuration,
            anyhow!("`discord.token` is not set: set it as DISCORD_TOKEN"),
        ));
    };
    let options = RecordOptions {
        api_url: config.discord.api_url,
        token,
        intents: config.discord.intents.0,
        shard: arguments.shard.unwrap_or((0, 1)),
        clock: Clock::system(),
        seed: rand::random(),
    };
    let redaction = match arguments.redact_users {
        true => Redaction::Users,
        false => Redaction::Secrets,
    };
    let redactor = Redactor::new(redaction, rand::random());
    let recorder = Recorder::create(&arguments.out, redactor).map_err(Failure::other)?;
    let mut signals = Signals::take()?;
    let stop = async {
        match arguments.time {
            Some(time) => tokio::select! {
                () = signals.next() => {}
                () = tokio::time::sleep(time) => {}
            },
            None => signals.next().await,
        }
    };
    eprintln!(
        "Recording into {}; Ctrl-C ends it. Identifying costs one of the bot's identifies of \
         the day.",
        arguments.out.display()
    );
    let summary = record(&options, recorder, stop)
        .await
        .map_err(|error| match error {
            RecordError::Refused(refusal) => Failure::discord(refusal.into()),
            RecordError::Url { .. } => Failure::discord(UpstreamError::ApiUrl {
                url: options.api_url.clone(),
            }),
            RecordError::Gateway { .. } | RecordError::Write(_) => Failure::other(error),
        })?;
    println!(
        "{} frames, {} bytes in {}; {} sessions begun, {} resumed",
        summary.frames,
        summary.bytes,
        arguments.out.display(),
        summary.sessions,
        summary.resumes,
    );
    Ok(())
}
