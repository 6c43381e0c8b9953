//! What outlives the process: tokens, inboxes, forms, submissions, invites, the change feed,
//! and what Discord's side and the clients' sessions need to come back.
//!
//! One [`Store`] trait, used as `Arc<dyn Store>`, with two engines: [`SqliteStore`] (a file,
//! the default) and [`PostgresStore`] (several nodes). [`open`] chooses by address. Both run the
//! same operations, written once over a small SQL seam, and pass the same contract suite.
//!
//! The invariant: **an operation that was answered `Ok` survives the process and the machine.**
//! Each is one transaction: all of it happens, or nothing does. The one thing written lazily is
//! a token's `last_used_at`.
//!
//! What this crate does not do: it reads no clock (`now` comes in), validates no form and
//! applies no patch (it orders and keeps them), and sends nothing anywhere.

mod audit;
mod discord;
mod documents;
mod engine;
mod error;
mod feed;
mod inbox;
mod invites;
mod kept;
mod open;
mod ops;
mod outbox;
mod page;
mod postgres;
mod sql;
mod sqlite;
mod store;
mod submissions;
#[cfg(feature = "testing")]
pub mod testing;
mod tokens;

pub use audit::{Audit, AuditAction, AuditEntry};
pub use discord::{
    DiscordState, IdentifyLimit, IdentifyPermit, IdentifyRefused, KeptShard, WhyNotIdentify,
};
pub use documents::{
    AppendPatch, Appended, Document, DocumentKey, DocumentVersion, Documents, PatchId,
    PatchRefusal, RestoreVersion,
};
pub use error::{Cause, StoreError};
pub use feed::{Change, ChangeKind, Cursor, Feed};
pub use inbox::{INBOX_MAX, Inbox, NewNotification};
pub use invites::{Invites, SetInvite};
pub use kept::KeptSessions;
pub use open::open;
pub use outbox::{Attempt, Outbox, OutboxItem, OutboxState, Room, Settlement, Task, Topic};
pub use page::{Listed, PAGE_MAX, Page};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub use store::Store;
pub use submissions::{
    NewSubmission, Review, ReviewRefusal, Reviewed, Submission, SubmissionFilter, Submissions,
    SubmitRefusal, Submitted, WithdrawRefusal,
};
pub use tokens::{
    GUILD_TOKEN_USES, NewToken, Owner, TokenFilter, TokenRefusal, Tokens, Uses, hash_secret,
};
