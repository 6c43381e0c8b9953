//! The log: one line an event, for a person or as JSON. What is secret redacts itself before
//! it gets here.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::config::{LogConfig, LogFormat};

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level or filter is not understood. A configuration that was loaded has none such.
    #[error("`log.level` is {level:?}: expected a level or a filter")]
    Level {
        /// What was set.
        level: String,
    },
}

/// Reads what `log.level` takes: none if it is not understood.
///
/// The filter takes any lone word that is no level for the name of a module, and shows nothing
/// but that module: a level with a typing error would switch the log off. So a module is taken
/// with its level alone.
pub(crate) fn filter(level: &str) -> Option<EnvFilter> {
    let directives: Vec<&str> = level.split(',').map(str::trim).collect();
    let understood = directives.iter().all(|directive| {
        let is_level = !directive.is_empty() && directive.parse::<LevelFilter>().is_ok();
        is_level || directive.contains('=')
    });
    // The database's migrations tell every step; what an operator sets comes after and wins.
    let whole = format!("refinery_core=warn,{}", directives.join(","));
    understood.then(|| EnvFilter::try_new(whole).ok())?
}

/// Sends the process's log to standard error, as `config` says. The first call counts.
///
/// # Errors
/// [`LogError::Level`] if the level is not understood.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = filter(&config.level).ok_or_else(|| LogError::Level {
        level: config.level.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_filter_is_taken_and_a_typing_error_is_not() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,guildgate_server=debug",
            "warn, guildgate_store=trace",
        ] {
            assert!(filter(good).is_some(), "{good}");
        }
        for bad in ["", "inof", "info,guildgate_server", "a=loud", "info,,"] {
            assert!(filter(bad).is_none(), "{bad}");
        }
    }
}
