//! Statements on one SQLite connection.

use std::borrow::Cow;

use rusqlite::{
    Connection, ErrorCode, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    StoreError,
    error::cause,
    sql::{Row, Sql, Turn, Value},
};

/// Statements on one connection, on behalf of one operation.
pub(super) struct Session<'a> {
    connection: &'a Connection,
    attempted: &'static str,
    /// Whether the operation added to the feed.
    pub(super) fed: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(connection: &'a Connection, attempted: &'static str) -> Session<'a> {
        Session {
            connection,
            attempted,
            fed: false,
        }
    }
}

impl Sql for Session<'_> {
    fn execute(&mut self, statement: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let attempted = self.attempted;
        let run = || {
            self.connection
                .prepare_cached(&numbered(statement))?
                .execute(rusqlite::params_from_iter(params))
        };
        run()
            .map(|changed| changed as u64)
            .map_err(|error| failure(attempted, error))
    }

    fn query(&mut self, statement: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let attempted = self.attempted;
        let run = || {
            let mut statement = self.connection.prepare_cached(&numbered(statement))?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut read = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns)
                    .map(|column| row.get_ref(column).map(value))
                    .collect::<rusqlite::Result<Vec<Value>>>()?;
                read.push(Row(values));
            }
            Ok(read)
        };
        run().map_err(|error| failure(attempted, error))
    }

    /// Nothing to wait for: there is one write transaction at a time on a file.
    fn await_turn(&mut self, _: Turn) -> Result<(), StoreError> {
        Ok(())
    }

    fn mark_feed(&mut self) {
        self.fed = true;
    }
}

/// SQLite takes `$1` for a name; its numbers are `?1`.
fn numbered(statement: &str) -> Cow<'_, str> {
    if statement.contains('$') {
        Cow::Owned(statement.replace('$', "?"))
    } else {
        Cow::Borrowed(statement)
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // The tables are STRICT and hold no fractions.
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub(super) fn failure(attempted: &'static str, error: rusqlite::Error) -> StoreError {
    let passing = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
        )
    );
    if passing {
        StoreError::Unavailable {
            attempted,
            source: cause(&error),
        }
    } else {
        StoreError::Query {
            attempted,
            source: cause(&error),
        }
    }
}
