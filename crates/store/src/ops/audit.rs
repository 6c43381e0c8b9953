//! The audit trail, over SQL.

use async_trait::async_trait;
use guildgate_model::{GuildId, UserId};

use super::{bounds, listed, one};
use crate::{
    Audit, AuditAction, AuditEntry, Listed, Page, StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, params},
};

#[async_trait]
impl<E: Engine> Audit for SqlStore<E> {
    async fn append_audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        self.engine
            .write("adding to the audit trail", move |sql| append(sql, &entry))
            .await
    }

    async fn list_audit(
        &self,
        guild: GuildId,
        page: Page,
    ) -> Result<Listed<AuditEntry>, StoreError> {
        self.engine
            .read("reading the audit trail", move |sql| {
                let (before, limit) = bounds(page);
                let rows = sql.query(
                    "SELECT id, guild, at, actor, action, detail FROM audit
                    WHERE guild = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                    params![guild, before, limit],
                )?;
                listed(&rows, page, read_entry, |entry| entry.id)
            })
            .await
    }
}

pub(super) fn append(sql: &mut dyn Sql, entry: &AuditEntry) -> Result<u64, StoreError> {
    let rows = sql.query(
        "INSERT INTO audit (guild, at, actor, action, detail)
        VALUES ($1, $2, $3, $4, $5) RETURNING id",
        params![
            entry.guild,
            entry.at,
            entry.actor,
            entry.action.name(),
            &entry.detail
        ],
    )?;
    one(&rows)?.id(0)
}

fn read_entry(row: &Row) -> Result<AuditEntry, StoreError> {
    let action = row.text(4)?;
    Ok(AuditEntry {
        id: row.id(0)?,
        guild: GuildId(row.id(1)?),
        at: row.time(2)?,
        actor: row.id_opt(3)?.map(UserId),
        action: AuditAction::ALL
            .into_iter()
            .find(|known| known.name() == action)
            .ok_or_else(|| StoreError::Corrupt {
                what: format!("audit action {action:?}"),
            })?,
        detail: row.json(5)?,
    })
}
