//! The operations, written once for every engine.

mod audit;
mod discord;
mod documents;
mod feed;
mod inbox;
mod invites;
mod kept;
mod outbox;
mod submissions;
mod tokens;

use async_trait::async_trait;

use crate::{
    Listed, PAGE_MAX, Page, Store, StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, params},
};

pub(crate) use tokens::LastUsed;

#[async_trait]
impl<E: Engine> Store for SqlStore<E> {
    async fn ping(&self) -> Result<(), StoreError> {
        self.engine
            .write("asking for a sign of life", |sql| {
                sql.query("SELECT 1", params![]).map(drop)
            })
            .await
    }

    async fn version(&self) -> Result<String, StoreError> {
        self.engine
            .read("asking for the database's version", |sql| {
                let rows = sql.query(E::VERSION_QUERY, params![])?;
                let version = one(&rows)?.text(0)?;
                Ok(format!(
                    "{} {version}, schema {}",
                    E::NAME,
                    E::schema_known()
                ))
            })
            .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.flush_last_used().await
    }
}

/// The row of an answer that must have one.
fn one(rows: &[Row]) -> Result<&Row, StoreError> {
    rows.first().ok_or_else(|| StoreError::Corrupt {
        what: "a row that every database has is missing".to_owned(),
    })
}

/// The bounds of a page, as a statement takes them: below which number, and how many. One more
/// than wanted is asked for, which tells whether there is more.
fn bounds(page: Page) -> (i64, i64) {
    let before = page
        .before
        .map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    (before, i64::from(page.limit.min(PAGE_MAX)) + 1)
}

/// A page out of the rows that [`bounds`] asked for.
fn listed<T>(
    rows: &[Row],
    page: Page,
    read: impl Fn(&Row) -> Result<T, StoreError>,
    number: impl Fn(&T) -> u64,
) -> Result<Listed<T>, StoreError> {
    let wanted = page.limit.min(PAGE_MAX) as usize;
    let items = rows
        .iter()
        .take(wanted)
        .map(read)
        .collect::<Result<Vec<T>, StoreError>>()?;
    let next = if rows.len() > wanted {
        items.last().map(number)
    } else {
        None
    };
    Ok(Listed { items, next })
}
