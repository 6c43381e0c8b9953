//! The words that every other crate speaks: ids, time, permissions, guilds, members, tokens,
//! notifications and what Discord told us.
//!
//! Pure: no async, no clock, no randomness, no I/O. Nothing here knows how a thing is spelled
//! on a wire; `guildgate-wire` and `guildgate-discord` do.

mod answers;
pub mod form;
mod guild;
mod id;
mod member;
mod notification;
mod permissions;
mod revision;
mod submission;
mod time;
mod token;
mod upstream;
mod wanted;

pub use answers::{Answer, Answers, Misfit};
pub use form::Form;
pub use guild::{Emoji, Freshness, GuildData, Role};
pub use id::{
    ApplicationId, EmojiId, GuildId, NotificationId, ParseIdError, RoleId, ShardId, TokenId, UserId,
};
pub use member::{Member, MemberData, tag};
pub use notification::{Decision, Notification, UnknownDecision};
pub use permissions::{Grants, ParsePermissionsError, Permissions, PermissionsOf};
pub use revision::Revision;
pub use submission::{
    AlreadyDecided, LastReview, NewReview, REVIEWS_AT_ONCE, SubmissionStatus,
    UnknownSubmissionStatus,
};
pub use time::{Mono, Now, UnixMs};
pub use token::{Secret, TokenHash, TokenKind, TokenRecord, UnknownTokenKind};
pub use upstream::UpstreamEvent;
pub use wanted::{Wanted, WantedMark, WantedUsers};
