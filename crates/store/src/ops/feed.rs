//! The change feed, over SQL.

use async_trait::async_trait;
use guildgate_model::{
    ApplicationId, Decision, GuildId, Notification, NotificationId, Revision, TokenId, TokenKind,
    UnixMs, UserId,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{one, submissions};
use crate::{
    Change, ChangeKind, Cursor, DocumentKey, Feed, PAGE_MAX, SetInvite, StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, params, parse_json},
};

#[async_trait]
impl<E: Engine> Feed for SqlStore<E> {
    async fn changes_after(&self, cursor: Cursor, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.engine
            .read("reading the change feed", move |sql| {
                after(sql, cursor, limit.min(PAGE_MAX))
            })
            .await
    }

    async fn head(&self) -> Result<Cursor, StoreError> {
        self.engine
            .read("reading the change feed", |sql| {
                let rows = sql.query("SELECT head FROM feed_state", params![])?;
                Ok(Cursor(one(&rows)?.id(0)?))
            })
            .await
    }

    fn feed_signal(&self) -> watch::Receiver<u64> {
        self.engine.feed_signal()
    }

    async fn purge_changes(&self, before: UnixMs) -> Result<u64, StoreError> {
        self.engine
            .write("purging the change feed", move |sql| purge(sql, before))
            .await
    }
}

/// Adds to the feed. The last thing that an operation does: from here to the commit nobody else
/// can add, which is what keeps places in the order of commits.
pub(super) fn append(sql: &mut dyn Sql, kind: &ChangeKind, now: UnixMs) -> Result<(), StoreError> {
    let body = serde_json::to_value(Stored::from(kind)).map_err(|error| StoreError::Corrupt {
        what: format!("a change that is no JSON: {error}"),
    })?;
    // The row's lock is held until the commit. A sequence would give its numbers out of order:
    // a reader could see 6 while 5 is not committed, and go past it for good.
    let rows = sql.query(
        "UPDATE feed_state SET head = head + 1 RETURNING head",
        params![],
    )?;
    sql.execute(
        "INSERT INTO feed (place, at, body) VALUES ($1, $2, $3)",
        params![one(&rows)?.int(0)?, now, &body],
    )?;
    sql.mark_feed();
    Ok(())
}

