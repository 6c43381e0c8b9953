//! What Discord's side keeps, over SQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use guildgate_model::{ShardId, TokenHash, UnixMs};

use crate::{
    DiscordState, IdentifyLimit, IdentifyPermit, IdentifyRefused, KeptShard, StoreError,
    WhyNotIdentify,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, Turn, params},
};

#[async_trait]
impl<E: Engine> DiscordState for SqlStore<E> {
    async fn keep_shard(&self, bot: TokenHash, kept: KeptShard) -> Result<(), StoreError> {
        self.engine
            .write("keeping a shard", move |sql| keep(sql, bot, &kept))
            .await
    }

    async fn take_shards(
        &self,
        bot: TokenHash,
        since: UnixMs,
    ) -> Result<Vec<KeptShard>, StoreError> {
        self.engine
            .write("taking the shards that were kept", move |sql| {
                take(sql, bot, since)
            })
            .await
    }

    async fn reserve_identify(
        &self,
        bot: TokenHash,
        bucket: u32,
        limit: IdentifyLimit,
        now: UnixMs,
    ) -> Result<Result<IdentifyPermit, IdentifyRefused>, StoreError> {
        self.engine
            .write("reserving an identify", move |sql| {
                reserve(sql, bot, bucket, limit, now)
            })
            .await
    }
}

fn keep(sql: &mut dyn Sql, bot: TokenHash, kept: &KeptShard) -> Result<(), StoreError> {
    sql.await_turn(Turn::Shards)?;
    let ShardId { id, count } = kept.shard;
    sql.execute(
        "DELETE FROM kept_guilds WHERE bot = $1 AND shard = $2 AND shard_count = $3",
        params![bot, id, count],
    )?;
    sql.execute(
        "INSERT INTO kept_shards (bot, shard, shard_count, session, saved_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (bot, shard, shard_count)
        DO UPDATE SET session = excluded.session, saved_at = excluded.saved_at",
        params![bot, id, count, kept.session.as_slice(), kept.saved_at],
    )?;
    for (place, chunk) in (0_i64..).zip(&kept.guilds) {
        sql.execute(
            "INSERT INTO kept_guilds (bot, shard, shard_count, place, data, saved_at)
            VALUES ($1, $2, $3, $4, $5, $6)",
            params![bot, id, count, place, chunk.as_slice(), kept.saved_at],
        )?;
    }
    Ok(())
}

fn take(sql: &mut dyn Sql, bot: TokenHash, since: UnixMs) -> Result<Vec<KeptShard>, StoreError> {
    sql.await_turn(Turn::Shards)?;
    for old in [
        "DELETE FROM kept_shards WHERE saved_at < $1",
        "DELETE FROM kept_guilds WHERE saved_at < $1",
    ] {
        sql.execute(old, params![since])?;
    }
    let shards = sql.query(
        "DELETE FROM kept_shards WHERE bot = $1
        RETURNING shard, shard_count, session, saved_at",
        params![bot],
    )?;
    let chunks = sql.query(
        "DELETE FROM kept_guilds WHERE bot = $1 RETURNING shard, shard_count, place, data",
        params![bot],
    )?;
    // By shard, and its chunks by place: RETURNING keeps no order.
    let mut kept = BTreeMap::new();
    for row in &shards {
        let shard = KeptShard {
            shard: shard(row)?,
            session: row.blob(2)?.to_vec(),
            guilds: Vec::new(),
            saved_at: row.time(3)?,
        };
        kept.insert((shard.shard.count, shard.shard.id), shard);
    }
    let mut placed = BTreeMap::new();
    for row in &chunks {
        let ShardId { id, count } = shard(row)?;
        placed.insert((count, id, row.int(2)?), row.blob(3)?.to_vec());
    }
    for ((count, id, _), chunk) in placed {
        if let Some(shard) = kept.get_mut(&(count, id)) {
            shard.guilds.push(chunk);
        }
    }
    Ok(kept.into_values().collect())
}

fn shard(row: &Row) -> Result<ShardId, StoreError> {
    Ok(ShardId {
        id: row.count(0)?,
        count: row.count(1)?,
    })
}

fn reserve(
    sql: &mut dyn Sql,
    bot: TokenHash,
    bucket: u32,
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
        "SELECT at, bucket FROM identifies WHERE bot = $1 ORDER BY at DESC LIMIT $2",
        params![bot, limit.max],
    )?;
    let used = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    if used >= limit.max {
        // The oldest of the newest `max` must leave the window first.
        let oldest = rows.last().map_or(Ok(now), |row| row.time(0))?;
        return Ok(Err(IdentifyRefused {
            retry_at: oldest + limit.window,
            why: WhyNotIdentify::Spent,
        }));
    }
    // One in the future keeps nobody waiting longer than one of just now.
    let past = |row: &Row| row.time(0).map(|at| at.min(now));
    let last = rows.first().map(past).transpose()?;
    let mut last_of_bucket = None;
    for row in &rows {
        if row.count(1)? == bucket {
            last_of_bucket = Some(past(row)?);
            break;
        }
    }
    let spaced = last_of_bucket.map_or(now, |at| at + limit.spacing);
    let slowed = last.map_or(now, |at| at + limit.slowed(used));
    let why = match spaced.max(slowed) {
        at if at <= now => None,
        at if at == slowed => Some(WhyNotIdentify::Slowed),
        _ => Some(WhyNotIdentify::Spacing),
    };
    if let Some(why) = why {
        return Ok(Err(IdentifyRefused {
            retry_at: spaced.max(slowed),
            why,
        }));
    }
    sql.execute(
        "INSERT INTO identifies (bot, bucket, at) VALUES ($1, $2, $3)",
        params![bot, bucket, now],
    )?;
    Ok(Ok(IdentifyPermit {
        remaining: limit.max - used - 1,
    }))
}
