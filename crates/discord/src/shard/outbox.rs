//! Commands that wait for the connection or for the send limit.

use std::collections::VecDeque;

use guildgate_model::Mono;

use super::{Command, CommandError, Message, UserOpcodes};
use crate::{
    Intents, MemberRequests, Opcode,
    payload::{ClientPayload, EncodeError, Presence, Status},
};

/// The most commands that may wait, beside requests for members.
pub const COMMANDS_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Outbox {
    /// Only the latest presence counts.
    presence: Option<Message>,
    queue: VecDeque<Message>,
    pub(super) requests: MemberRequests,
}

impl Outbox {
    pub(super) fn new(tag: u32) -> Outbox {
        Outbox {
            presence: None,
            queue: VecDeque::new(),
            requests: MemberRequests::new(tag),
        }
    }

    /// Takes a command; answers with the presence that the next IDENTIFY should carry, if it
    /// was one.
    pub(super) fn push(
        &mut self,
        command: Command,
        intents: Intents,
        user_opcodes: UserOpcodes,
    ) -> Result<Option<Presence>, CommandError> {
        let payload = match command {
            Command::Presence(presence) => {
                let payload = ClientPayload::Presence(presence.clone());
                self.presence = Some(message(&payload)?);
                return Ok(Some(presence));
            }
            Command::WantMembers { guild, users } => {
                self.requests.want(guild, &users)?;
                return Ok(None);
            }
            Command::RequestMembers(request) => {
                message(&ClientPayload::RequestMembers(request.clone()))?;
                self.requests.push(request, intents)?;
                return Ok(None);
            }
            Command::VoiceState(voice) => ClientPayload::VoiceState(voice),
            Command::RequestSoundboardSounds(request) => {
                ClientPayload::RequestSoundboardSounds(request)
            }
            Command::RequestChannelInfo(request) => ClientPayload::RequestChannelInfo(request),
            Command::VoicePing => allowed(ClientPayload::VoicePing, user_opcodes)?,
            Command::GuildSync(guilds) => allowed(ClientPayload::GuildSync(guilds), user_opcodes)?,
        };
        if self.queue.len() >= COMMANDS_MAX {
            return Err(CommandError::Full(COMMANDS_MAX));
        }
        self.queue.push_back(message(&payload)?);
        Ok(None)
    }

    /// The next message to send. Its turn is used up.
    pub(super) fn next(&mut self, now: Mono) -> Option<Message> {
        if let Some(presence) = self.presence.take() {
            return Some(presence);
        }
        if let Some(message) = self.queue.pop_front() {
            return Some(message);
        }
        let request = self.requests.next(now)?;
        let op = Opcode::RequestMembers;
        // It was measured without its nonce; a hundred ids and a nonce are far from the bound,
        // and a query that only its nonce takes past it is not worth a connection.
        ClientPayload::RequestMembers(request)
            .encode()
            .ok()
            .map(|text| Message { op, text })
    }

    /// When there is something to send.
    pub(super) fn next_at(&self) -> Option<Mono> {
        if self.presence.is_some() || !self.queue.is_empty() {
            Some(Mono::ZERO)
        } else {
            self.requests.next_at()
        }
    }

    /// A session that another process began shows what that one said: it is shown anew, or as
    /// plainly online, once it goes on.
    pub(super) fn on_taken_over(&mut self, presence: Option<&Presence>) {
        let online = Presence {
            since: None,
            activities: Vec::new(),
            status: Status::Online,
            afk: false,
        };
        let presence = presence.unwrap_or(&online).clone();
        // One that is too large is left out, as it is of IDENTIFY.
        self.presence = message(&ClientPayload::Presence(presence)).ok();
    }

    /// IDENTIFY carries the presence.
    pub(super) fn on_identified(&mut self) {
        self.presence = None;
    }
}

fn allowed(
    payload: ClientPayload,
    user_opcodes: UserOpcodes,
) -> Result<ClientPayload, CommandError> {
    match user_opcodes {
        UserOpcodes::Allow => Ok(payload),
        UserOpcodes::Refuse => Err(CommandError::UserOnly(payload.op())),
    }
}

pub(super) fn message(payload: &ClientPayload) -> Result<Message, EncodeError> {
    Ok(Message {
        op: payload.op(),
        text: payload.encode()?,
    })
}
