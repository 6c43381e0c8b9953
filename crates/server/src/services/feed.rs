//! Reads what has changed in the database, by whatever process, and tells the shards.

use std::time::Duration;

use guildgate_core::{
    form_session::{SessionsInput, Target},
    hub,
};
use guildgate_model::{ApplicationId, GuildId};
use guildgate_store::{Change, ChangeKind, Cursor, Page, SetInvite, StoreError, TokenFilter};
use guildgate_wire::EventFrame;
use tokio_util::sync::CancellationToken;

use super::{
    Services,
    forms::{fields_of, session_key},
    recent::Told,
};
use crate::edge::ToEdge;

/// How often the feed is read when nothing is known to have changed. Twice this and the time
/// that a read takes must be well below the second within which a revocation counts.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

// A revoked token ends its connections within a second, also where another process revoked it.
const _: () = assert!(2 * POLL_INTERVAL.as_millis() < 1_000);

/// How many changes are read at a time.
const BATCH: u32 = 256;

/// How long to wait after a read that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A reader of the feed.
pub struct Feed {
    services: Services,
    cursor: Cursor,
    /// Of which one warning is enough.
    has_met_unknown: bool,
}

impl Services {
    /// A reader of the feed, from where an earlier one stopped or from now on; the hub is told
    /// the invites that are set already, and which forms open by themselves is read. To be made
    /// before the first client is let in.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    pub async fn feed(&self, since: Option<Cursor>) -> Result<Feed, StoreError> {
        let cursor = match since {
            Some(cursor) => cursor,
            None => self.parts.store.head().await?,
        };
        let feed = Feed {
            services: self.clone(),
            cursor,
            has_met_unknown: false,
        };
        // After the head is known: one that is set meanwhile is told twice rather than never.
        feed.tell_invites().await?;
        self.read_openings().await?;
        Ok(feed)
    }
}

impl Feed {
    /// Tells all that there is to tell by now: what came while no process read on for sessions
    /// of an earlier one. To be done once those live again, and before the first client dials:
    /// who resumes between a notification and its acknowledgement, both of them old, would be
    /// shown it again.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    pub async fn catch_up(&mut self) -> Result<(), StoreError> {
        self.read_on().await
    }

    /// Reads until `stop`, and opens forms at their time, of which the feed tells. Answers up to
    /// where everything has been told.
    pub async fn run(self, stop: CancellationToken) -> Cursor {
        let services = self.services.clone();
        let (cursor, ()) = tokio::join!(self.read(&stop), services.open_forms(&stop));
        cursor
    }

    async fn read(mut self, stop: &CancellationToken) -> Cursor {
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
                () = stop.cancelled() => return self.cursor,
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
            tracing::trace!(up_to = last.cursor.0, "changes read");
            let full = changes.len() >= BATCH as usize;
            for change in changes {
                let cursor = change.cursor;
                self.take(change).await?;
                // Only now: a change whose telling failed is read again.
                self.cursor = cursor;
                self.services.parts.metrics.feed_changes.increment();
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Changes were purged unread, by a process that stood still for long. Notifications lie in
    /// their inboxes; revocations and invites are told again, every one.
    async fn start_anew(&mut self) -> Result<(), StoreError> {
        let store = &self.services.parts.store;
        self.cursor = store.head().await?;
        tracing::warn!("changes were purged unread; every revoked token is told again");
        self.tell_invites().await?;
        self.services.read_openings().await?;
        let store = &self.services.parts.store;
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

    async fn take(&mut self, change: Change) -> Result<(), StoreError> {
        let hub = &self.services.parts.hub;
        match change.kind {
            ChangeKind::TokenRevoked { id, .. } => self.revoke(id),
            ChangeKind::NotificationAdded { user, notification } => {
                let event = EventFrame::reviewed(&notification);
                let told = Told::Notification(user, notification);
                self.services.recent.tell(told, || {
                    let message = || ToEdge::User(user, std::sync::Arc::clone(&event));
                    self.services.parts.edges.send_all(&message);
                });
            }
            ChangeKind::NotificationsAcknowledged { user, ids } => {
                let told = Told::Acknowledged(user, ids.clone());
                self.services.recent.tell(told, || {
                    self.services.forget_notices(user, ids.into());
                });
            }
            ChangeKind::DocumentChanged { key, revision } => {
                let key = session_key(key);
                hub.send_to_sessions(SessionsInput::Changed { key, revision });
                if key.target == Target::Form {
                    self.publish(key.guild).await?;
                }
            }
            ChangeKind::Submitted { guild, id, user } => {
                hub.submitted(guild, id, user);
                self.lock_fields(guild, id).await?;
            }
            ChangeKind::SubmissionChanged { .. } => {}
            ChangeKind::InviteSet(invite) => self.tell_invite(invite),
            ChangeKind::Unknown => self.warn_of_unknown(),
        }
        Ok(())
    }

    fn warn_of_unknown(&mut self) {
        if !std::mem::replace(&mut self.has_met_unknown, true) {
            tracing::warn!(
                "a later version is beside this one on the database: what it alone can tell, \
                 clients here are not told"
            );
        }
    }

    async fn tell_invites(&self) -> Result<(), StoreError> {
        for invite in self.services.parts.store.load_invites().await? {
            self.tell_invite(invite);
        }
        Ok(())
    }

    fn tell_invite(&self, SetInvite { guild, code }: SetInvite) {
        let input = hub::Input::InviteSet { guild, code };
        self.services.parts.hub.send(input);
    }

    /// Drafts are checked against the form as it is now.
    async fn publish(&self, guild: GuildId) -> Result<(), StoreError> {
        let form = self.services.published_form(guild).await?;
        self.services
            .watch_opening(guild, form.as_ref().map(|form| &form.form));
        if let Some(form) = form {
            let published = SessionsInput::FormPublished { guild, form };
            self.services.parts.hub.send_to_sessions(published);
        }
        Ok(())
    }

    /// Fields that somebody has answered keep their ids.
    async fn lock_fields(&self, guild: GuildId, id: ApplicationId) -> Result<(), StoreError> {
        let store = &self.services.parts.store;
        if let Some(submission) = store.read_submission(guild, id).await? {
            let fields = fields_of(&submission.answers).collect();
            let submitted = SessionsInput::Submitted { guild, fields };
            self.services.parts.hub.send_to_sessions(submitted);
        }
        Ok(())
    }

    fn revoke(&self, id: guildgate_model::TokenId) {
        self.services.parts.metrics.tokens_revoked.increment();
        self.services.revoked(id);
    }
}
