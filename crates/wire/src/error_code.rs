//! Why a command was refused.

/// The `code` of a refused command's answer.
///
/// Source: wire protocol, "Commands".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// A field of `d` is missing or of the wrong type.
    BadRequest,
    /// The connection is basic, and the command needs a user.
    NotAuthenticated,
    /// The user may not.
    Forbidden,
    /// The token is not good for this.
    InvalidToken,
    /// The bot is not in that guild.
    UnknownGuild,
    /// The connection is not on that guild.
    NotConnected,
    /// The connection has no application session there.
    NoSession,
    /// The connection has an application session there already.
    SessionExists,
    /// What the patch or review rests on has changed since.
    Conflict,
    /// The patch would make the form invalid.
    InvalidForm,
    /// The answers do not fit the form.
    InvalidAnswers,
    /// The session waits for APPLICATION_SESSION_REAUTH.
    ReauthRequired,
    /// The form takes no submissions.
    Closed,
    /// The form has all the submissions it takes.
    Full,
    /// The user has a pending submission there.
    Duplicate,
    /// Too large, too deep, or too many.
    TooLarge,
    /// Too often.
    RateLimited,
    /// Something behind the gateway does not answer; try again.
    Unavailable,
    /// No such command.
    UnknownCommand,
}

impl ErrorCode {
    /// Every code, in the order of the protocol's list.
    pub const ALL: [ErrorCode; 19] = [
        ErrorCode::BadRequest,
        ErrorCode::NotAuthenticated,
        ErrorCode::Forbidden,
        ErrorCode::InvalidToken,
        ErrorCode::UnknownGuild,
        ErrorCode::NotConnected,
        ErrorCode::NoSession,
        ErrorCode::SessionExists,
        ErrorCode::Conflict,
        ErrorCode::InvalidForm,
        ErrorCode::InvalidAnswers,
        ErrorCode::ReauthRequired,
        ErrorCode::Closed,
        ErrorCode::Full,
        ErrorCode::Duplicate,
        ErrorCode::TooLarge,
        ErrorCode::RateLimited,
        ErrorCode::Unavailable,
        ErrorCode::UnknownCommand,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::BadRequest => "bad_request",
            ErrorCode::NotAuthenticated => "not_authenticated",
            ErrorCode::Forbidden => "forbidden",
            ErrorCode::InvalidToken => "invalid_token",
            ErrorCode::UnknownGuild => "unknown_guild",
            ErrorCode::NotConnected => "not_connected",
            ErrorCode::NoSession => "no_session",
            ErrorCode::SessionExists => "session_exists",
            ErrorCode::Conflict => "conflict",
            ErrorCode::InvalidForm => "invalid_form",
            ErrorCode::InvalidAnswers => "invalid_answers",
            ErrorCode::ReauthRequired => "reauth_required",
            ErrorCode::Closed => "closed",
            ErrorCode::Full => "full",
            ErrorCode::Duplicate => "duplicate",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::RateLimited => "rate_limited",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::UnknownCommand => "unknown_command",
        }
    }

    /// What it means, for the documents.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            ErrorCode::BadRequest => "a field of `d` is missing or of the wrong type",
            ErrorCode::NotAuthenticated => "the command needs a user; the connection is basic",
            ErrorCode::Forbidden => "the user may not",
            ErrorCode::InvalidToken => "the token is not good for this",
            ErrorCode::UnknownGuild => "the bot is not in that guild",
            ErrorCode::NotConnected => "the connection is not on that guild",
            ErrorCode::NoSession => "the connection has no application session there",
            ErrorCode::SessionExists => "the connection has an application session there already",
            ErrorCode::Conflict => "what it rests on has changed since",
            ErrorCode::InvalidForm => "the patch would make the form invalid",
            ErrorCode::InvalidAnswers => "the answers do not fit the form",
            ErrorCode::ReauthRequired => "the session waits for APPLICATION_SESSION_REAUTH",
            ErrorCode::Closed => "the form takes no submissions",
            ErrorCode::Full => "the form has all the submissions it takes",
            ErrorCode::Duplicate => "the user has a pending submission there",
            ErrorCode::TooLarge => "too large, too deep, or too many",
            ErrorCode::RateLimited => "too often; try again later",
            ErrorCode::Unavailable => "something behind the gateway does not answer; try again",
            ErrorCode::UnknownCommand => "no such command",
        }
    }
}
