//! A session across a restart of the node: what is kept of it, and how it comes back.
//!
//! Only a session that waits for a socket with nothing unfinished is kept: no question that is
//! open, no application that is being edited. Its counts and snapshots are not, for whoever
//! restores it tells its guild anew. So a client that resumes it has heard everything certain,
//! in order, and knows the guild as it is now.
//!
//! A session's name is written down as it is: it lets nobody in without the token.
//!
//! Source: wire protocol, "Resume".

use guildgate_model::{GuildId, Now, TokenId, UserId};
use guildgate_wire::{Limits, SessionId};
use serde::{Deserialize, Serialize};

use super::{
    Client,
    notices::Notices,
    stage::{Link, Session, Stage},
};
use crate::{
    outbox::{Outbox, SavedOutbox},
    rate::FrameBudget,
};

/// A session on its way from one process to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    edge: u8,
    random: [u8; 15],
    user: UserId,
    token: TokenId,
    guild: Option<GuildId>,
    notices: Notices,
    outbox: SavedOutbox,
}

impl SavedSession {
    /// The edge shard that it lived on, and can be found on again.
    #[must_use]
    pub fn edge(&self) -> u8 {
        self.edge
    }

    /// The token that it was begun with, and without which it is nobody's.
    #[must_use]
    pub fn token(&self) -> TokenId {
        self.token
    }
}

impl Client {
    /// What is kept of the client over a restart; none if it is no session that waits for a
    /// socket, or is in the middle of something.
    #[must_use]
    pub fn save(&self) -> Option<SavedSession> {
        let session = self.stage.session()?;
        let Link::Detached { .. } = session.link else {
            return None;
        };
        if self.asked.is_some() || self.in_application_session() {
            return None;
        }
        Some(SavedSession {
            edge: session.id.edge,
            random: session.id.random,
            user: session.user,
            token: session.token,
            guild: self.guild,
            notices: session.notices.clone(),
            outbox: self.outbox.save()?,
        })
    }

    /// A session of an earlier process, which waits for a socket for a whole
    /// [`Limits::resume_window`] more. `jitter` as for [`Client::open`].
    #[must_use]
    pub fn restore(now: Now, jitter: u32, limits: &Limits, saved: SavedSession) -> Client {
        Client {
            stage: Stage::Full(Box::new(Session {
                user: saved.user,
                token: saved.token,
                id: SessionId {
                    edge: saved.edge,
                    random: saved.random,
                },
                jitter,
                link: Link::Detached {
                    until: now.mono + limits.resume_window,
                },
                notices: saved.notices,
                application_sessions: Vec::new(),
                grace: None,
            })),
            guild: saved.guild,
            asked: None,
            budget: FrameBudget::default(),
            outbox: Outbox::restore(saved.outbox),
        }
    }
}
