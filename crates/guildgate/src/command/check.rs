//! `guildgate check`.

use guildgate_discord::Intents;
use guildgate_server::{
    clock::Clock,
    config::Config,
    front::Tls,
    upstream::{
        UpstreamError,
        rest::{Rest, RestError, chain},
    },
};

use crate::{
    cli::Check,
    exit::{Code, Failure},
    sources::{load, open},
};

pub async fn run(arguments: Check) -> Result<(), Failure> {
    let config = load(arguments.config.config, Vec::new())?;
    println!("configuration  valid");
    let mut worst = None;
    for (part, checked) in [
        ("TLS          ", tls(&config)),
        ("database     ", database(&config).await),
        ("Discord      ", discord(&config).await),
    ] {
        match checked {
            Ok(found) => println!("{part}  {found}"),
            Err(failure) => {
                println!("{part}  FAILED: {failure}");
                worst.get_or_insert(failure);
            }
        }
    }
    if config.admin_key.is_none() {
        println!("API            off: set `admin_key`, or GUILDGATE_ADMIN_KEY, to switch it on");
    }
    worst.map_or(Ok(()), Err)
}

fn tls(config: &Config) -> Result<String, Failure> {
    let Some(files) = &config.tls else {
        return Ok("off: the gateway speaks plain HTTP".to_owned());
    };
    Tls::load(&files.certificate, &files.key)
        .map(|_| "certificate and key fit each other".to_owned())
        .map_err(|error| Failure::new(Code::Configuration, error))
}

async fn database(config: &Config) -> Result<String, Failure> {
    let store = open(config).await?;
    let failed = |error| Failure::new(Code::Database, error);
    store.ping().await.map_err(failed)?;
    store.version().await.map_err(failed)
}

async fn discord(config: &Config) -> Result<String, Failure> {
    let Some(token) = config.discord.token.clone() else {
        return Err(Failure::new(
            Code::Configuration,
            anyhow::anyhow!(
                "`discord.token` is not set: take the bot's token from the \"Bot\" page of your \
                 application at https://discord.com/developers, and set it as DISCORD_TOKEN"
            ),
        ));
    };
    let rest =
        Rest::new(&config.discord.api_url, token, Clock::start()).map_err(Failure::discord)?;
    let gateway = rest.gateway_bot().await.map_err(refused)?;
    let application = rest.application().await.map_err(refused)?;
    let granted = application.privileges().unwrap_or(Intents::PRIVILEGED);
    let wanted = config.discord.intents & Intents::PRIVILEGED;
    let missing = wanted.without(granted);
    if !missing.is_empty() {
        return Err(Failure::new(
            Code::Discord,
            anyhow::anyhow!(
                "the bot is not granted {missing}: switch it on under \"Privileged Gateway \
                 Intents\" on the application's Bot page, or take it out of `discord.intents`; \
                 without GUILD_MEMBERS the gateway runs, with counts that are polled"
            ),
        ));
    }
    Ok(format!(
        "takes the bot's token and intents; {} shards recommended, {} of {} identifies left today",
        gateway.shards, gateway.limit.remaining, gateway.limit.total
    ))
}

fn refused(error: RestError) -> Failure {
    let cure = match &error {
        RestError::TokenRefused => return Failure::discord(UpstreamError::TokenRefused),
        RestError::Unreachable { .. } => ": check `discord.api_url` and this machine's network",
        _ => "",
    };
    Failure::new(Code::Discord, anyhow::anyhow!("{}{cure}", chain(&error)))
}
