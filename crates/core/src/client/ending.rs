//! How a connection ends, and whether its session does.
//!
//! A close that invites a reconnect keeps a full session for [`Limits::resume_window`], and so
//! does a socket that is simply gone. Any other close ends it: nobody may come back to it. When
//! the node goes away it may keep its sessions for the next process, so they wait as well; but
//! an application session lives in one process alone, and whoever takes part in one begins anew.
//!
//! [`Limits::resume_window`]: guildgate_wire::Limits::resume_window
//!
//! Source: wire protocol, "Resume" and "Close codes".

use guildgate_model::TokenId;
use guildgate_wire::CloseCode;

use super::{
    Client, Output, Turn,
    asked::Asker,
    stage::{Link, Stage},
};
use crate::outbox::Outbox;

impl Client {
    /// Closes the socket, which the client still has.
    pub(super) fn close(&mut self, code: CloseCode, turn: &mut Turn<'_>) {
        turn.out.push(Output::Close(code));
        if code.invites_reconnect() {
            self.lose_socket(turn);
        } else {
            self.finish(turn);
        }
    }

    /// Without a socket a session is kept, and anything else is over.
    pub(super) fn lose_socket(&mut self, turn: &mut Turn<'_>) {
        match &mut self.stage {
            Stage::Full(session) => {
                let until = turn.now.mono + turn.limits.resume_window;
                session.link = Link::Detached { until };
                if let Some(asked) = &mut self.asked {
                    asked.asker = Asker::Gone;
                }
                self.outbox.detach(turn.limits);
                turn.out.push(Output::Attached(false));
            }
            Stage::Unauthenticated(_) | Stage::Authenticating(_) | Stage::Basic(_) => {
                self.finish(turn);
            }
            Stage::Over => {}
        }
    }

    /// Ends it all.
    pub(super) fn finish(&mut self, turn: &mut Turn<'_>) {
        turn.out.extend(self.guild.take().map(Output::Unsubscribe));
        self.stage = Stage::Over;
        self.asked = None;
        self.outbox = Outbox::new();
        turn.out.push(Output::Drop);
    }

    pub(super) fn on_socket_lost(&mut self, turn: &mut Turn<'_>) {
        if self.has_socket() {
            self.lose_socket(turn);
        }
    }

    /// The client has closed: 1000 says that it is done, so its session is over at once.
    /// Anything else may come back; a page that is left or loaded again closes with 1001.
    pub(super) fn on_closed_by_client(&mut self, code: Option<u16>, turn: &mut Turn<'_>) {
        if !self.has_socket() {
            return;
        }
        if code == Some(CloseCode::Normal.number()) {
            self.finish(turn);
        } else {
            self.lose_socket(turn);
        }
    }

    pub(super) fn on_fault(&mut self, code: CloseCode, turn: &mut Turn<'_>) {
        if self.has_socket() {
            self.close(code, turn);
        }
    }

    /// A session whose token is no good any more ends, with or without a socket.
    pub(super) fn on_revoked(&mut self, token: TokenId, turn: &mut Turn<'_>) {
        match &mut self.stage {
            Stage::Authenticating(state) => {
                if !state.revoke(token) {
                    self.close(CloseCode::Unknown, turn);
                }
            }
            Stage::Full(session) if session.token == token => {
                if let Link::Attached(_) = session.link {
                    turn.out
                        .push(Output::Close(CloseCode::AuthenticationFailed));
                }
                self.finish(turn);
            }
            Stage::Full(_) | Stage::Unauthenticated(_) | Stage::Basic(_) | Stage::Over => {}
        }
    }

    pub(super) fn on_drain(&mut self, turn: &mut Turn<'_>) {
        let code = CloseCode::GoingAway;
        if self.in_application_session() {
            if self.has_socket() {
                turn.out.push(Output::Close(code));
            }
            self.finish(turn);
        } else if self.has_socket() {
            self.close(code, turn);
        }
    }
}
