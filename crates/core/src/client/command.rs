//! What a client may ask for, and what is refused at once.
//!
//! Source: wire protocol, "Authentication" and "Commands".

use guildgate_model::{GuildId, NotificationId, Secret, UserId};
use guildgate_wire::{
    APPLICATION_SESSIONS_MAX, ApplicationCommand, BadField, CloseCode, Command, ErrorCode, Nonce,
    ResumeFrom, UNKNOWN_NAME_BYTES_MAX, command_answer, command_error,
};

use super::{
    Ask, Client, Output, Refusal, Turn,
    asked::{About, Asked, Asker},
    stage::Stage,
};

/// A command's name and mark, by which its answer is known.
struct Label {
    name: Box<str>,
    nonce: Option<Nonce>,
}

impl Client {
    pub(super) fn on_authenticate(
        &mut self,
        token: Option<Secret>,
        user: Option<UserId>,
        resume: Option<ResumeFrom>,
        turn: &mut Turn<'_>,
    ) {
        let Stage::Unauthenticated(state) = self.stage else {
            self.close(CloseCode::AlreadyAuthenticated, turn);
            return;
        };
        self.stage = Stage::Authenticating(Box::new(state.ask(resume)));
        turn.out.push(Output::Ask(Ask::Authenticate {
            token,
            user,
            resume,
        }));
    }

    /// A command of a client that is let in. It is answered by exactly one opcode 7: here and
    /// now, or when the answer to its question comes.
    pub(super) fn on_command(
        &mut self,
        name: Box<str>,
        nonce: Option<Nonce>,
        command: Option<Result<Command, BadField>>,
        turn: &mut Turn<'_>,
    ) {
        let mut label = Label { name, nonce };
        match command {
            None => {
                label.shorten();
                let message = "unknown command: the protocol's page lists those that there are";
                label.refuse(&Refusal::new(ErrorCode::UnknownCommand, message), turn);
            }
            Some(Err(bad)) => {
                let message = format!("{} was not understood: {bad}", label.name);
                label.refuse(&Refusal::new(ErrorCode::BadRequest, message), turn);
            }
            Some(Ok(Command::ConnectGuild { token, guild })) => {
                let user = self.user();
                let ask = Ask::ConnectGuild { token, guild, user };
                self.ask(label, About::ConnectGuild, ask, turn);
            }
            Some(Ok(Command::DisconnectGuild { guild })) => {
                self.on_disconnect_guild(label, guild, turn);
            }
            Some(Ok(Command::NotificationsAck { ids })) => {
                self.on_notifications_ack(label, ids, turn);
            }
            Some(Ok(Command::Application(command))) => {
                self.on_application(label, command, turn);
            }
        }
    }

    fn on_disconnect_guild(&mut self, label: Label, guild: GuildId, turn: &mut Turn<'_>) {
        if self.guild == Some(guild) {
            self.guild = None;
            turn.out.push(Output::Unsubscribe(guild));
            label.answer(&serde_json::json!({ "success": true }), turn);
            return;
        }
        let message = match self.guild {
            Some(other) => {
                format!("cannot leave guild {guild}: this connection is on guild {other}")
            }
            None => format!("cannot leave guild {guild}: this connection is on no guild"),
        };
        label.refuse(&Refusal::new(ErrorCode::NotConnected, message), turn);
    }

    fn on_notifications_ack(
        &mut self,
        label: Label,
        ids: Vec<NotificationId>,
        turn: &mut Turn<'_>,
    ) {
        let Some(session) = self.stage.session_mut() else {
            label.refuse_basic(turn);
            return;
        };
        // From here on, whether or not the client lives to hear the answer.
        session.notices.acknowledge(&ids);
        let user = session.user;
        self.outbox.forget_notifications(&ids);
        let about = About::Acknowledge(ids.clone().into());
        self.ask(label, about, Ask::Acknowledge { user, ids }, turn);
    }

    fn on_application(&mut self, label: Label, command: ApplicationCommand, turn: &mut Turn<'_>) {
        let Some(session) = self.stage.session() else {
            label.refuse_basic(turn);
            return;
        };
        let about = match &command {
            ApplicationCommand::Start { guild, .. } => {
                let open = &session.application_sessions;
                if open.len() >= APPLICATION_SESSIONS_MAX && !open.contains(guild) {
                    let message = format!(
                        "this connection edits {APPLICATION_SESSIONS_MAX} applications already: \
                         end one of those sessions first"
                    );
                    label.refuse(&Refusal::new(ErrorCode::TooLarge, message), turn);
                    return;
                }
                About::StartApplicationSession(*guild)
            }
            ApplicationCommand::End { guild } => About::EndApplicationSession(*guild),
            ApplicationCommand::Patch { .. }
            | ApplicationCommand::Reauth { .. }
            | ApplicationCommand::Heartbeat { .. }
            | ApplicationCommand::Submit { .. }
            | ApplicationCommand::Review { .. } => About::Application,
        };
        let ask = Ask::Application {
            user: session.user,
            token: session.token,
            nonce: label.nonce.clone(),
            command,
        };
        self.ask(label, about, ask, turn);
    }

    fn ask(&mut self, label: Label, about: About, ask: Ask, turn: &mut Turn<'_>) {
        self.asked = Some(Box::new(Asked {
            name: label.name,
            nonce: label.nonce,
            about,
            since: turn.now.mono,
            asker: Asker::Here,
        }));
        turn.out.push(Output::Ask(ask));
    }
}

impl Label {
    fn answer(self, data: &impl serde::Serialize, turn: &mut Turn<'_>) {
        let text = command_answer(&self.name, self.nonce.as_ref(), data);
        turn.out.push(Output::Send(text.into()));
    }

    fn refuse(self, refusal: &Refusal, turn: &mut Turn<'_>) {
        let text = refusal.to_text(&self.name, self.nonce.as_ref());
        turn.out.push(Output::Send(text));
    }

    fn refuse_basic(self, turn: &mut Turn<'_>) {
        let message = format!(
            "{} needs a user: authenticate with a gateway-user token and its user's id",
            self.name
        );
        self.refuse(&Refusal::new(ErrorCode::NotAuthenticated, message), turn);
    }

    fn shorten(&mut self) {
        if self.name.len() > UNKNOWN_NAME_BYTES_MAX {
            let end = self.name.floor_char_boundary(UNKNOWN_NAME_BYTES_MAX);
            self.name = self.name[..end].into();
        }
    }
}

impl Refusal {
    /// Opcode 7 for the command of this name and mark.
    pub(super) fn to_text(&self, name: &str, nonce: Option<&Nonce>) -> Box<str> {
        let details = self.details.as_deref();
        command_error(name, nonce, self.code, &self.message, details).into()
    }
}
