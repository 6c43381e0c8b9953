//! Does what is to be done elsewhere: calls web hooks, and gives roles in Discord.
//!
//! At least once: a task whose call was answered is settled after that, so a process that dies
//! in between calls again. A web hook knows a repeated call by its event id.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream::FuturesUnordered};
use guildgate_model::{GuildId, RoleId, UserId};
use guildgate_store::{OutboxItem, Room, Settlement, Store, StoreError, Task, Topic};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, config::WebhookConfig};

#[cfg(test)]
mod tests;

/// How often it is looked for work when nobody has said that there is some.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How many tasks of a kind are done at a time.
const RUNNING_MAX: u32 = 64;

/// How many calls of one web hook are made at a time.
const ENDPOINT_MAX: u32 = 4;

/// How long a task may take before it is taken again; a role may wait for Discord's limits.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// After the first failure; doubled after each more.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Longest pause between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Tries before a task is given up: with the pauses, about a day.
const ATTEMPTS_MAX: u32 = 32;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// Done.
    Done,
    /// Not done; worth another try, not before this long.
    Later {
        /// What went wrong.
        error: String,
        /// What the other side asked for.
        after: Option<Duration>,
    },
    /// Not done, and never to be.
    Never {
        /// What went wrong.
        error: String,
    },
}

/// The world outside, as far as tasks go.
#[async_trait]
pub trait Outside: Send + Sync {
    /// Posts a body, with these headers besides its type.
    async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Called;

    /// Gives a role to a member in Discord.
    async fn grant_role(&self, guild: GuildId, user: UserId, role: RoleId) -> Called;
}

/// One task for each web hook.
pub(super) fn webhooks(
    hooks: &BTreeMap<String, WebhookConfig>,
    guild: GuildId,
    event: &str,
    body: &Value,
) -> Vec<Task> {
    hooks
        .keys()
        .map(|name| Task::Webhook {
            guild,
            endpoint: name.as_str().into(),
            event: event.into(),
            body: body.clone(),
        })
        .collect()
}

/// What a worker does when nothing is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    /// Waits for more.
    Waits,
    /// Ends.
    Ends,
}

/// Does the tasks of the outbox.
pub struct OutboxWorker {
    /// Where the tasks are.
    pub store: Arc<dyn Store>,
    /// Who does them.
    pub outside: Arc<dyn Outside>,
    /// The web hooks by name.
    pub webhooks: BTreeMap<String, WebhookConfig>,
    /// The clock.
    pub clock: Clock,
}

impl OutboxWorker {
    /// Works until `stop`. Web hooks that are slow hold up no roles.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(
            self.work_on(Topic::Webhook, &stop),
            self.work_on(Topic::GrantRole, &stop)
        );
    }

    async fn work_on(&self, topic: Topic, stop: &CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            match self.work(topic, stop, Idle::Waits).await {
                Ok(()) => return,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the outbox cannot be worked on; it is tried again"
                        );
                    }
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            }
        }
    }

    /// Does what is due, and takes more whenever something is done, so that one endpoint which
    /// does not answer holds up only itself. What runs when `stop` comes is brought to its end.
    pub(super) async fn work(
        &self,
        topic: Topic,
        stop: &CancellationToken,
        idle: Idle,
    ) -> Result<(), StoreError> {
        let mut signal = self.store.feed_signal();
        let mut room = match topic {
            Topic::Webhook => Room::new(RUNNING_MAX, ENDPOINT_MAX),
            Topic::GrantRole => Room::new(RUNNING_MAX, RUNNING_MAX),
        };
        let mut running = FuturesUnordered::new();
        loop {
            signal.borrow_and_update();
            if !stop.is_cancelled() {
                let now = self.clock.now().wall;
                let due = self.store.take_due(topic, room.clone(), LEASE, now);
                for item in due.await? {
                    room.enter(item.task.endpoint());
                    running.push(self.attend(item));
                }
            }
            if running.is_empty() && (idle == Idle::Ends || stop.is_cancelled()) {
                return Ok(());
            }
            tokio::select! {
                Some(done) = running.next() => {
                    let endpoint: Box<str> = done?;
                    room.leave(&endpoint);
                }
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                Ok(()) = signal.changed(), if !stop.is_cancelled() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Answers whose place is free again.
    async fn attend(&self, item: OutboxItem) -> Result<Box<str>, StoreError> {
        let called = match &item.task {
            Task::Webhook {
                endpoint,
                event,
                body,
                ..
            } => self.call(endpoint, event, body).await,
            Task::GrantRole {
                guild, user, role, ..
            } => self.outside.grant_role(*guild, *user, *role).await,
        };
        let now = self.clock.now().wall;
        let settlement = match called {
            Called::Done => Settlement::Done,
            Called::Later { error, after } if item.attempts < ATTEMPTS_MAX => Settlement::RetryAt {
                at: now + pause(item.attempts).max(after.unwrap_or_default()),
                error: error.into(),
            },
            Called::Later { error, .. } | Called::Never { error } => Settlement::Failed {
                error: error.into(),
            },
        };
        match &settlement {
            Settlement::Done => {}
            Settlement::RetryAt { error, .. } => {
                tracing::info!(task = item.id, %error, "a task is tried again later");
            }
            Settlement::Failed { error } => {
                tracing::warn!(task = item.id, %error, "a task was given up");
            }
        }
        self.store.settle(item.attempt(), settlement, now).await?;
        Ok(item.task.endpoint().into())
    }

    async fn call(&self, name: &str, event: &str, body: &Value) -> Called {
        let Some(WebhookConfig {
            url,
            secret: Some(secret),
        }) = self.webhooks.get(name)
        else {
            return Called::Never {
                error: format!("the configuration has no web hook `{name}` any more"),
            };
        };
        let body = body.to_string().into_bytes();
        let sent_at = self.clock.now().wall.0.to_string();
        let headers = [
            ("guildgate-event", event.to_owned()),
            ("guildgate-timestamp", sent_at.clone()),
            (
                "guildgate-signature",
                signature(secret.expose().as_bytes(), &sent_at, &body),
            ),
        ];
        self.outside.post(url, &headers, body).await
    }
}

/// `v1=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop, and the body: so a
/// receiver knows who sent it, and when.
pub(super) fn signature(secret: &[u8], sent_at: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(sent_at.as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut text = String::from("v1=");
    for byte in mac.finalize().into_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// How long to wait after so many attempts.
fn pause(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1).min(16));
    RETRY_AFTER.saturating_mul(doubled).min(RETRY_AFTER_MAX)
}
