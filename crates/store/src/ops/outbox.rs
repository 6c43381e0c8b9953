//! Tasks to be done elsewhere, over SQL.

use std::time::Duration;

use async_trait::async_trait;
use guildgate_model::{ApplicationId, GuildId, RoleId, UnixMs, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{audit, bounds, listed, one};
use crate::{
    Attempt, AuditAction, AuditEntry, Listed, Outbox, OutboxItem, OutboxState, PAGE_MAX, Page,
    Room, Settlement, StoreError, Task, Topic,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, Turn, params, parse_json},
};

/// The columns of an [`OutboxItem`], in the order in which [`read_item`] takes them.
macro_rules! columns {
    () => {
        "id, guild, task, state, attempts, next_at, error, created_at"
    };
}

#[async_trait]
impl<E: Engine> Outbox for SqlStore<E> {
    async fn enqueue(&self, task: Task, now: UnixMs) -> Result<u64, StoreError> {
        self.engine
            .write("queueing a task", move |sql| insert(sql, &task, now))
            .await
    }

    async fn take_due(
        &self,
        topic: Topic,
        room: Room,
        lease: Duration,
        now: UnixMs,
    ) -> Result<Vec<OutboxItem>, StoreError> {
        let each = room.each().min(PAGE_MAX);
        let due = move |sql: &mut dyn Sql| {
            // What is being done is not due: its lease lies ahead.
            sql.query(
                "SELECT id, endpoint FROM
                  (SELECT id, endpoint, next_at,
                     row_number() OVER (PARTITION BY endpoint ORDER BY next_at, id) AS place
                   FROM outbox WHERE state = 'pending' AND topic = $1 AND next_at <= $2) AS due
                WHERE place <= $3 ORDER BY next_at, id",
                params![topic_name(topic), now, each],
            )
        };
        // Workers ask every moment and mostly for nothing, which a reader can tell them.
        let any = self.engine.read("looking for due tasks", due).await?;
        if any.is_empty() {
            return Ok(Vec::new());
        }
        self.engine
            .write("taking due tasks", move |sql| {
                sql.await_turn(Turn::Outbox)?;
                let mut room = room.clone();
                let mut taken = Vec::new();
                for row in due(sql)? {
                    if !room.enter(row.text_opt(1)?.unwrap_or_default()) {
                        continue;
                    }
                    let rows = sql.query(
                        concat!(
                            "UPDATE outbox SET attempts = attempts + 1, next_at = $2
                            WHERE id = $1 RETURNING ",
                            columns!()
                        ),
                        params![row.int(0)?, now + lease],
                    )?;
                    taken.push(read_item(one(&rows)?)?);
                }
                Ok(taken)
            })
            .await
    }

    async fn settle(
        &self,
        attempt: Attempt,
        settlement: Settlement,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        self.engine
            .write("settling a task", move |sql| {
                settle(sql, attempt, &settlement, now)
            })
            .await
    }

    async fn retry(&self, guild: GuildId, id: u64, now: UnixMs) -> Result<bool, StoreError> {
        self.engine
            .write("retrying a task", move |sql| {
                let changed = sql.execute(
                    "UPDATE outbox SET state = 'pending', next_at = $3
                    WHERE id = $1 AND guild = $2 AND state = 'failed'",
                    params![id, guild, now],
                )?;
                Ok(changed == 1)
            })
            .await
    }

    async fn list_outbox(
        &self,
        guild: GuildId,
        topic: Topic,
        state: Option<OutboxState>,
        page: Page,
    ) -> Result<Listed<OutboxItem>, StoreError> {
        self.engine
            .read("listing tasks", move |sql| {
                let (before, limit) = bounds(page);
                let rows = sql.query(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM outbox WHERE guild = $1 AND topic = $2
                          AND (CAST($3 AS TEXT) IS NULL OR state = $3) AND id < $4
                        ORDER BY id DESC LIMIT $5"
                    ),
                    params![
                        guild,
                        topic_name(topic),
                        state.map(state_name),
                        before,
                        limit
                    ],
                )?;
                listed(&rows, page, read_item, |item| item.id)
            })
            .await
    }

    async fn purge_outbox(&self, before: UnixMs) -> Result<u64, StoreError> {
        self.engine
            .write("purging done tasks", move |sql| {
                sql.execute(
                    "DELETE FROM outbox WHERE state = 'done' AND created_at < $1",
                    params![before],
                )
            })
            .await
    }
}

fn settle(
    sql: &mut dyn Sql,
    attempt: Attempt,
    settlement: &Settlement,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let (state, at, error) = match settlement {
        Settlement::Done => (OutboxState::Done, None, None),
        Settlement::RetryAt { at, error } => (OutboxState::Pending, Some(*at), Some(&**error)),
        Settlement::Failed { error } => (OutboxState::Failed, None, Some(&**error)),
    };
    let rows = sql.query(
        concat!(
            "UPDATE outbox SET state = $3, next_at = COALESCE($4, next_at), error = $5
            WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING ",
            columns!()
        ),
        params![attempt.item, attempt.number, state_name(state), at, error],
    )?;
    let Some(row) = rows.first() else {
        return Ok(false);
    };
    if let Some(entry) = fate(&read_item(row)?, now) {
        audit::append(sql, &entry)?;
    }
    Ok(true)
}

