//! Credentials, over SQL.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use guildgate_model::{Secret, TokenHash, TokenId, TokenKind, TokenRecord, UnixMs};

use super::{bounds, feed, listed, one};
use crate::{
    ChangeKind, GUILD_TOKEN_USES, Listed, NewToken, Owner, Page, StoreError, TokenFilter,
    TokenRefusal, Tokens, Uses,
    engine::{Engine, SqlStore},
    hash_secret,
    sql::{Row, Sql, Turn, params},
};

/// How long a token's last use may wait to be written.
const LAST_USED_DELAY: Duration = Duration::from_secs(5);

/// How many last uses may wait to be written.
const LAST_USED_MAX: usize = 4_096;

/// When tokens without a bound were last used, as far as it is not written yet.
#[derive(Debug, Default)]
pub(crate) struct LastUsed(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    uses: BTreeMap<TokenId, UnixMs>,
    since: Option<UnixMs>,
}

impl LastUsed {
    /// Notes a use; answers all that wait, once it is time to write them.
    fn note(&self, id: TokenId, now: UnixMs) -> Option<BTreeMap<TokenId, UnixMs>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.uses.insert(id, now);
        let since = *waiting.since.get_or_insert(now);
        let due = now.since(since) >= LAST_USED_DELAY || waiting.uses.len() >= LAST_USED_MAX;
        due.then(|| std::mem::take(&mut *waiting).uses)
    }

    fn take(&self) -> BTreeMap<TokenId, UnixMs> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting).uses
    }
}

/// The columns of a [`TokenRecord`], in the order in which [`read_record`] takes them.
macro_rules! columns {
    () => {
        "id, kind, owner, expires_at, uses_left, created_at, last_used_at, revoked_at"
    };
}

#[async_trait]
impl<E: Engine> Tokens for SqlStore<E> {
    async fn issue_token(
        &self,
        new: NewToken,
        now: UnixMs,
    ) -> Result<(TokenRecord, Secret), StoreError> {
        let secret = new_secret(new.kind);
        let hash = hash_secret(&secret);
        let record = self
            .engine
            .write("issuing a token", move |sql| issue(sql, new, hash, now))
            .await?;
        Ok((record, secret))
    }

    async fn authenticate(
        &self,
        secret: &Secret,
        kind: TokenKind,
        owner: Owner,
        now: UnixMs,
    ) -> Result<Result<TokenRecord, TokenRefusal>, StoreError> {
        let expected = Expected {
            hash: hash_secret(secret),
            kind,
            owner,
        };
        // Most tokens have no bound and need only be looked at, which any reader can do; only
        // a counted one has to pass the writer.
        let found = self
            .engine
            .read("looking at a token", move |sql| inspect(sql, expected, now))
            .await?;
        let mut record = match found {
            Ok(record) => record,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if record.uses_left.is_some() {
            return self
                .engine
                .write("using a token", move |sql| take_use(sql, expected, now))
                .await;
        }
        record.last_used_at = record.last_used_at.max(Some(now));
        if let Some(uses) = self.last_used.note(record.id, now) {
            // The token is good whether or not its last use can be written down.
            if let Err(error) = self.write_last_used(uses).await {
                tracing::warn!(%error, "when tokens were last used could not be written");
            }
        }
        Ok(Ok(record))
    }

    async fn give_back_use(&self, id: TokenId) -> Result<(), StoreError> {
        self.engine
            .write("giving back a use of a token", move |sql| {
                sql.execute(
                    "UPDATE tokens SET uses_left = uses_left + 1
                    WHERE id = $1 AND uses_left IS NOT NULL",
                    params![id],
                )
                .map(|_| ())
            })
            .await
    }

    async fn inspect_token(
        &self,
        secret: &Secret,
        kind: TokenKind,
        owner: Owner,
        now: UnixMs,
    ) -> Result<Result<TokenRecord, TokenRefusal>, StoreError> {
        let expected = Expected {
            hash: hash_secret(secret),
            kind,
            owner,
        };
        self.engine
            .read("looking at a token", move |sql| inspect(sql, expected, now))
            .await
    }

    async fn read_token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        self.flush_last_used().await?;
        self.engine
            .read("reading a token", move |sql| read_by_id(sql, id))
            .await
    }

