//! Inboxes, over SQL.

use async_trait::async_trait;
use guildgate_model::{
    ApplicationId, Decision, GuildId, Notification, NotificationId, UnixMs, UserId,
};

use super::{feed, one};
use crate::{
    ChangeKind, INBOX_MAX, Inbox, NewNotification, StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, Turn, params},
};

#[async_trait]
impl<E: Engine> Inbox for SqlStore<E> {
    async fn add_notification(
        &self,
        new: NewNotification,
        now: UnixMs,
    ) -> Result<Notification, StoreError> {
        self.engine
            .write("adding a notification", move |sql| {
                let notification = insert(sql, &new, now)?;
                announce(sql, new.user, &notification, now)?;
                Ok(notification)
            })
            .await
    }

    async fn pending_notifications(&self, user: UserId) -> Result<Vec<Notification>, StoreError> {
        self.engine
            .read("reading an inbox", move |sql| {
                sql.query(
                    "SELECT id, decision, guild, application, note, at FROM notifications
                    WHERE user_id = $1 AND (delivered = 0 OR EXISTS
                      (SELECT 1 FROM acknowledgers WHERE acknowledgers.user_id = $1))
                    ORDER BY id LIMIT $2",
                    params![user, INBOX_MAX],
                )?
                .iter()
                .map(read_notification)
                .collect()
            })
            .await
    }

    async fn mark_delivered(
        &self,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let ids = ids.to_vec();
        self.engine
            .write("marking notifications as delivered", move |sql| {
                // What an earlier op 2 delivered has had its time to be acknowledged.
                sql.execute(
                    "DELETE FROM notifications WHERE user_id = $1 AND delivered = 1
                    AND NOT EXISTS
                      (SELECT 1 FROM acknowledgers WHERE acknowledgers.user_id = $1)",
                    params![user],
                )?;
                let mut marked = 0;
                for &id in &ids {
                    marked += sql.execute(
                        "UPDATE notifications SET delivered = 1
                        WHERE id = $1 AND user_id = $2 AND delivered = 0",
                        params![id, user],
                    )?;
                }
                Ok(marked)
            })
            .await
    }

    async fn acknowledge(
        &self,
        user: UserId,
        ids: &[NotificationId],
        now: UnixMs,
    ) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.engine
            .write("acknowledging notifications", move |sql| {
                sql.execute(
                    "INSERT INTO acknowledgers (user_id) VALUES ($1) ON CONFLICT DO NOTHING",
                    params![user],
                )?;
                let ids = remove(sql, user, &ids)?;
                let removed = ids.len() as u64;
                if removed > 0 {
                    let change = ChangeKind::NotificationsAcknowledged { user, ids };
                    feed::append(sql, &change, now)?;
                }
                Ok(removed)
            })
            .await
    }
}

/// Puts a notification into the inbox. [`announce`] it last, since that takes the feed's turn.
pub(super) fn insert(
    sql: &mut dyn Sql,
    new: &NewNotification,
    now: UnixMs,
) -> Result<Notification, StoreError> {
    // Two at once would not see each other's, and leave more than the bound.
    sql.await_turn(Turn::Inbox(new.user))?;
    let rows = sql.query(
        "INSERT INTO notifications (user_id, decision, guild, application, note, at)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING id, decision, guild, application, note, at",
        params![
            new.user,
            u32::from(u8::from(new.decision)),
            new.guild,
            new.application,
            new.note.as_deref(),
            now
        ],
    )?;
    sql.execute(
        "DELETE FROM notifications WHERE user_id = $1 AND id <=
          (SELECT id FROM notifications WHERE user_id = $1
           ORDER BY id DESC LIMIT 1 OFFSET $2)",
        params![new.user, INBOX_MAX],
    )?;
    read_notification(one(&rows)?)
}

/// Says in the feed that a notification was added.
pub(super) fn announce(
    sql: &mut dyn Sql,
    user: UserId,
    notification: &Notification,
    now: UnixMs,
) -> Result<(), StoreError> {
    let change = ChangeKind::NotificationAdded {
        user,
        notification: notification.clone(),
    };
    feed::append(sql, &change, now)
}

/// Which of them were there. What was not is told to nobody: else a client could fill the feed.
fn remove(
    sql: &mut dyn Sql,
    user: UserId,
    ids: &[NotificationId],
) -> Result<Vec<NotificationId>, StoreError> {
    let mut removed = Vec::new();
    for &id in ids {
        let gone = sql.execute(
            "DELETE FROM notifications WHERE id = $1 AND user_id = $2",
            params![id, user],
        )?;
        if gone > 0 {
            removed.push(id);
        }
    }
    Ok(removed)
}

fn read_notification(row: &Row) -> Result<Notification, StoreError> {
    let decision = row.int(1)?;
    Ok(Notification {
        id: NotificationId(row.id(0)?),
        decision: u8::try_from(decision)
            .ok()
            .and_then(|number| Decision::try_from(number).ok())
            .ok_or_else(|| StoreError::Corrupt {
                what: format!("decision {decision}"),
            })?,
        guild: GuildId(row.id(2)?),
        application: row.id_opt(3)?.map(ApplicationId),
        note: row.text_opt(4)?.map(Into::into),
        at: row.time(5)?,
    })
}
