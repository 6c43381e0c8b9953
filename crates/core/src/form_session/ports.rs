//! What goes into a [`super::FormSession`] and what comes out: plain data.

use std::{collections::BTreeSet, sync::Arc};

use guildgate_model::{
    Form, Grants, GuildId, Permissions, Revision, Secret, TokenId, UnixMs, UserId,
    form::{FieldId, Renamed},
};
use guildgate_wire::EventFrame;
use serde_json::{Value, value::RawValue};

use crate::{ClientId, client::Refusal};

/// What a session edits.
///
/// Source: wire protocol, "Live application sessions", `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The guild's form.
    Form,
    /// This user's draft of answers to it.
    Answers(UserId),
}

impl Target {
    /// Whether `user`, standing so in the guild, may edit this.
    #[must_use]
    pub fn admits(self, user: UserId, standing: Standing) -> bool {
        match (self, standing) {
            (_, Standing::Outsider) => false,
            (Target::Form, Standing::Member(permissions)) => permissions.manages_guild(),
            (Target::Answers(owner), Standing::Member(_)) => owner == user,
        }
    }
}

/// Names one session of a node: one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// Where.
    pub guild: GuildId,
    /// What is edited.
    pub target: Target,
}

/// How a user stands in the guild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A member who may do this.
    Member(Permissions),
    /// No member, or no longer one.
    Outsider,
}

impl Standing {
    /// The permissions that the user is told; none of an outsider.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        match self {
            Standing::Member(permissions) => permissions,
            Standing::Outsider => Permissions::NONE,
        }
    }
}

/// The two tokens that prove a user to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `utokh`: of kind user.
    pub user_token: Secret,
    /// `uhash`: of kind gatewayUser.
    pub gateway_token: Secret,
}

/// Who sends a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Through which client.
    pub client: ClientId,
    /// The authenticated user.
    pub user: UserId,
    /// What the others see them called.
    pub tag: Box<str>,
    /// How they stand in the guild as this is handed over.
    pub standing: Standing,
    /// Which roles they may give then.
    pub grants: Grants,
}

/// A command of a session's client. Each gets exactly one [`Output::Answer`]; a client has one
/// open at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// APPLICATION_SESSION; that `uid` is the authenticated user is checked before.
    Start {
        /// The tokens that prove the user.
        credentials: Credentials,
        /// The frame's nonce: a start that comes again with it is answered again.
        nonce: Option<Box<str>>,
    },
    /// APPLICATION_SESSION_PATCH.
    Patch {
        /// The version that it was made against.
        base: Revision,
        /// The patch as it came.
        patch: Value,
        /// The frame's nonce: the same user's same patch on the same base under the same nonce
        /// is taken once.
        nonce: Option<Box<str>>,
    },
    /// APPLICATION_SESSION_REAUTH.
    Reauth {
        /// Fresh tokens.
        credentials: Credentials,
        /// `pm`, as sent.
        known_permissions: Box<str>,
    },
    /// APPLICATION_SESSION_HB_M.
    Heartbeat,
    /// APPLICATION_SESSION_END.
    End,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input {
    /// A client wants something.
    Command {
        /// Who.
        caller: Caller,
        /// What.
        command: Command,
    },
    /// A client's socket is gone; it may come back.
    Detached(ClientId),
    /// It is back.
    Attached(ClientId),
    /// It will not come back.
    Closed(ClientId),
    /// How a user stands in the guild, whenever that may have changed.
    Standing {
        /// Who.
        user: UserId,
        /// How.
        standing: Standing,
    },
    /// A token was revoked.
    TokenRevoked(TokenId),
    /// The bot is no longer in the guild.
    GuildGone,
    /// The document has this version by now; of this node's making or another's.
    Changed(Revision),
    /// The form has changed; drafts are checked against it.
    FormPublished(Arc<PublishedForm>),
    /// Submissions answer these fields, so that their ids stay.
    Submitted(BTreeSet<FieldId>),
    /// What came of an [`Output::Ask`].
    Reply {
        /// Which.
        ticket: Ticket,
        /// What.
        reply: Reply,
    },
    /// The deadline has come; harmless if it has not.
    Deadline,
}