    async fn list_tokens(
        &self,
        filter: TokenFilter,
        page: Page,
    ) -> Result<Listed<TokenRecord>, StoreError> {
        self.flush_last_used().await?;
        self.engine
            .read("listing tokens", move |sql| {
                let (before, limit) = bounds(page);
                let rows = sql.query(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM tokens
                        WHERE (CAST($1 AS BIGINT) IS NULL OR owner = $1)
                          AND (CAST($2 AS TEXT) IS NULL OR kind = $2)
                          AND id < $3
                        ORDER BY id DESC LIMIT $4"
                    ),
                    params![
                        filter.owner,
                        filter.kind.map(TokenKind::name),
                        before,
                        limit
                    ],
                )?;
                listed(&rows, page, read_record, |record| record.id.0)
            })
            .await
    }

    async fn revoke_token(
        &self,
        id: TokenId,
        now: UnixMs,
    ) -> Result<Option<TokenRecord>, StoreError> {
        self.engine
            .write("revoking a token", move |sql| revoke(sql, id, now))
            .await
    }

    async fn purge_tokens(&self, before: UnixMs) -> Result<u64, StoreError> {
        self.engine
            .write("purging tokens", move |sql| {
                sql.execute(
                    "DELETE FROM tokens WHERE expires_at < $1 OR revoked_at < $1
                    OR (uses_left = 0 AND last_used_at < $1)",
                    params![before],
                )
            })
            .await
    }
}

impl<E: Engine> SqlStore<E> {
    pub(crate) async fn flush_last_used(&self) -> Result<(), StoreError> {
        let uses = self.last_used.take();
        if uses.is_empty() {
            return Ok(());
        }
        self.write_last_used(uses).await
    }

    async fn write_last_used(&self, uses: BTreeMap<TokenId, UnixMs>) -> Result<(), StoreError> {
        self.engine
            .write("writing when tokens were last used", move |sql| {
                // In the order of ids, so that two nodes that do this at once don't wait in a ring.
                for (&id, &at) in &uses {
                    sql.execute(
                        "UPDATE tokens SET last_used_at = $2
                        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
                        params![id, at],
                    )?;
                }
                Ok(())
            })
            .await
    }
}

/// What the presenter of a token claims that it is.
#[derive(Clone, Copy)]
struct Expected {
    hash: TokenHash,
    kind: TokenKind,
    owner: Owner,
}

fn read_record(row: &Row) -> Result<TokenRecord, StoreError> {
    let kind = row.text(1)?;
    Ok(TokenRecord {
        id: TokenId(row.id(0)?),
        kind: kind.parse().map_err(|_| StoreError::Corrupt {
            what: format!("token kind {kind:?}"),
        })?,
        owner: row.id_opt(2)?,
        expires_at: row.time_opt(3)?,
        uses_left: row.int_opt(4)?.map(|_| row.count(4)).transpose()?,
        created_at: row.time(5)?,
        last_used_at: row.time_opt(6)?,
        revoked_at: row.time_opt(7)?,
    })
}

/// A secret of 256 random bits, from the thread's cryptographic generator, which the system seeds.
fn new_secret(kind: TokenKind) -> Secret {
    let bits: [u8; 32] = rand::random();
    Secret::new(format!(
        "{}{}",
        kind.prefix(),
        BASE64_URL_SAFE_NO_PAD.encode(bits)
    ))
}

fn issue(
    sql: &mut dyn Sql,
    new: NewToken,
    hash: TokenHash,
    now: UnixMs,
) -> Result<TokenRecord, StoreError> {
    let uses = match (new.uses, new.kind) {
        (Uses::Limited(uses), _) => Some(uses),
        (Uses::OfKind, TokenKind::GatewayGuild) => Some(GUILD_TOKEN_USES),
        (Uses::OfKind | Uses::Unlimited, _) => None,
    };
    if new.kind == TokenKind::Global {
        sql.await_turn(Turn::GlobalTokens)?;
    }
    let rows = sql.query(
        concat!(
            "INSERT INTO tokens (hash, kind, owner, expires_at, uses_left, created_at)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING ",
            columns!()
        ),
        params![hash, new.kind.name(), new.owner, new.expires_at, uses, now],
    )?;
    let record = read_record(one(&rows)?)?;
    if new.kind == TokenKind::Global {
        rotate_global(sql, record.id, now)?;
    }
    Ok(record)
}

