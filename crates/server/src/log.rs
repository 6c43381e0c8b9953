//! The log: one line an event, for a person or as JSON. What is secret redacts itself before
//! it gets here.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level or filter is not understood.
    #[error(
        "`log.level` is {level:?}: expected error, warn, info, debug, trace, or a filter such \
         as \"info,guildgate_server=debug\""
    )]
    Level {
        /// What was set.
        level: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
}

/// Sends the process's log to standard error, as `config` says. The first call counts.
///
/// # Errors
/// [`LogError::Level`] if the level is not understood.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    // The database's migrations tell every step; what an operator sets comes after and wins.
    let filter =
        EnvFilter::try_new(format!("refinery_core=warn,{}", config.level)).map_err(|source| {
            LogError::Level {
                level: config.level.clone(),
                source,
            }
        })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call, in one process with the first, keeps the first one's log.
    let _ = match config.format {
        LogFormat::Human => log
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    Ok(())
}
