//! Bringing a file's tables up to date.

use std::{fs::File, path::Path};

use rusqlite::{Connection, OptionalExtension};

use crate::{StoreError, error::cause};

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The newest schema that this binary knows.
pub(super) fn known() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// Brings the tables up to date. Of several processes that start at once one does it, and the
/// others wait: a lock on a file beside the database, since the steps begin transactions of their
/// own and no transaction can stand around them.
///
/// `what` names the database for the error.
pub(super) fn migrate(
    path: &Path,
    what: &str,
    connect: impl FnOnce() -> Result<Connection, StoreError>,
) -> Result<(), StoreError> {
    let failed = |error: &(dyn std::error::Error + 'static)| StoreError::Migrate {
        what: what.to_owned(),
        source: cause(error),
    };
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = File::create(lock_path).map_err(|error| failed(&error))?;
    lock.lock().map_err(|error| failed(&error))?;

    let mut connection = connect()?;
    let database = applied(&connection).map_err(|error| failed(&error))?;
    if database > known() {
        return Err(StoreError::Newer {
            what: what.to_owned(),
            database,
            known: known(),
        });
    }
    // Grouped: a step and the note that it was made are one transaction, so that a crash
    // between them cannot have it made twice.
    embedded::migrations::runner()
        .set_grouped(true)
        .run(&mut connection)
        .map_err(|error| failed(&error))?;
    Ok(())
}

fn applied(connection: &Connection) -> rusqlite::Result<i32> {
    let kept: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'refinery_schema_history'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if kept.is_none() {
        return Ok(0);
    }
    connection.query_row(
        "SELECT COALESCE(max(version), 0) FROM refinery_schema_history",
        [],
        |row| row.get(0),
    )
}
