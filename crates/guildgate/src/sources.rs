//! Where a command's configuration comes from.

use std::{path::PathBuf, sync::Arc};

use guildgate_server::config::{Config, Flag, Sources};
use guildgate_store::{Store, StoreError};

use crate::exit::{Code, Failure};

/// The configuration from a file, the environment and flags.
pub fn load(file: Option<PathBuf>, flags: Vec<Flag>) -> Result<Config, Failure> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let sources = Sources {
        file,
        environment,
        flags,
    };
    Config::load(&sources).map_err(|errors| Failure::new(Code::Configuration, errors))
}

/// A flag that sets a key, if it was given.
pub fn flag(flag: &'static str, key: &'static str, value: Option<String>) -> Option<Flag> {
    value.map(|value| Flag { flag, key, value })
}

/// The database that a configuration names.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    guildgate_store::open(config.database().expose())
        .await
        .map_err(database)
}

/// A failure of the database.
pub fn database(error: StoreError) -> Failure {
    Failure::new(Code::Database, error)
}
