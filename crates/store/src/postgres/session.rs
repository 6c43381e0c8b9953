//! Statements on one PostgreSQL connection.

use bytes::BytesMut;
use deadpool_postgres::{GenericClient, Object};
use tokio::runtime::Handle;
use tokio_postgres::{
    Error,
    error::SqlState,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use crate::{
    StoreError,
    error::cause,
    sql::{Row, Sql, Turn, Value},
};

/// Why an operation failed, and what that means for it.
pub(super) enum Fault {
    /// It was not done, and may be if begun anew.
    Again(StoreError),
    /// That is that.
    Final(StoreError),
}

/// Statements on one connection, on behalf of one operation.
pub(super) struct Session<'a, C> {
    handle: &'a Handle,
    client: &'a C,
    attempted: &'static str,
    fed: bool,
    /// The lock of the document whose turn this is.
    document: Option<i64>,
    retry: Retry,
}

/// What a transaction did besides its operation.
pub(super) struct Done<T> {
    pub(super) result: T,
    /// It added to the feed.
    pub(super) fed: bool,
    /// It made a version of a document, and somebody else waits for a turn at it.
    pub(super) outran: bool,
}

/// Whether what a statement met may pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    /// Nothing was met, or nothing that passes.
    No,
    /// A deadlock, or a connection that has died.
    Yes,
}

/// Runs an operation in a transaction. `commit_fed` commits one that has added to the feed, and
/// begins another.
pub(super) fn transact<T>(
    handle: &Handle,
    connection: &mut Object,
    attempted: &'static str,
    commit_fed: &str,
    operation: &dyn Fn(&mut dyn Sql) -> Result<T, StoreError>,
) -> Result<Done<T>, Fault> {
    let transaction = handle
        .block_on(connection.transaction())
        .map_err(|error| fault(attempted, error))?;
    let mut session = Session::new(handle, &transaction, attempted);
    let result = operation(&mut session);
    let fed = session.fed;
    // A failed operation leaves by `?`, and the transaction rolls back as it is dropped.
    let result = session.outcome(result)?;
    let outran = session.has_outrun();
    let outran = session.outcome(outran)?;
    // A connection that dies during the commit leaves it open whether it was made, so this is
    // never begun anew.
    let committed = if fed {
        // What follows is rolled back as it is dropped, and nobody waits for that.
        handle.block_on(transaction.batch_execute(commit_fed))
    } else {
        handle.block_on(transaction.commit())
    };
    committed.map_err(|error| Fault::Final(failure(attempted, error)))?;
    Ok(Done {
        result,
        fed,
        outran,
    })
}

impl<'a, C: GenericClient> Session<'a, C> {
    pub(super) fn new(
        handle: &'a Handle,
        client: &'a C,
        attempted: &'static str,
    ) -> Session<'a, C> {
        Session {
            handle,
            client,
            attempted,
            fed: false,
            document: None,
            retry: Retry::No,
        }
    }

    /// What an operation's failure means, by what its statements met.
    pub(super) fn outcome<T>(&self, result: Result<T, StoreError>) -> Result<T, Fault> {
        result.map_err(|error| match self.retry {
            Retry::Yes => Fault::Again(error),
            Retry::No => Fault::Final(error),
        })
    }

    /// Whether a version was made of a document that somebody else waits for. PostgreSQL shows
    /// the two halves of a lock's number.
    fn has_outrun(&mut self) -> Result<bool, StoreError> {
        let Some(document) = self.document.filter(|_| self.fed) else {
            return Ok(false);
        };
        let waiting = self.query(
            "SELECT 1::BIGINT FROM pg_locks
            WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (CAST(classid AS BIGINT) << 32) | CAST(objid AS BIGINT) = $1
            LIMIT 1",
            &[Value::Int(document)],
        )?;
        Ok(!waiting.is_empty())
    }

    fn failed(&mut self, error: Error) -> StoreError {
        match fault(self.attempted, error) {
            Fault::Again(error) => {
                self.retry = Retry::Yes;
                error
            }
            Fault::Final(error) => error,
        }
    }
}

impl<C: GenericClient> Sql for Session<'_, C> {
    fn execute(&mut self, statement: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let run = async {
            let prepared = self.client.prepare_cached(statement).await?;
            self.client.execute(&prepared, &borrowed(params)).await
        };
        self.handle
            .block_on(run)
            .map_err(|error| self.failed(error))
    }

    fn query(&mut self, statement: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let run = async {
            let prepared = self.client.prepare_cached(statement).await?;
            let rows = self.client.query(&prepared, &borrowed(params)).await?;
            rows.iter().map(read_row).collect::<Result<Vec<Row>, _>>()
        };
        self.handle
            .block_on(run)
            .map_err(|error| self.failed(error))
    }

    fn await_turn(&mut self, turn: Turn) -> Result<(), StoreError> {
        if let Turn::Document(..) = turn {
            self.document = Some(turn.key());
        }
        self.query(
            "SELECT CAST(pg_advisory_xact_lock($1) AS TEXT)",
            &[Value::Int(turn.key())],
        )
        .map(drop)
    }

    fn mark_feed(&mut self) {
        self.fed = true;
    }
}

fn borrowed(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

fn read_row(row: &tokio_postgres::Row) -> Result<Row, Error> {
    row.columns()
        .iter()
        .enumerate()
        .map(|(index, column)| {
            Ok(match *column.type_() {
                Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Value::Int),
                Type::INT4 => row
                    .try_get::<_, Option<i32>>(index)?
                    .map(|number| Value::Int(i64::from(number))),
                Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.map(Value::Blob),
                _ => row.try_get::<_, Option<String>>(index)?.map(Value::Text),
            }
            .unwrap_or(Value::Null))
        })
        .collect::<Result<Vec<Value>, Error>>()
        .map(Row)
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) if *kind == Type::INT8 => number.to_sql(kind, out),
            Value::Text(text) if *kind == Type::TEXT => text.to_sql(kind, out),
            Value::Blob(bytes) if *kind == Type::BYTEA => bytes.to_sql(kind, out),
            Value::Int(_) | Value::Text(_) | Value::Blob(_) => {
                Err(format!("a parameter of another type than {kind}").into())
            }
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

/// What a failure before the commit means.
fn fault(attempted: &'static str, error: Error) -> Fault {
    let again = match error.code() {
        Some(code) => {
            *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE
        }
        // The pool may have held a connection that died while it was idle: nothing is done yet.
        None => error.is_closed(),
    };
    let error = failure(attempted, error);
    if again {
        Fault::Again(error)
    } else {
        Fault::Final(error)
    }
}

fn failure(attempted: &'static str, error: Error) -> StoreError {
    // Classes 08 (connection), 53 (out of resources), 57 (stopped by an operator or a timeout),
    // 58 (system). No code: it was not the database that spoke.
    let passing = error.code().is_none_or(|code| {
        ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.code().starts_with(class))
    });
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
