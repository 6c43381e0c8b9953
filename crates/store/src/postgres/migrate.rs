//! Bringing a PostgreSQL database's tables up to date.

use tokio_postgres::Client;

use super::address::Address;
use crate::{StoreError, error::cause};

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// The number of the lock that is held meanwhile: "guildgat" in ASCII.
const LOCK: i64 = 0x6775_696c_6467_6174;

/// The newest schema that this binary knows.
pub(super) fn known() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// Brings the tables up to date. Of several nodes that start at once one does it, and the others
/// wait for the lock, which ends with the connection.
pub(super) async fn migrate(address: &Address) -> Result<(), StoreError> {
    let what = &*address.what;
    let connected = address.config.connect(address.connector.clone()).await;
    let (mut client, connection) = connected.map_err(|error| failed(what, &error))?;
    let driver = tokio::spawn(connection);
    let done = migrate_on(&mut client, what).await;
    drop(client);
    // What the connection has to say at its end was said to the statement that met it.
    let _ = driver.await;
    done
}

async fn migrate_on(client: &mut Client, what: &str) -> Result<(), StoreError> {
    let failed = |error: tokio_postgres::Error| failed(what, &error);
    // Somebody else's steps may take longer than any statement should.
    client
        .batch_execute("SET statement_timeout = 0")
        .await
        .map_err(failed)?;
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .map_err(failed)?;
    let database = applied(client).await.map_err(failed)?;
    if database > known() {
        return Err(StoreError::Newer {
            what: what.to_owned(),
            database,
            known: known(),
        });
    }
    embedded::migrations::runner()
        .set_grouped(true)
        .run_async(client)
        .await
        .map_err(|error| self::failed(what, &error))?;
    Ok(())
}

async fn applied(client: &Client) -> Result<i32, tokio_postgres::Error> {
    let kept: bool = client
        .query_one(
            "SELECT to_regclass('refinery_schema_history') IS NOT NULL",
            &[],
        )
        .await?
        .get(0);
    if !kept {
        return Ok(0);
    }
    let newest: Option<i32> = client
        .query_one("SELECT max(version) FROM refinery_schema_history", &[])
        .await?
        .get(0);
    Ok(newest.unwrap_or(0))
}

fn failed(what: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Migrate {
        what: what.to_owned(),
        source: cause(error),
    }
}
