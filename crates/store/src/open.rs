//! Choosing an engine by address.

use std::sync::Arc;

use crate::{PostgresStore, SqliteStore, Store, StoreError};

/// Opens the database at `location`, and brings its tables up to date.
///
/// `postgres://…` or `postgresql://…` is PostgreSQL; `sqlite:PATH`, `sqlite://PATH` or a plain
/// path is a file; `sqlite::memory:` is a file in a folder of its own that goes with the store.
///
/// # Errors
/// [`StoreError::Location`] for any other scheme; [`StoreError::Open`],
/// [`StoreError::Newer`] or [`StoreError::Migrate`].
pub async fn open(location: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match Location::read(location)? {
        Location::Postgres(url) => Arc::new(PostgresStore::open(url).await?),
        Location::File(path) => Arc::new(SqliteStore::open(path).await?),
        Location::Temporary => Arc::new(SqliteStore::open_temporary().await?),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Location<'a> {
    Postgres(&'a str),
    File(&'a str),
    Temporary,
}

impl<'a> Location<'a> {
    fn read(location: &'a str) -> Result<Location<'a>, StoreError> {
        let unknown = || StoreError::Location {
            // What follows the scheme may hold a password.
            location: match location.split_once("://") {
                Some((scheme, _)) => format!("{scheme}://…"),
                None => location.to_owned(),
            },
        };
        if location.starts_with("postgres://") || location.starts_with("postgresql://") {
            return Ok(Location::Postgres(location));
        }
        let path = match location.strip_prefix("sqlite:") {
            Some(":memory:") => return Ok(Location::Temporary),
            Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
            None if location.contains("://") => return Err(unknown()),
            None => location,
        };
        if path.is_empty() {
            return Err(unknown());
        }
        Ok(Location::File(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(location: &str, expected: Option<Location<'_>>) {
        assert_eq!(Location::read(location).ok(), expected, "{location}");
    }

    #[test]
    fn the_address_chooses_the_engine() {
        check("data/gateway.db", Some(Location::File("data/gateway.db")));
        check("sqlite:a.db", Some(Location::File("a.db")));
        check("sqlite://a.db", Some(Location::File("a.db")));
        check("sqlite:///var/a.db", Some(Location::File("/var/a.db")));
        check("sqlite::memory:", Some(Location::Temporary));
        check(
            "postgres://u@h/d",
            Some(Location::Postgres("postgres://u@h/d")),
        );
        check("postgresql://h", Some(Location::Postgres("postgresql://h")));
        check("mysql://u:p@h/d", None);
        check("", None);
        check("sqlite:", None);
    }

    #[test]
    fn an_unknown_address_is_told_without_its_password() {
        let error = Location::read("mysql://me:hunter2@host/d").expect_err("no such engine");
        let told = error.to_string();
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.contains("postgres://USER"), "{told}");
    }
}
