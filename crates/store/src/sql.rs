//! The seam between operations and databases: a few kinds of value, and statements that both
//! SQLite and PostgreSQL understand.
//!
//! Operations are written once, as plain functions over [`Sql`], inside a transaction that an
//! engine has begun. Parameters are `$1`, `$2`…; where a parameter may be null its type is
//! said (`CAST($1 AS BIGINT)`), since PostgreSQL would have to guess.

use guildgate_model::{
    ApplicationId, GuildId, NotificationId, Revision, RoleId, TokenHash, TokenId, UnixMs, UserId,
};
use serde_json::Value as Json;

use crate::StoreError;

/// A value in or out of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL's null.
    Null,
    /// `BIGINT`; ids of 64 bits without a sign are kept bit for bit.
    Int(i64),
    /// `TEXT`; JSON too.
    Text(String),
    /// `BYTEA`, `BLOB`.
    Blob(Vec<u8>),
}

/// Statements inside one transaction.
pub trait Sql {
    /// Runs a statement; answers how many rows it changed.
    fn execute(&mut self, statement: &'static str, params: &[Value]) -> Result<u64, StoreError>;

    /// Runs a statement; answers its rows.
    fn query(&mut self, statement: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Waits until no other transaction holds `turn`, and holds it until this one ends. An
    /// operation that needs two takes them in the order of [`Turn`], so that none wait in a ring.
    fn await_turn(&mut self, turn: Turn) -> Result<(), StoreError>;

    /// This transaction adds to the feed: readers are to be woken when it is committed.
    fn mark_feed(&mut self);
}

/// What transactions take turns at, where one statement does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Issuing global tokens.
    GlobalTokens,
    /// A document: its guild, and its user or 0.
    Document(i64, i64),
    /// A guild's submissions.
    Submissions(GuildId),
    /// Taking tasks.
    Outbox,
    /// A bot's identifies.
    Identifies(TokenHash),
    /// What one process leaves to the next.
    Shards,
    /// A user's inbox.
    Inbox(UserId),
}

impl Turn {
    /// A number for a lock that knows only numbers. That two turns share one does no harm but
    /// a wait.
    pub fn key(self) -> i64 {
        let mut words = [0u8; 17];
        let (class, a, b) = match self {
            Turn::GlobalTokens => (1, 0, 0),
            Turn::Document(guild, user) => (2, guild, user),
            Turn::Submissions(guild) => (3, guild.0.cast_signed(), 0),
            Turn::Outbox => (4, 0, 0),
            Turn::Identifies(TokenHash(bytes)) => {
                let mut head = [0u8; 8];
                head.copy_from_slice(&bytes[..8]);
                (5, i64::from_le_bytes(head), 0)
            }
            Turn::Shards => (6, 0, 0),
            Turn::Inbox(user) => (7, user.0.cast_signed(), 0),
        };
        words[0] = class;
        words[1..9].copy_from_slice(&a.to_le_bytes());
        words[9..].copy_from_slice(&b.to_le_bytes());
        // FNV-1a: the same in every process and release, which the standard hasher is not.
        words
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
            .cast_signed()
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The number in a column, if there is one.
    pub fn int_opt(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            other => Err(unreadable("a number", column, other)),
        }
    }

    /// The number in a column.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.int_opt(column)?
            .ok_or_else(|| unreadable("a number", column, self.0.get(column)))
    }

    /// The id in a column.
    pub fn id(&self, column: usize) -> Result<u64, StoreError> {
        self.int(column).map(i64::cast_unsigned)
    }

    /// The id in a column, if there is one.
    pub fn id_opt(&self, column: usize) -> Result<Option<u64>, StoreError> {
        Ok(self.int_opt(column)?.map(i64::cast_unsigned))
    }

    /// The count in a column.
    pub fn count(&self, column: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(column)?)
            .map_err(|_| unreadable("a count", column, self.0.get(column)))
    }

    /// The time in a column.
    pub fn time(&self, column: usize) -> Result<UnixMs, StoreError> {
        self.int(column).map(UnixMs)
    }

    /// The time in a column, if there is one.
    pub fn time_opt(&self, column: usize) -> Result<Option<UnixMs>, StoreError> {
        Ok(self.int_opt(column)?.map(UnixMs))
    }

    /// The text in a column, if there is one.
    pub fn text_opt(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            other => Err(unreadable("a text", column, other)),
        }
    }

    /// The text in a column.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.text_opt(column)?
            .ok_or_else(|| unreadable("a text", column, self.0.get(column)))
    }

    /// The bytes in a column.
    pub fn blob(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Ok(bytes),
            other => Err(unreadable("bytes", column, other)),
        }
    }

    /// The JSON in a column.
    pub fn json(&self, column: usize) -> Result<Json, StoreError> {
        parse_json(self.text(column)?)
    }

    /// The JSON in a column, if there is any.
    pub fn json_opt(&self, column: usize) -> Result<Option<Json>, StoreError> {
        self.text_opt(column)?.map(parse_json).transpose()
    }
}

/// Reads JSON, or anything else that is kept as JSON.
pub fn parse_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: format!("a JSON text: {error}"),
    })
}

fn unreadable(expected: &str, column: usize, found: Option<&Value>) -> StoreError {
    let found = match found {
        None => "no column",
        Some(Value::Null) => "null",
        Some(Value::Int(_)) => "a number",
        Some(Value::Text(_)) => "a text",
        Some(Value::Blob(_)) => "bytes",
    };
    StoreError::Corrupt {
        what: format!("column {column}: expected {expected}, found {found}"),
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Int(number.cast_signed())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Int(i64::from(number))
    }
}

impl From<UnixMs> for Value {
    fn from(time: UnixMs) -> Value {
        Value::Int(time.0)
    }
}

impl From<&str> for Value {
    /// PostgreSQL cannot keep U+0000 in a text; the replacement character stands for it, on
    /// both engines alike.
    fn from(text: &str) -> Value {
        Value::Text(text.replace('\0', "\u{fffd}"))
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Value {
        Value::Text(json.to_string())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Blob(bytes.to_vec())
    }
}

impl From<TokenHash> for Value {
    fn from(hash: TokenHash) -> Value {
        Value::Blob(hash.0.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl From<$id> for Value {
            fn from(id: $id) -> Value {
                Value::from(id.0)
            }
        }
    )+};
}

ids!(
    ApplicationId,
    GuildId,
    NotificationId,
    Revision,
    RoleId,
    TokenId,
    UserId
);

/// The parameters of a statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Value::from($value)),*] };
}
pub(crate) use params;
