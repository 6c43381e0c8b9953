//! What Discord's side keeps, over SQL.

use async_trait::async_trait;
use guildgate_model::{ShardId, TokenHash, UnixMs};

use crate::{
    DiscordState, IdentifyLimit, IdentifyPermit, IdentifyRefused, ShardSession, Snapshot,
    StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, Turn, params},
};

#[async_trait]
impl<E: Engine> DiscordState for SqlStore<E> {
    async fn save_shard_session(&self, session: ShardSession) -> Result<(), StoreError> {
        self.engine
            .write("saving a shard's session", move |sql| {
                sql.execute(
                    "INSERT INTO shard_sessions (shard, shard_count, data, saved_at)
                    VALUES ($1, $2, $3, $4)
                    ON CONFLICT (shard, shard_count)
                    DO UPDATE SET data = excluded.data, saved_at = excluded.saved_at",
                    params![
                        session.shard.id,
                        session.shard.count,
                        session.data.as_slice(),
                        session.saved_at
                    ],
                )
                .map(drop)
            })
            .await
    }

    async fn load_shard_sessions(&self) -> Result<Vec<ShardSession>, StoreError> {
        self.engine
            .read("loading the shards' sessions", |sql| {
                sql.query(
                    "SELECT shard, shard_count, data, saved_at FROM shard_sessions
                    ORDER BY shard_count, shard",
                    params![],
                )?
                .iter()
                .map(read_session)
                .collect()
            })
            .await
    }

    async fn forget_shard_session(&self, shard: ShardId) -> Result<(), StoreError> {
        self.engine
            .write("forgetting a shard's session", move |sql| {
                sql.execute(
                    "DELETE FROM shard_sessions WHERE shard = $1 AND shard_count = $2",
                    params![shard.id, shard.count],
                )
                .map(drop)
            })
            .await
    }

    async fn save_snapshot(&self, shard: ShardId, snapshot: Snapshot) -> Result<(), StoreError> {
        self.engine
            .write("saving a shard's guilds", move |sql| {
                save(sql, shard, &snapshot)
            })
            .await
    }

    async fn load_snapshot(&self, shard: ShardId) -> Result<Option<Snapshot>, StoreError> {
        self.engine
            .read("loading a shard's guilds", move |sql| load(sql, shard))
            .await
    }

    async fn reserve_identify(
        &self,
        bot: TokenHash,
        limit: IdentifyLimit,
        now: UnixMs,
    ) -> Result<Result<IdentifyPermit, IdentifyRefused>, StoreError> {
        self.engine
            .write("reserving an identify", move |sql| {
                reserve(sql, bot, limit, now)
            })
            .await
    }
}

fn read_session(row: &Row) -> Result<ShardSession, StoreError> {
    Ok(ShardSession {
        shard: ShardId {
            id: row.count(0)?,
            count: row.count(1)?,
        },
        data: row.blob(2)?.to_vec(),
        saved_at: row.time(3)?,
    })
}

/// Place -1 holds no bytes: it says that there is a snapshot, and when it was made.
fn save(sql: &mut dyn Sql, shard: ShardId, snapshot: &Snapshot) -> Result<(), StoreError> {
    sql.await_turn(Turn::Shard(shard.id))?;
    sql.execute(
        "DELETE FROM snapshots WHERE shard = $1 AND shard_count = $2",
        params![shard.id, shard.count],
    )?;
    let empty: &[u8] = &[];
    let chunks = std::iter::once(empty).chain(snapshot.chunks.iter().map(Vec::as_slice));
    for (place, chunk) in (-1_i64..).zip(chunks) {
        sql.execute(
            "INSERT INTO snapshots (shard, shard_count, place, data, saved_at)
            VALUES ($1, $2, $3, $4, $5)",
            params![shard.id, shard.count, place, chunk, snapshot.saved_at],
        )?;
    }
    Ok(())
}

fn load(sql: &mut dyn Sql, shard: ShardId) -> Result<Option<Snapshot>, StoreError> {
    let rows = sql.query(
        "SELECT data, saved_at FROM snapshots WHERE shard = $1 AND shard_count = $2
        ORDER BY place",
        params![shard.id, shard.count],
    )?;
    let Some((head, chunks)) = rows.split_first() else {
        return Ok(None);
    };
    Ok(Some(Snapshot {
        saved_at: head.time(1)?,
        chunks: chunks
            .iter()
            .map(|row| row.blob(0).map(<[u8]>::to_vec))
            .collect::<Result<_, _>>()?,
    }))
}

fn reserve(
    sql: &mut dyn Sql,
    bot: TokenHash,
    limit: IdentifyLimit,
    now: UnixMs,
) -> Result<Result<IdentifyPermit, IdentifyRefused>, StoreError> {
    sql.await_turn(Turn::Identifies(bot))?;
    let window = i64::try_from(limit.window.as_millis()).unwrap_or(i64::MAX);
    sql.execute(
        "DELETE FROM identifies WHERE bot = $1 AND at <= $2",
        params![bot, now.0.saturating_sub(window)],
    )?;
    // A clock that was set back leaves identifies in the future; they count until it catches up.
    let rows = sql.query(
        "SELECT at FROM identifies WHERE bot = $1 ORDER BY at DESC LIMIT $2",
        params![bot, limit.max],
    )?;
    let used = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    if used >= limit.max {
        // The oldest of the newest `max` must leave the window first.
        let oldest = rows.last().map_or(Ok(now), |row| row.time(0))?;
        return Ok(Err(IdentifyRefused {
            retry_at: oldest + limit.window,
        }));
    }
    sql.execute(
        "INSERT INTO identifies (bot, at) VALUES ($1, $2)",
        params![bot, now],
    )?;
    Ok(Ok(IdentifyPermit {
        remaining: limit.max - used - 1,
    }))
}
