//! Where a command's configuration comes from.

use std::{ffi::OsString, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use guildgate_server::config::{Config, Flag, LogConfig, Sources};
use guildgate_store::{Store, StoreError};

use crate::exit::{Code, Failure};

/// The configuration from a file, the environment and flags.
pub fn load(file: Option<PathBuf>, flags: Vec<Flag>) -> Result<Config, Failure> {
    read(Sources {
        file,
        environment: std::env::vars_os().collect(),
        flags,
    })
}

/// What the environment says of the log, for a command that needs nothing else of a
/// configuration: whatever else is set is not its business.
pub fn log() -> Result<LogConfig, Failure> {
    let of_log =
        |(name, _): &(OsString, OsString)| name.to_string_lossy().starts_with("GUILDGATE_LOG__");
    let sources = Sources {
        environment: std::env::vars_os().filter(of_log).collect(),
        ..Sources::default()
    };
    Ok(read(sources)?.log)
}

fn read(sources: Sources) -> Result<Config, Failure> {
    Config::load(&sources).map_err(|errors| Failure::new(Code::Configuration, errors))
}

/// A flag that sets a key, if it was given.
pub fn flag(flag: &'static str, key: &'static str, value: Option<String>) -> Option<Flag> {
    value.map(|value| Flag { flag, key, value })
}

/// The database that a configuration names.
///
/// It may be waited for without end: of several processes that start at once one brings the
/// tables up to date, and that takes as long as the tables are large.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let location = config.database();
    let mut opening = pin!(guildgate_store::open(location.expose()));
    let opened = match tokio::time::timeout(SILENCE_MAX, &mut opening).await {
        Ok(opened) => opened,
        Err(_) => {
            tracing::warn!(
                "waiting for the database: it is slow to answer, or another process is \
                 bringing its tables up to date"
            );
            opening.await
        }
    };
    opened.map_err(database)
}

/// How long the database is waited for before it is said that it is.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// A failure of the database.
pub fn database(error: StoreError) -> Failure {
    Failure::new(Code::Database, error)
}