/// What a session wants done.
#[derive(Debug)]
pub enum Output {
    /// The answer to a client's open command: `data`, or the refusal.
    Answer {
        /// Whose.
        client: ClientId,
        /// What.
        result: Result<Box<RawValue>, Refusal>,
    },
    /// An event to a client.
    Event {
        /// Whom.
        client: ClientId,
        /// What.
        event: Arc<EventFrame>,
    },
    /// Find this out; every one is answered by one [`Input::Reply`], in any order.
    Ask {
        /// Which session asks.
        key: SessionKey,
        /// By which the reply finds its question.
        ticket: Ticket,
        /// What.
        ask: Ask,
    },
}

/// Names a question of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A question that only the world outside can answer.
#[derive(Debug, PartialEq)]
pub enum Ask {
    /// Are these the user's own, good tokens? Answered with [`Reply::Verified`].
    Verify {
        /// Whose they should be.
        user: UserId,
        /// The tokens.
        credentials: Credentials,
    },
    /// What is the document? If there is none, it begins empty. Answered with
    /// [`Reply::Opened`].
    Open,
    /// What came after this version? Answered with [`Reply::Loaded`].
    Load {
        /// The last version that is known here.
        after: Revision,
    },
    /// Keep this as the next version. Answered with [`Reply::Appended`], once it is durable.
    Append(Box<Append>),
}

/// A version to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// The version it was made from; it must still be the newest.
    pub base: Revision,
    /// The patch, for the history.
    pub patch: Value,
    /// What it made.
    pub document: Value,
    /// Who made it; nobody if the form opens by itself.
    pub author: Option<UserId>,
    /// A name by which the patch is kept at most once for its author.
    pub name: Option<Box<str>>,
    /// Fields that stand under another id in it. It is not kept where a submission answers one
    /// of them by the time it would be.
    pub renamed: Vec<Renamed>,
}

/// The answer to an [`Ask`].
#[derive(Debug)]
pub enum Reply {
    /// To [`Ask::Verify`].
    Verified(Result<Verified, NotVerified>),
    /// To [`Ask::Open`].
    Opened(Result<Box<Opened>, StoreFailed>),
    /// To [`Ask::Load`]: the versions after the one named, oldest first; not necessarily all.
    Loaded(Result<Vec<Version>, StoreFailed>),
    /// To [`Ask::Append`].
    Appended(Appended),
}

/// Two tokens that are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Their records.
    pub tokens: [TokenId; 2],
    /// When the first of them expires.
    pub expires_at: Option<UnixMs>,
}

/// Why tokens were not found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotVerified {
    /// One of them is not good for this user; which and why is in the log.
    NotGood,
    /// The store does not answer.
    StoreFailed,
}

/// The store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFailed;

/// A document with its last versions: a version as a whole, and the patches after it, so that a
/// rebase and a repeated patch can be judged from the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The version that `document` is.
    pub revision: Revision,
    /// The document at that version.
    pub document: Value,
    /// The versions after it, oldest first, up to the newest.
    pub versions: Vec<Version>,
    /// Fields that submissions answer; for a form.
    pub answered_fields: BTreeSet<FieldId>,
    /// The form; for a draft.
    pub form: Option<Arc<PublishedForm>>,
}

/// One version, by what made it from the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Which.
    pub revision: Revision,
    /// Who made it; nobody if it came about by itself.
    pub author: Option<UserId>,
    /// The patch; none if the version was written as a whole, or is not kept as a patch.
    pub patch: Option<Value>,
    /// [`Append::name`].
    pub name: Option<Box<str>>,
}

/// What became of an [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is kept as this version.
    Kept(Revision),
    /// The patch of that name was kept before, as this version.
    KeptBefore(Revision),
    /// Another version came first.
    Conflict,
    /// A submission that was not known of answers fields that it renames: all of those.
    Answered(BTreeSet<FieldId>),
    /// The store does not answer; whether it is kept is not known.
    Failed,
}

/// A form at a version, shared by all who need it.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedForm {
    /// Its version.
    pub revision: Revision,
    /// As a document.
    pub document: Value,
    /// What the document means.
    pub form: Form,
}
