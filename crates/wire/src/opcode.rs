//! The eight opcodes.

/// Which end may send an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Only the server.
    Server,
    /// Only the client.
    Client,
    /// A client that writes an APPLICATION_SESSION command as the source text does, and the
    /// server with its answers.
    Both,
}

/// What a frame is.
///
/// Source: wire protocol, "Opcodes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Opcode {
    /// The first frame on every connection.
    RequestAuth = 0,
    /// Who the client is.
    Authenticate = 1,
    /// The client is let in.
    Authenticated = 2,
    /// The server asks for a sign of life.
    Heartbeat = 3,
    /// The client gives one.
    HeartbeatReply = 4,
    /// Something happened.
    Event = 5,
    /// The client wants something.
    Command = 6,
    /// What became of it.
    CommandResponse = 7,
}

impl Opcode {
    /// Every opcode, in order.
    pub const ALL: [Opcode; 8] = [
        Opcode::RequestAuth,
        Opcode::Authenticate,
        Opcode::Authenticated,
        Opcode::Heartbeat,
        Opcode::HeartbeatReply,
        Opcode::Event,
        Opcode::Command,
        Opcode::CommandResponse,
    ];

    /// The opcode with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Opcode> {
        usize::try_from(number)
            .ok()
            .and_then(|index| Opcode::ALL.get(index).copied())
    }

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Who may send it.
    #[must_use]
    pub fn sender(self) -> Sender {
        match self {
            Opcode::RequestAuth | Opcode::Authenticated | Opcode::Heartbeat | Opcode::Event => {
                Sender::Server
            }
            Opcode::Authenticate | Opcode::HeartbeatReply | Opcode::Command => Sender::Client,
            Opcode::CommandResponse => Sender::Both,
        }
    }

    /// Its name in the documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Opcode::RequestAuth => "REQUEST_AUTH",
            Opcode::Authenticate => "AUTHENTICATE",
            Opcode::Authenticated => "AUTHENTICATED",
            Opcode::Heartbeat => "HEARTBEAT",
            Opcode::HeartbeatReply => "HEARTBEAT_REPLY",
            Opcode::Event => "EVENT",
            Opcode::Command => "COMMAND",
            Opcode::CommandResponse => "COMMAND_RESPONSE",
        }
    }

    /// Its `d`, for the documents.
    #[must_use]
    pub fn data(self) -> &'static str {
        match self {
            Opcode::RequestAuth | Opcode::Heartbeat => "null",
            Opcode::Authenticate => "`{token, uid}`; optional `resume: {session_id, seq}`",
            Opcode::Authenticated => {
                "`{missed_notifications, session_id, heartbeat_interval, resumed}`"
            }
            Opcode::HeartbeatReply => "null, or the last `s` seen",
            Opcode::Event => "by event; the frame also has `ev` and, for a full session, `s`",
            Opcode::Command => "by command; the frame has `cmd` and optional `nonce`",
            Opcode::CommandResponse => {
                "`{for, data}` or `{for, error: {code, message}}`, plus the `nonce` echoed"
            }
        }
    }
}
