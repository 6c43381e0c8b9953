//! Reads what has changed in the database, by whatever process, and tells the shards.

use std::time::Duration;

use guildgate_store::{Change, ChangeKind, Cursor, Page, StoreError, TokenFilter};
use guildgate_wire::{EventFrame, EventName, Lane, notification_json};
use tokio_util::sync::CancellationToken;

use super::{Services, recent::Told};
use crate::edge::ToEdge;

/// How often the feed is read when nothing is known to have changed. Twice this and the time
/// that a read takes must be well below the second within which a revocation counts.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How many changes are read at a time.
const BATCH: u32 = 256;

/// How long to wait after a read that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A reader of the feed.
pub struct Feed {
    services: Services,
    cursor: Cursor,
}

impl Services {
    /// A reader of the feed, from now on. To be made before the first client is let in.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    pub async fn feed(&self) -> Result<Feed, StoreError> {
        Ok(Feed {
            services: self.clone(),
            cursor: self.parts.store.head().await?,
        })
    }
}

impl Feed {
    /// Reads until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut signal = self.services.parts.store.feed_signal();
        let mut failing = false;
        loop {
            signal.borrow_and_update();
            let pause = match self.read_on().await {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("the database's feed is read again");
                    }
                    POLL_INTERVAL
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "the database's feed cannot be read: revoked tokens and \
                             notifications wait; it is tried every second"
                        );
                    }
                    RETRY_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = signal.changed(), if !failing => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        loop {
            let read = self
                .services
                .parts
                .store
                .changes_after(self.cursor, BATCH)
                .await;
            let changes = match read {
                Err(StoreError::FeedBehind { .. }) => {
                    self.start_anew().await?;
                    continue;
                }
                read => read?,
            };
            let Some(last) = changes.last() else {
                return Ok(());
            };
            self.cursor = last.cursor;
            let full = changes.len() >= BATCH as usize;
            for change in changes {
                self.take(change);
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Changes were purged unread, by a process that stood still for long. Notifications lie in
    /// their inboxes; revocations are told again, every one.
    async fn start_anew(&mut self) -> Result<(), StoreError> {
        let store = &self.services.parts.store;
        self.cursor = store.head().await?;
        tracing::warn!("changes were purged unread; every revoked token is told again");
        let mut page = Page::first(guildgate_store::PAGE_MAX);
        loop {
            let listed = store.list_tokens(TokenFilter::default(), page).await?;
            for record in listed.items {
                if record.revoked_at.is_some() {
                    self.revoke(record.id);
                }
            }
            match listed.next {
                Some(next) => page.before = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn take(&self, change: Change) {
        self.services.parts.metrics.feed_changes.increment();
        match change.kind {
            ChangeKind::TokenRevoked { id, .. } => self.revoke(id),
            ChangeKind::NotificationAdded { user, notification } => {
                let event = EventFrame::new(
                    EventName::ApplicationReviwed,
                    Lane::Certain,
                    &notification_json(&notification),
                );
                let told = Told::Notification(user, notification);
                self.services.recent.tell(told, || {
                    let message = || ToEdge::User(user, std::sync::Arc::clone(&event));
                    self.services.parts.edges.send_all(&message);
                });
            }
            ChangeKind::DocumentChanged { .. }
            | ChangeKind::Submitted { .. }
            | ChangeKind::SubmissionChanged { .. } => {}
        }
    }

    fn revoke(&self, id: guildgate_model::TokenId) {
        self.services.parts.metrics.tokens_revoked.increment();
        self.services.recent.tell(Told::Revoked(id), || {
            self.services.parts.edges.send_all(&|| ToEdge::Revoked(id));
        });
    }
}
