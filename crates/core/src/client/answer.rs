//! What an answer from outside changes, and what the client is told of it.

use guildgate_model::Notification;
use guildgate_wire::{Authenticated, CloseCode, ErrorCode, SessionId, command_answer};
use serde::Serialize;

use super::{
    Answer, Client, Output, Refusal, Turn,
    asked::{About, Asked, Asker},
    stage::{Authenticating, Stage},
};

impl Client {
    pub(super) fn on_answer(&mut self, answer: Answer, turn: &mut Turn<'_>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Authenticating(state) => {
                self.on_authentication(*state, answer, turn);
                return;
            }
            stage @ (Stage::Unauthenticated(_) | Stage::Basic(_) | Stage::Full(_)) => {
                self.stage = stage;
            }
            Stage::Over => return,
        }
        let Some(asked) = self.asked.take() else {
            self.on_unasked(&answer, turn);
            return;
        };
        self.excuse(&asked, turn);
        let text = match self.take_in(&asked, answer, turn) {
            Ok(text) => text,
            Err(refusal) => {
                if let (About::Acknowledge(ids), Some(session)) =
                    (&asked.about, self.stage.session_mut())
                {
                    session.notices.take_back(ids);
                }
                refusal.to_text(&asked.name, asked.nonce.as_ref())
            }
        };
        match asked.asker {
            Asker::Here => turn.out.push(Output::Send(text)),
            Asker::Gone => {}
        }
    }

    /// Lets the client in, or closes. The state it came from is consumed: whatever the answer
    /// was, it cannot be given twice.
    fn on_authentication(&mut self, state: Authenticating, answer: Answer, turn: &mut Turn<'_>) {
        match answer {
            Answer::Basic => {
                self.stage = Stage::Basic(state.into_basic(turn.now.mono, turn.limits));
                turn.out.push(Output::Send(opcode_2(None, &[], turn)));
            }
            Answer::Full {
                user,
                token,
                session,
                missed,
            } => match state.into_session(user, token, session, turn.now.mono, turn.limits) {
                Ok(mut proved) => {
                    proved.notices.name(&missed);
                    self.stage = Stage::Full(Box::new(proved));
                    self.outbox.number();
                    let text = opcode_2(Some(session), &missed, turn);
                    turn.out.push(Output::Send(text));
                    self.probe_delivery(turn);
                }
                Err(_withdrawn) => self.turn_away(CloseCode::AuthenticationFailed, turn),
            },
            Answer::NotAuthentic => self.turn_away(CloseCode::AuthenticationFailed, turn),
            Answer::NotReady => self.turn_away(CloseCode::NotReady, turn),
            Answer::Failed | Answer::Connected { .. } | Answer::Done(_) | Answer::Refused(_) => {
                self.turn_away(CloseCode::Unknown, turn);
            }
        }
    }

    fn turn_away(&mut self, code: CloseCode, turn: &mut Turn<'_>) {
        turn.out.push(Output::Close(code));
        self.finish(turn);
    }

    /// Lets an answer change what it changes; the text of the client's answer.
    fn take_in(
        &mut self,
        asked: &Asked,
        answer: Answer,
        turn: &mut Turn<'_>,
    ) -> Result<Box<str>, Refusal> {
        match (&asked.about, answer) {
            (
                About::ConnectGuild,
                Answer::Connected {
                    guild,
                    guild_json,
                    user,
                },
            ) => {
                #[derive(Serialize)]
                struct Data<'a> {
                    guild: &'a serde_json::value::RawValue,
                    user: Option<guildgate_wire::UserView>,
                }
                let before = self.guild.replace(guild);
                if before != Some(guild) {
                    turn.out.extend(before.map(Output::Unsubscribe));
                    turn.out.push(Output::Subscribe(guild));
                }
                let guild = &*guild_json;
                Ok(asked.answer(&Data { guild, user }))
            }
            (About::Acknowledge(_), Answer::Done(_)) => {
                Ok(asked.answer(&serde_json::json!({ "success": true })))
            }
            (about, Answer::Done(data)) => {
                match about {
                    About::StartApplicationSession(guild) => {
                        self.enter_application_session(*guild);
                    }
                    About::EndApplicationSession(guild) => {
                        self.leave_application_session(*guild, turn);
                    }
                    About::ConnectGuild | About::Acknowledge(_) | About::Application => {}
                }
                Ok(asked.answer(&data))
            }
            (_, Answer::Refused(refusal)) => Err(refusal),
            (_, Answer::NotAuthentic) => Err(Refusal::new(
                ErrorCode::InvalidToken,
                format!(
                    "{}: the token is not good for this; get a new one",
                    asked.name
                ),
            )),
            (
                _,
                Answer::Failed
                | Answer::NotReady
                | Answer::Basic
                | Answer::Full { .. }
                | Answer::Connected { .. },
            ) => Err(Refusal::new(
                ErrorCode::Unavailable,
                format!(
                    "{} could not be carried out just now; try again",
                    asked.name
                ),
            )),
        }
    }

    /// An answer that nobody awaits: a guild that was joined is left again.
    fn on_unasked(&mut self, answer: &Answer, turn: &mut Turn<'_>) {
        if let Answer::Connected { guild, .. } = answer
            && self.guild != Some(*guild)
        {
            turn.out.push(Output::Unsubscribe(*guild));
        }
    }

    /// Frames that had to wait for this answer come all at once now.
    fn excuse(&mut self, asked: &Asked, turn: &Turn<'_>) {
        let held = turn.now.mono.since(asked.since);
        let frames_max = self.frames_max(turn.now.mono, turn.limits);
        self.budget
            .excuse(held, turn.limits.frames_window, frames_max);
    }
}

impl Asked {
    fn answer(&self, data: &impl Serialize) -> Box<str> {
        command_answer(&self.name, self.nonce.as_ref(), data).into()
    }
}

/// Opcode 2 of a client that starts anew.
fn opcode_2(session: Option<SessionId>, missed: &[Notification], turn: &Turn<'_>) -> Box<str> {
    let interval = turn.limits.heartbeat_interval.as_millis();
    let authenticated = Authenticated {
        missed,
        session,
        heartbeat_interval_ms: u64::try_from(interval).unwrap_or(u64::MAX),
        resumed: false,
    };
    authenticated.to_text().into()
}
