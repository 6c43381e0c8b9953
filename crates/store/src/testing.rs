//! Databases for tests, behind the feature `testing`.
//!
//! Each [`Database`] is new and empty, and can be opened any number of times: each opening
//! is a node of its own, as if in another process.

mod postgres;

use std::{path::PathBuf, sync::Arc};

use crate::{PostgresStore, SqliteStore, Store};

/// A new, empty database.
#[derive(Debug)]
pub struct Database {
    location: String,
    /// The folder of a file, which goes with this.
    folder: Option<PathBuf>,
}

impl Database {
    /// A new SQLite file.
    #[must_use]
    pub fn sqlite() -> Database {
        let folder = std::env::temp_dir().join(format!(
            "guildgate-test-{}-{:016x}",
            std::process::id(),
            rand::random::<u64>()
        ));
        Database {
            location: folder.join("guildgate.db").display().to_string(),
            folder: Some(folder),
        }
    }

    /// A new database on a PostgreSQL that the tests start for themselves. It is shared by all
    /// test processes that run at the same time, and goes when the last of them has ended,
    /// however it ended.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; the message says what to do.
    pub async fn postgres() -> Database {
        Database {
            location: postgres::new_database().await,
            folder: None,
        }
    }

    /// Its address, for [`open`](crate::open) and for a configuration.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Opens it: one node.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub async fn open(&self) -> Arc<dyn Store> {
        let opened: Result<Arc<dyn Store>, _> = if self.folder.is_some() {
            SqliteStore::open(&self.location)
                .await
                .map(|store| Arc::new(store) as _)
        } else {
            PostgresStore::open(&self.location)
                .await
                .map(|store| Arc::new(store) as _)
        };
        opened.unwrap_or_else(|error| panic!("the test database opens: {error:?}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match &self.folder {
            // It may never have been opened; and the system clears its folder anyway.
            Some(folder) => drop(std::fs::remove_dir_all(folder)),
            None => postgres::remove_database(&self.location),
        }
    }
}