/// Revokes the global tokens that would be good for ever, but for the one just before `newest`.
fn rotate_global(sql: &mut dyn Sql, newest: TokenId, now: UnixMs) -> Result<(), StoreError> {
    let rows = sql.query(
        "SELECT id FROM tokens WHERE kind = 'global' AND expires_at IS NULL
          AND revoked_at IS NULL
          AND id < (SELECT max(id) FROM tokens WHERE kind = 'global' AND id < $1)",
        params![newest],
    )?;
    for row in &rows {
        revoke(sql, TokenId(row.id(0)?), now)?;
    }
    Ok(())
}

/// Why a token is not good, by its record as it is now.
fn judge(record: &TokenRecord, expected: Expected, now: UnixMs) -> Result<(), TokenRefusal> {
    if record.kind != expected.kind {
        return Err(TokenRefusal::WrongKind);
    }
    match expected.owner {
        Owner::Id(owner) if record.owner != Some(owner) => return Err(TokenRefusal::Foreign),
        Owner::Id(_) | Owner::Any => {}
    }
    if record.revoked_at.is_some() {
        return Err(TokenRefusal::Revoked);
    }
    if record.expires_at.is_some_and(|at| at <= now) {
        return Err(TokenRefusal::Expired);
    }
    if record.uses_left == Some(0) {
        return Err(TokenRefusal::UsedUp);
    }
    Ok(())
}

fn inspect(
    sql: &mut dyn Sql,
    expected: Expected,
    now: UnixMs,
) -> Result<Result<TokenRecord, TokenRefusal>, StoreError> {
    let rows = sql.query(
        concat!("SELECT ", columns!(), " FROM tokens WHERE hash = $1"),
        params![expected.hash],
    )?;
    let Some(row) = rows.first() else {
        return Ok(Err(TokenRefusal::Unknown));
    };
    let record = read_record(row)?;
    Ok(judge(&record, expected, now).map(|()| record))
}

/// Takes one use, in one statement that looks and takes, which no other can come between.
fn take_use(
    sql: &mut dyn Sql,
    expected: Expected,
    now: UnixMs,
) -> Result<Result<TokenRecord, TokenRefusal>, StoreError> {
    let owner = match expected.owner {
        Owner::Id(owner) => Some(owner),
        Owner::Any => None,
    };
    let rows = sql.query(
        concat!(
            "UPDATE tokens SET uses_left = uses_left - 1, last_used_at = $2
            WHERE hash = $1 AND uses_left > 0 AND revoked_at IS NULL
              AND (expires_at IS NULL OR expires_at > $2)
              AND kind = $3 AND (CAST($4 AS BIGINT) IS NULL OR owner = $4)
            RETURNING ",
            columns!()
        ),
        params![expected.hash, now, expected.kind.name(), owner],
    )?;
    match rows.first() {
        Some(row) => Ok(Ok(read_record(row)?)),
        // Somebody else took the last use, or revoked it, after it was looked at.
        None => Ok(inspect(sql, expected, now)?.and(Err(TokenRefusal::UsedUp))),
    }
}

fn read_by_id(sql: &mut dyn Sql, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
    let rows = sql.query(
        concat!("SELECT ", columns!(), " FROM tokens WHERE id = $1"),
        params![id],
    )?;
    rows.first().map(read_record).transpose()
}

fn revoke(sql: &mut dyn Sql, id: TokenId, now: UnixMs) -> Result<Option<TokenRecord>, StoreError> {
    let rows = sql.query(
        concat!(
            "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING ",
            columns!()
        ),
        params![id, now],
    )?;
    let Some(row) = rows.first() else {
        return read_by_id(sql, id);
    };
    let record = read_record(row)?;
    feed::append(
        sql,
        &ChangeKind::TokenRevoked {
            id,
            kind: record.kind,
            owner: record.owner,
        },
        now,
    )?;
    Ok(Some(record))
}