/// One statement, so that what is purged meanwhile is either read or told.
fn after(sql: &mut dyn Sql, cursor: Cursor, limit: u32) -> Result<Vec<Change>, StoreError> {
    let rows = sql.query(
        "SELECT s.floor, f.place, f.at, f.body
        FROM feed_state s LEFT JOIN
          (SELECT place, at, body FROM feed WHERE place > $1 ORDER BY place LIMIT $2) f ON 1 = 1
        ORDER BY f.place",
        params![cursor.0, limit],
    )?;
    let floor = one(&rows)?.id(0)?;
    if cursor.0 < floor {
        return Err(StoreError::FeedBehind {
            cursor: cursor.0,
            floor,
        });
    }
    rows.iter()
        .filter_map(|row| match row.id_opt(1) {
            Ok(Some(place)) => Some(read_change(row, Cursor(place))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

fn read_change(row: &Row, cursor: Cursor) -> Result<Change, StoreError> {
    let stored: Stored = parse_json(row.text(3)?)?;
    Ok(Change {
        cursor,
        at: row.time(2)?,
        kind: stored.try_into()?,
    })
}

/// Only from the old end: the clocks of nodes differ, and a hole would not be told.
fn purge(sql: &mut dyn Sql, before: UnixMs) -> Result<u64, StoreError> {
    // A statement of its own takes the lock, so that the next one sees all that was added.
    sql.execute("UPDATE feed_state SET head = head", params![])?;
    let rows = sql.query(
        "UPDATE feed_state SET floor =
          COALESCE((SELECT min(place) - 1 FROM feed WHERE at >= $1), head)
        RETURNING floor",
        params![before],
    )?;
    sql.execute(
        "DELETE FROM feed WHERE place <= $1",
        params![one(&rows)?.int(0)?],
    )
}

/// A change as it is kept: JSON with the kind in `t`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Stored {
    TokenRevoked {
        id: TokenId,
        kind: TokenKind,
        owner: Option<u64>,
    },
    NotificationAdded {
        user: UserId,
        id: NotificationId,
        decision: Decision,
        guild: GuildId,
        application: Option<ApplicationId>,
        note: Option<Box<str>>,
        at: UnixMs,
    },
    NotificationsAcknowledged {
        user: UserId,
        ids: Vec<NotificationId>,
    },
    DocumentChanged {
        guild: GuildId,
        /// Whose draft; a form if nobody's.
        user: Option<UserId>,
        revision: Revision,
    },
    Submitted {
        guild: GuildId,
        id: ApplicationId,
        user: UserId,
    },
    SubmissionChanged {
        guild: GuildId,
        id: ApplicationId,
        user: UserId,
        status: Box<str>,
    },
    InviteSet {
        guild: GuildId,
        code: Option<Box<str>>,
    },
    #[serde(other)]
    Unknown,
}

impl From<&ChangeKind> for Stored {
    fn from(change: &ChangeKind) -> Stored {
        match *change {
            ChangeKind::TokenRevoked { id, kind, owner } => {
                Stored::TokenRevoked { id, kind, owner }
            }
            ChangeKind::NotificationAdded {
                user,
                ref notification,
            } => Stored::NotificationAdded {
                user,
                id: notification.id,
                decision: notification.decision,
                guild: notification.guild,
                application: notification.application,
                note: notification.note.clone(),
                at: notification.at,
            },
            ChangeKind::NotificationsAcknowledged { user, ref ids } => {
                Stored::NotificationsAcknowledged {
                    user,
                    ids: ids.clone(),
                }
            }
            ChangeKind::DocumentChanged { key, revision } => Stored::DocumentChanged {
                guild: key.guild(),
                user: match key {
                    DocumentKey::Form(_) => None,
                    DocumentKey::Draft(_, user) => Some(user),
                },
                revision,
            },
            ChangeKind::Submitted { guild, id, user } => Stored::Submitted { guild, id, user },
            ChangeKind::SubmissionChanged {
                guild,
                id,
                user,
                status,
            } => Stored::SubmissionChanged {
                guild,
                id,
                user,
                status: status.name().into(),
            },
            ChangeKind::InviteSet(SetInvite { guild, ref code }) => Stored::InviteSet {
                guild,
                code: code.clone(),
            },
            ChangeKind::Unknown => Stored::Unknown,
        }
    }
}

impl TryFrom<Stored> for ChangeKind {
    type Error = StoreError;

    fn try_from(stored: Stored) -> Result<ChangeKind, StoreError> {
        Ok(match stored {
            Stored::TokenRevoked { id, kind, owner } => {
                ChangeKind::TokenRevoked { id, kind, owner }
            }
            Stored::NotificationAdded {
                user,
                id,
                decision,
                guild,
                application,
                note,
                at,
            } => ChangeKind::NotificationAdded {
                user,
                notification: Notification {
                    id,
                    decision,
                    guild,
                    application,
                    note,
                    at,
                },
            },
            Stored::NotificationsAcknowledged { user, ids } => {
                ChangeKind::NotificationsAcknowledged { user, ids }
            }
            Stored::DocumentChanged {
                guild,
                user,
                revision,
            } => ChangeKind::DocumentChanged {
                key: match user {
                    None => DocumentKey::Form(guild),
                    Some(user) => DocumentKey::Draft(guild, user),
                },
                revision,
            },
            Stored::Submitted { guild, id, user } => ChangeKind::Submitted { guild, id, user },
            Stored::SubmissionChanged {
                guild,
                id,
                user,
                status,
            } => ChangeKind::SubmissionChanged {
                guild,
                id,
                user,
                status: submissions::status_named(&status)?,
            },
            Stored::InviteSet { guild, code } => ChangeKind::InviteSet(SetInvite { guild, code }),
            Stored::Unknown => ChangeKind::Unknown,
        })
    }
}
