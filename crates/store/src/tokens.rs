//! Credentials: issuing, using, revoking.

use async_trait::async_trait;
use guildgate_model::{Secret, TokenHash, TokenId, TokenKind, TokenRecord, UnixMs};
use sha2::{Digest, Sha256};

use crate::{Listed, Page, StoreError};

/// How often a `gatewayGuild` token can be used unless issued otherwise.
///
/// Source: wire protocol, "Authentication".
pub const GUILD_TOKEN_USES: u32 = 7;

/// How often a new token can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// As its kind has it: [`GUILD_TOKEN_USES`] for `gatewayGuild`, without bound otherwise.
    OfKind,
    /// This often.
    Limited(u32),
    /// Without bound.
    Unlimited,
}

/// A token to be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewToken {
    /// What it shall be good for.
    pub kind: TokenKind,
    /// Whose it shall be: a user's or a guild's id.
    pub owner: Option<u64>,
    /// How often it can be used.
    pub uses: Uses,
    /// When it stops being good; never if none.
    pub expires_at: Option<UnixMs>,
}

/// Whose token is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This user's or guild's.
    Id(u64),
    /// Anybody's: the record tells whose it is.
    Any,
}

/// Why a token is not accepted. Told apart in the log and the metrics, never to a client.
///
/// In this order: the first that holds is the one that is told.
///
/// Source: wire protocol, "Authentication".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum TokenRefusal {
    /// No such token was ever issued, or it has long been purged.
    #[error("no such token")]
    Unknown,
    /// It is good for something else.
    #[error("a token of another kind")]
    WrongKind,
    /// It belongs to another user or guild.
    #[error("a token of another owner")]
    Foreign,
    /// It was revoked.
    #[error("a revoked token")]
    Revoked,
    /// Its time is over: `expires_at` is now or past.
    #[error("an expired token")]
    Expired,
    /// Its last use is spent.
    #[error("a used-up token")]
    UsedUp,
}

impl TokenRefusal {
    /// Every refusal, for the table of a metric's labels.
    pub const ALL: [TokenRefusal; 6] = [
        TokenRefusal::Unknown,
        TokenRefusal::WrongKind,
        TokenRefusal::Foreign,
        TokenRefusal::Revoked,
        TokenRefusal::Expired,
        TokenRefusal::UsedUp,
    ];

    /// Its label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TokenRefusal::Unknown => "unknown",
            TokenRefusal::WrongKind => "wrong_kind",
            TokenRefusal::Foreign => "foreign",
            TokenRefusal::Revoked => "revoked",
            TokenRefusal::Expired => "expired",
            TokenRefusal::UsedUp => "used_up",
        }
    }
}

/// Which tokens to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenFilter {
    /// Only those of this user or guild.
    pub owner: Option<u64>,
    /// Only those of this kind.
    pub kind: Option<TokenKind>,
}

/// Credentials: issuing, using, revoking.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Issues a token of 256 random bits. Its text is returned this once; only its hash is kept.
    ///
    /// A new `global` token rotates them: those before it stay good until they expire, and of
    /// those that never expire only the one just before stays good; older ones are revoked.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed; then there is no such token.
    async fn issue_token(
        &self,
        new: NewToken,
        now: UnixMs,
    ) -> Result<(TokenRecord, Secret), StoreError>;

    /// Takes one use of a token, and says whose it is. The record is as it is after the use.
    ///
    /// Atomic: however many nodes try at once, a last use is taken once. A token without a
    /// bound costs no write here; when it was last used is written lazily.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed. A token that is not good is `Ok(Err(_))`.
    async fn authenticate(
        &self,
        secret: &Secret,
        kind: TokenKind,
        owner: Owner,
        now: UnixMs,
    ) -> Result<Result<TokenRecord, TokenRefusal>, StoreError>;

    /// Gives back a use that was taken and came to nothing, and so makes a used-up token good
    /// again. A token without a bound, or that there is not, stays as it is. To be called once
    /// for a use at most.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed; then the use may be lost.
    async fn give_back_use(&self, id: TokenId) -> Result<(), StoreError>;

    /// What [`Tokens::authenticate`] would answer, without taking a use.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn inspect_token(
        &self,
        secret: &Secret,
        kind: TokenKind,
        owner: Owner,
        now: UnixMs,
    ) -> Result<Result<TokenRecord, TokenRefusal>, StoreError>;

    /// A token's record, good or not; none if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn read_token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError>;

    /// Tokens, newest first, good or not.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn list_tokens(
        &self,
        filter: TokenFilter,
        page: Page,
    ) -> Result<Listed<TokenRecord>, StoreError>;

    /// Withdraws a token, and says so in the feed, once. Answers its record; none if there is
    /// no such token. One that was revoked before stays as it was.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn revoke_token(
        &self,
        id: TokenId,
        now: UnixMs,
    ) -> Result<Option<TokenRecord>, StoreError>;

    /// Forgets tokens that expired, were revoked or were used up before `before`. Answers how
    /// many.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn purge_tokens(&self, before: UnixMs) -> Result<u64, StoreError>;
}

/// What is stored of a secret.
#[must_use]
pub fn hash_secret(secret: &Secret) -> TokenHash {
    TokenHash(Sha256::digest(secret.expose().as_bytes()).into())
}
