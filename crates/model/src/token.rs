//! Credentials: their kinds, their secrets, and what is stored of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{TokenId, UnixMs};

/// What a token is good for.
///
/// Source: wire protocol, "Authentication".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenKind {
    /// The site's session of a user: `utokh`.
    User,
    /// Opcode 1, and `uhash`.
    GatewayUser,
    /// CONNECT_GUILD.
    GatewayGuild,
    /// Basic access for anyone; rotates.
    Global,
}

impl TokenKind {
    /// Every kind, in the order of the documents.
    pub const ALL: [TokenKind; 4] = [
        TokenKind::User,
        TokenKind::GatewayUser,
        TokenKind::GatewayGuild,
        TokenKind::Global,
    ];

    /// Its name in the API, the command line and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TokenKind::User => "user",
            TokenKind::GatewayUser => "gatewayUser",
            TokenKind::GatewayGuild => "gatewayGuild",
            TokenKind::Global => "global",
        }
    }

    /// The prefix of its secrets, which names the kind to a person who finds one.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            TokenKind::User => "ggu_",
            TokenKind::GatewayUser => "gggu_",
            TokenKind::GatewayGuild => "gggg_",
            TokenKind::Global => "ggl_",
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no [`TokenKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of token: expected user, gatewayUser, gatewayGuild or global")]
pub struct UnknownTokenKind(pub String);

impl FromStr for TokenKind {
    type Err = UnknownTokenKind;

    fn from_str(text: &str) -> Result<TokenKind, UnknownTokenKind> {
        TokenKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownTokenKind(text.to_owned()))
    }
}

/// A text that must not be seen: redacted in `Debug`, absent from `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes charge of `text`.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that must send or hash it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// SHA-256 of a token's text: all that is stored of the secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// What is stored of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// By which it is listed and revoked.
    pub id: TokenId,
    /// What it is good for.
    pub kind: TokenKind,
    /// Whose it is: a user's or a guild's id; none for a global token.
    pub owner: Option<u64>,
    /// When it stops being good; never if none.
    pub expires_at: Option<UnixMs>,
    /// How often it can still be used; without bound if none.
    pub uses_left: Option<u32>,
    /// When it was issued.
    pub created_at: UnixMs,
    /// When it was last accepted.
    pub last_used_at: Option<UnixMs>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMs>,
}
