//! `guildgate serve`.

use anyhow::anyhow;
use guildgate_server::{
    log,
    node::{Node, NodeError, NodeParts},
};

use crate::{
    cli::Serve,
    exit::{Code, Failure},
    page::ASSETS,
    signals::Signals,
    sources::{flag, load, open},
};

pub async fn run(arguments: Serve) -> Result<(), Failure> {
    let flags = [
        flag("--listen", "listen", arguments.listen),
        flag("--data", "data", arguments.data),
    ];
    let config = load(
        arguments.config.config,
        flags.into_iter().flatten().collect(),
    )?;
    log::init(&config.log).map_err(|error| Failure::new(Code::Configuration, error))?;
    if config.discord.token.is_none() {
        return Err(Failure::new(
            Code::Configuration,
            anyhow!(
                "`discord.token` is not set: take the bot's token from the \"Bot\" page of your \
                 application at https://discord.com/developers, and set it as DISCORD_TOKEN; to \
                 look around without a bot, run `guildgate demo`"
            ),
        ));
    }
    let mut signals = Signals::take()?;
    raise_file_limit(config.connections_max);
    let starting = async {
        let store = open(&config).await?;
        let parts = NodeParts {
            config,
            store,
            assets: ASSETS,
            demo: None,
        };
        Node::start(parts).await.map_err(node_failure)
    };
    match signals.before(starting).await {
        Some(node) => until_stopped(node?, &mut signals).await,
        None => {
            tracing::info!("stopped before it had started");
            Ok(())
        }
    }
}

/// Runs a node until it fails for good, or a signal stops it. Clients are then let go one by
/// one, as on any other day; a signal meanwhile stops at once.
pub async fn until_stopped(node: Node, signals: &mut Signals) -> Result<(), Failure> {
    let failure = tokio::select! {
        () = signals.next() => None,
        failed = node.failed() => Some(node_failure(failed)),
    };
    match &failure {
        None => tracing::info!("stopping; a second signal stops at once"),
        Some(failure) => tracing::error!(
            %failure,
            "it cannot go on: clients are let go; a signal stops at once"
        ),
    }
    let drained = signals.before(node.drain()).await;
    match (failure, drained) {
        (Some(failure), _) => Err(failure),
        (None, Some(())) => Ok(()),
        (None, None) => Err(Failure::new(
            Code::Interrupted,
            anyhow!("stopped at once by a second signal; what was answered is kept"),
        )),
    }
}

/// Lets the process open as many files as the system allows: every connection is one.
pub fn raise_file_limit(connections_max: u32) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < u64::from(connections_max) + FILES_BESIDES => tracing::info!(
            files,
            connections_max,
            "the system allows fewer open files than `limits.connections`: raise it (ulimit -n, \
             LimitNOFILE) if so many clients are to come"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit on open files could not be raised"),
    }
}

/// Files that are no client's: the database, Discord, the log, the threads' own.
const FILES_BESIDES: u64 = 256;

/// What the shell is told of a node's failure.
pub fn node_failure(error: NodeError) -> Failure {
    let code = match error {
        NodeError::Discord(error) => return Failure::discord(error),
        NodeError::Listen { .. } => Code::Listen,
        NodeError::Tls(_) => Code::Configuration,
        NodeError::Store(_) => Code::Database,
        NodeError::Threads(_) => Code::Other,
        NodeError::Hub | NodeError::Edge(_) => Code::Fault,
    };
    Failure::new(code, error)
}