/// What became of a role, for the audit trail, where managers see it.
fn fate(item: &OutboxItem, now: UnixMs) -> Option<AuditEntry> {
    let Task::GrantRole {
        guild,
        user,
        role,
        application,
    } = item.task
    else {
        return None;
    };
    let mut detail = json!({ "id": application, "user": user, "role": role });
    let action = match item.state {
        OutboxState::Pending => return None,
        OutboxState::Done => AuditAction::RoleGranted,
        OutboxState::Failed => {
            detail["error"] = json!(item.error);
            AuditAction::RoleGrantFailed
        }
    };
    Some(AuditEntry {
        id: 0,
        guild,
        at: now,
        actor: None,
        action,
        detail,
    })
}

/// Queues a task, once an event and endpoint.
pub(super) fn insert(sql: &mut dyn Sql, task: &Task, now: UnixMs) -> Result<u64, StoreError> {
    let (guild, event, endpoint) = match task {
        Task::GrantRole { guild, .. } => (*guild, None, None),
        Task::Webhook {
            guild,
            endpoint,
            event,
            ..
        } => (*guild, Some(&**event), Some(&**endpoint)),
    };
    let body = serde_json::to_value(Stored::from(task)).map_err(|error| StoreError::Corrupt {
        what: format!("a task that is no JSON: {error}"),
    })?;
    let rows = sql.query(
        "INSERT INTO outbox
          (topic, guild, event, endpoint, task, state, attempts, next_at, created_at)
        VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6, $6)
        ON CONFLICT (event, endpoint) DO NOTHING RETURNING id",
        params![topic_name(task.topic()), guild, event, endpoint, &body, now],
    )?;
    if let Some(row) = rows.first() {
        return row.id(0);
    }
    let rows = sql.query(
        "SELECT id FROM outbox WHERE event = $1 AND endpoint = $2",
        params![event, endpoint],
    )?;
    one(&rows)?.id(0)
}

/// The task of a submission or review, as it is queued: its event has the number that only the
/// database knew, and the body says which event it is, since that is what is signed.
pub(super) fn named(task: &Task, number: u64, application: ApplicationId) -> Task {
    match task {
        Task::GrantRole { .. } => task.clone(),
        Task::Webhook {
            guild,
            endpoint,
            event,
            body,
        } => {
            let event = event.replace("$id", &number.to_string());
            let mut body = body.clone();
            body["id"] = event.as_str().into();
            body["application_id"] = application.to_string().into();
            Task::Webhook {
                guild: *guild,
                endpoint: endpoint.clone(),
                event: event.into(),
                body,
            }
        }
    }
}

fn topic_name(topic: Topic) -> &'static str {
    match topic {
        Topic::GrantRole => "grant_role",
        Topic::Webhook => "webhook",
    }
}

fn state_name(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Pending => "pending",
        OutboxState::Done => "done",
        OutboxState::Failed => "failed",
    }
}

fn read_item(row: &Row) -> Result<OutboxItem, StoreError> {
    let stored: Stored = parse_json(row.text(2)?)?;
    Ok(OutboxItem {
        id: row.id(0)?,
        task: stored.into_task(GuildId(row.id(1)?)),
        state: match row.text(3)? {
            "pending" => OutboxState::Pending,
            "done" => OutboxState::Done,
            "failed" => OutboxState::Failed,
            other => {
                return Err(StoreError::Corrupt {
                    what: format!("task state {other:?}"),
                });
            }
        },
        attempts: row.count(4)?,
        next_at: row.time(5)?,
        error: row.text_opt(6)?.map(Into::into),
        created_at: row.time(7)?,
    })
}

/// A task as it is kept, without its guild, which has its own column.
#[derive(Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Stored {
    GrantRole {
        user: UserId,
        role: RoleId,
        application: ApplicationId,
    },
    Webhook {
        endpoint: Box<str>,
        event: Box<str>,
        body: Json,
    },
}

impl From<&Task> for Stored {
    fn from(task: &Task) -> Stored {
        match task {
            Task::GrantRole {
                guild: _,
                user,
                role,
                application,
            } => Stored::GrantRole {
                user: *user,
                role: *role,
                application: *application,
            },
            Task::Webhook {
                guild: _,
                endpoint,
                event,
                body,
            } => Stored::Webhook {
                endpoint: endpoint.clone(),
                event: event.clone(),
                body: body.clone(),
            },
        }
    }
}

impl Stored {
    fn into_task(self, guild: GuildId) -> Task {
        match self {
            Stored::GrantRole {
                user,
                role,
                application,
            } => Task::GrantRole {
                guild,
                user,
                role,
                application,
            },
            Stored::Webhook {
                endpoint,
                event,
                body,
            } => Task::Webhook {
                guild,
                endpoint,
                event,
                body,
            },
        }
    }
}
