//! What is forgotten in time, so that the database does not grow for ever.

use std::{sync::Arc, time::Duration};

use guildgate_model::UnixMs;
use guildgate_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How long changes stay in the feed: a node that was asleep for less misses none.
const FEED_KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long tokens are listed after they have ended, and done tasks.
const RECORDS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Forgets what is due, every hour until `stop`.
pub(super) async fn run(store: Arc<dyn Store>, clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        match forget(&*store, clock.now().wall).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "old rows forgotten"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old rows could not be forgotten; it is tried again in an hour"
            ),
        }
    }
}

/// Answers how many rows are gone.
async fn forget(store: &dyn Store, now: UnixMs) -> Result<u64, StoreError> {
    let before = |kept: Duration| {
        let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        UnixMs(now.0.saturating_sub(kept))
    };
    Ok(store.purge_changes(before(FEED_KEPT)).await?
        + store.purge_tokens(before(RECORDS_KEPT)).await?
        + store.purge_outbox(before(RECORDS_KEPT)).await?)
}

#[cfg(test)]
mod tests {
    use guildgate_model::TokenKind;
    use guildgate_store::{Cursor, NewToken, SqliteStore, TokenFilter, Uses};

    use super::*;

    #[tokio::test]
    async fn what_ended_long_ago_is_forgotten_and_nothing_else() {
        let store = SqliteStore::open_temporary().await.expect("a database");
        let store: &dyn Store = &store;
        let issue = async |at| {
            let new = NewToken {
                kind: TokenKind::User,
                owner: Some(1),
                uses: Uses::OfKind,
                expires_at: None,
            };
            store.issue_token(new, at).await.expect("a database").0.id
        };
        let start = UnixMs(1_000);
        let (ended, good) = (issue(start).await, issue(start).await);
        store.revoke_token(ended, start).await.expect("a database");
        let soon = start + Duration::from_secs(3600);
        assert_eq!(forget(store, soon).await.expect("a database"), 0);
        let late = start + RECORDS_KEPT + Duration::from_secs(1);
        assert_eq!(forget(store, late).await.expect("a database"), 2);
        let left = store
            .list_tokens(TokenFilter::default(), guildgate_store::Page::first(10))
            .await
            .expect("a database");
        assert_eq!(
            left.items.iter().map(|one| one.id).collect::<Vec<_>>(),
            [good]
        );
        let head = store.head().await.expect("a database");
        assert!(
            head > Cursor::default(),
            "places in the feed are never given again"
        );
    }
}
