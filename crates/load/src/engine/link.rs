//! One client connection: what it wants to be, and how far it has come.

use std::sync::Arc;

use mio::net::TcpStream;

/// Who a link says it is, and where it wants to be.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The token of opcode 1; none for basic access.
    pub token: Option<Arc<str>>,
    /// The user of opcode 1.
    pub user: Option<u64>,
    /// The guild to connect to, with its token; none to stay without.
    pub guild: Option<(u64, Arc<str>)>,
}

/// What a link does once it has authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Reads all it gets and answers heartbeats.
    Good,
    /// Stops reading once it is on its guild.
    StopsReading,
    /// Reads late what came while it did not, and answers nothing: its socket may be gone at the
    /// other end, which would answer with a reset before all is read.
    ReadsOn,
    /// Never authenticates.
    Mute,
    /// Has nothing to say to a server that speaks no protocol: upgraded is live.
    Listens,
    /// Subscribes on a NATS server, and answers its pings.
    Subscribes,
}

/// How far a link has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The TCP connection is not there yet.
    Dialling,
    /// The upgrade is not answered yet.
    Upgrading,
    /// Opcode 0 or 2 is awaited.
    Authenticating,
    /// CONNECT_GUILD's answer is awaited.
    Connecting,
    /// All is done.
    Live,
}

/// The session of a full link, for a resume.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name.
    pub id: Arc<str>,
    /// The last sequence seen.
    pub sequence: u64,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: TcpStream,
    pub(super) identity: Arc<Identity>,
    pub(super) manner: Manner,
    pub(super) stage: Stage,
    /// Bytes of a frame, or of the upgrade's answer, that is not all there yet.
    pub(super) partial: Vec<u8>,
    /// Of a NATS server: bytes of an operation that is not all there yet.
    pub(super) unfinished: Vec<u8>,
    pub(super) session: Option<Session>,
    pub(super) resume: Option<Session>,
}

impl Link {
    /// The text of opcode 1.
    pub(super) fn authenticate(&self) -> String {
        let token = self.identity.token.as_deref();
        let user = self.identity.user.map(|user| user.to_string());
        let mut data = serde_json::json!({ "token": token, "uid": user });
        if let Some(Session { id, sequence }) = &self.resume {
            data["resume"] = serde_json::json!({ "session_id": &**id, "seq": sequence });
        }
        serde_json::json!({ "op": 1, "d": data }).to_string()
    }

    /// The text of CONNECT_GUILD, if the link wants to be on a guild.
    pub(super) fn connect_guild(&self) -> Option<String> {
        let (guild, token) = self.identity.guild.as_ref()?;
        let data = serde_json::json!({ "gid": guild.to_string(), "token": &**token });
        Some(serde_json::json!({ "op": 6, "cmd": "CONNECT_GUILD", "d": data }).to_string())
    }
}
