//! Commands of the application's life, on their way to where they are carried out.

use guildgate_core::{
    ClientId,
    client::{Answer, Refusal},
    form_session::{self, Credentials, SessionKey, SessionsInput, Target, Ticket},
};
use guildgate_model::{Revision, UserId};
use guildgate_store::Review;
use guildgate_wire::{ApplicationCommand, ErrorCode, Nonce};

use super::{Application, Services, SessionCommand};

/// Who sends a command of the application's life, and what.
pub(super) struct Sent {
    pub(super) client: ClientId,
    pub(super) user: UserId,
    pub(super) nonce: Option<Nonce>,
    pub(super) command: ApplicationCommand,
}

/// A command that takes the database, and so time.
#[derive(Debug)]
pub(super) enum Deed {
    Submit(Application),
    Review(Review),
}

impl Services {
    /// Answers a live session's question, behind the hub's back: it is told when it is known.
    pub async fn answer_session(&self, key: SessionKey, ticket: Ticket, ask: form_session::Ask) {
        let _open = self.parts.metrics.questions.hold();
        let reply = self.form_reply(key, ask).await;
        let input = SessionsInput::Reply { key, ticket, reply };
        self.parts.hub.send_to_sessions(input);
    }

    /// Hands a session's command to the hub, in the order in which clients' words come in: a
    /// command must not overtake its client's end, nor the other way round. What takes the
    /// database instead is given back.
    pub(super) fn command(&self, sent: Sent) -> Option<Deed> {
        let Sent {
            client,
            user,
            nonce,
            command,
        } = sent;
        let (guild, target, command) = match command {
            ApplicationCommand::Submit {
                guild,
                answers,
                revision,
            } => {
                return Some(Deed::Submit(Application {
                    guild,
                    user,
                    revision: Revision(revision),
                    answers,
                }));
            }
            ApplicationCommand::Review {
                guild,
                application,
                decision,
                note,
                expected,
            } => {
                return Some(Deed::Review(Review {
                    guild,
                    id: application,
                    decision,
                    note,
                    reviewer: user,
                    expected,
                    tasks: Vec::new(),
                }));
            }
            ApplicationCommand::Start { user: claimed, .. } if claimed != user => {
                let refusal = Refusal::new(
                    ErrorCode::Forbidden,
                    "uid: a session is started for the authenticated user alone",
                );
                self.tell(client, Answer::Refused(refusal));
                return None;
            }
            ApplicationCommand::Start {
                user,
                guild,
                user_token,
                gateway_token,
                answers,
            } => {
                let target = match answers {
                    true => Target::Answers(user),
                    false => Target::Form,
                };
                let credentials = Credentials {
                    user_token,
                    gateway_token,
                };
                let start = form_session::Command::Start {
                    credentials,
                    nonce: nonce.map(|nonce| nonce.as_str().into()),
                };
                (Some(guild), target, start)
            }
            ApplicationCommand::Patch { guild, base, patch } => {
                let patch = form_session::Command::Patch {
                    base: Revision(base),
                    patch,
                    nonce: nonce.map(|nonce| nonce.as_str().into()),
                };
                (Some(guild), Target::Form, patch)
            }
            ApplicationCommand::Reauth {
                guild,
                user_token,
                gateway_token,
                known_permissions,
            } => {
                let reauth = form_session::Command::Reauth {
                    credentials: Credentials {
                        user_token,
                        gateway_token,
                    },
                    known_permissions,
                };
                (guild, Target::Form, reauth)
            }
            ApplicationCommand::Heartbeat { guild } => {
                (guild, Target::Form, form_session::Command::Heartbeat)
            }
            ApplicationCommand::End { guild } => {
                (Some(guild), Target::Form, form_session::Command::End)
            }
        };
        self.parts.hub.command_session(SessionCommand {
            client,
            user,
            guild,
            target,
            command,
        });
        None
    }

    /// Does what takes the database, and answers.
    pub(super) async fn carry_out(&self, client: ClientId, deed: Deed) {
        let _open = self.parts.metrics.questions.hold();
        let answer = match deed {
            Deed::Submit(application) => self.submit(application).await,
            Deed::Review(review) => self.review(review).await,
        };
        self.tell(client, answer);
    }
}
