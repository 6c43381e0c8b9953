//! Invites, over SQL.

use async_trait::async_trait;
use guildgate_model::{GuildId, UnixMs};

use super::feed;
use crate::{
    ChangeKind, Invites, SetInvite, StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, params},
};

#[async_trait]
impl<E: Engine> Invites for SqlStore<E> {
    async fn set_invite(&self, invite: SetInvite, now: UnixMs) -> Result<(), StoreError> {
        self.engine
            .write("setting an invite", move |sql| set(sql, &invite, now))
            .await
    }

    async fn load_invites(&self) -> Result<Vec<SetInvite>, StoreError> {
        self.engine
            .read("loading the invites", |sql| {
                sql.query("SELECT guild, code FROM invites", params![])?
                    .iter()
                    .map(read_row)
                    .collect()
            })
            .await
    }
}

/// The row's lock is held until the commit, so that the feed tells of two in the order in which
/// they were kept.
fn set(sql: &mut dyn Sql, invite: &SetInvite, now: UnixMs) -> Result<(), StoreError> {
    sql.execute(
        "INSERT INTO invites (guild, code) VALUES ($1, CAST($2 AS TEXT))
        ON CONFLICT (guild) DO UPDATE SET code = excluded.code",
        params![invite.guild, invite.code.as_deref()],
    )?;
    feed::append(sql, &ChangeKind::InviteSet(invite.clone()), now)
}

fn read_row(row: &Row) -> Result<SetInvite, StoreError> {
    Ok(SetInvite {
        guild: GuildId(row.id(0)?),
        code: row.text_opt(1)?.map(Into::into),
    })
}
