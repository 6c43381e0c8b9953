//! SQLite: one file, one writer thread that groups its commits, a few readers.

mod migrate;
mod readers;
mod session;
mod writer;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, config::DbConfig};
use tokio::sync::watch;

use self::{readers::Readers, writer::Writer};
use crate::{
    StoreError,
    engine::{Engine, SqlStore},
    error::cause,
    sql::Sql,
};

/// How long to wait for another process that writes to the same file.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// How many prepared statements a connection keeps; more than there are.
const STATEMENTS_MAX: usize = 128;

/// How many pages of 4 KiB the log takes before they are moved into the file.
const CHECKPOINT_PAGES: i64 = 4_000;

/// What the log is cut back to once it is moved.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// How much of the file the writer keeps in memory.
const CACHE_KIB: i64 = 8 * 1024;

/// The store in an SQLite file.
///
/// Other processes may use the file at the same time (the command line beside a server).
pub type SqliteStore = SqlStore<Sqlite>;

/// The SQLite engine.
pub struct Sqlite {
    // In this order: the connections are closed before their folder goes.
    writer: Writer,
    readers: Readers,
    _folder: Option<TemporaryFolder>,
}

impl SqliteStore {
    /// Opens the database in the file at `path`, which is made if need be, with its folder, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Newer`] or [`StoreError::Migrate`].
    pub async fn open(path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        open_file(path.as_ref().to_owned(), None).await
    }

    /// Opens a new database in a folder of its own, which goes when the store is dropped. For
    /// tests: it is a real file, so everything is as in service.
    ///
    /// # Errors
    /// As for [`SqliteStore::open`].
    pub async fn open_temporary() -> Result<SqliteStore, StoreError> {
        let folder = TemporaryFolder(std::env::temp_dir().join(format!(
            "guildgate-store-{}-{:016x}",
            std::process::id(),
            rand::random::<u64>()
        )));
        let path = folder.0.join("guildgate.db");
        open_file(path, Some(folder)).await
    }
}

async fn open_file(
    path: PathBuf,
    folder: Option<TemporaryFolder>,
) -> Result<SqliteStore, StoreError> {
    let opened = tokio::task::spawn_blocking(move || {
        let what = format!("file {}", path.display());
        let refused = |error: &(dyn std::error::Error + 'static)| StoreError::Open {
            what: what.clone(),
            hint: "check that it is an SQLite database, and that it and its folder may be written to",
            source: cause(error),
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| refused(&error))?;
        }
        let connect = || connect(&path).map_err(|error| refused(&error));
        migrate::migrate(&path, &what, connect)?;
        Ok(Sqlite {
            writer: Writer::start(connect()?).map_err(|error| refused(&error))?,
            readers: Readers::new(connect)?,
            _folder: folder,
        })
    });
    let engine = opened.await.map_err(|_| StoreError::Closed)??;
    Ok(SqlStore::new(engine))
}

impl Engine for Sqlite {
    async fn write<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.run(attempted, operation).await
    }

    async fn read<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.run(attempted, operation).await
    }

    fn feed_signal(&self) -> watch::Receiver<u64> {
        self.writer.feed_signal()
    }

    const NAME: &'static str = "SQLite";
    const VERSION_QUERY: &'static str = "SELECT sqlite_version()";

    fn schema_known() -> i32 {
        migrate::known()
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // What is bound to a statement does not change its plan. Otherwise one that a partial index
    // might serve is prepared anew whenever other values are bound, which is always.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL: the log is on the disk before a commit is answered. In WAL mode NORMAL would lose
    // the last commits with the machine's power.
    connection.pragma_update(None, "synchronous", "full")?;
    // Fewer, larger checkpoints: at the default of 1,000 a busy writer makes one at nearly every
    // commit.
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// A folder that goes when it is dropped.
struct TemporaryFolder(PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Nobody is left to tell, and the system clears its folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;
