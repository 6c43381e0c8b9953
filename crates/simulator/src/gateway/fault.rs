//! What goes wrong on demand.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Close, CloseCode, ConnectionId, Discord,
    connection::{Acks, Control, Phase},
};

/// Whose connections a fault meets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Everybody's.
    #[default]
    All,
    /// Those of a shard.
    Shard(u32),
    /// That of a session.
    Session(String),
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Op 7, and the connection is closed after that time, or the setting's if none.
    Reconnect {
        /// How long after.
        close_after: Option<Duration>,
    },
    /// Op 9.
    InvalidSession {
        /// Its `d`: whether the session may be resumed.
        resumable: bool,
    },
    /// Heartbeats are not answered any more.
    LoseAcks,
    /// Heartbeats are answered again.
    SendAcks,
    /// Op 1: a heartbeat is asked for.
    AskHeartbeat,
    /// The socket is gone without a close frame.
    Drop,
    /// The connection is closed with this code.
    Close {
        /// Which.
        code: u16,
    },
    /// One broken message.
    Corrupt(Corruption),
    /// From here on at most so many bytes a second; as fast as it goes if none.
    Pace {
        /// How many.
        bytes_per_second: Option<u32>,
    },
    /// From here on everything waits so long before it is sent.
    Delay(Duration),
    /// Sessions are forgotten without a word, so that a later RESUME is refused; sockets drop.
    ForgetSessions,
    /// The token's allowance of IDENTIFYs is full again, and the token good.
    RestoreBudget,
}

/// How a message is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// JSON that ends too early.
    Json,
    /// Bytes that do not decompress; half a JSON text where nothing is compressed.
    Compression,
    /// A WebSocket frame that the protocol does not know.
    Frame,
}

impl Discord {
    /// Lets `fault` happen to `target`; how many connections it met.
    pub(crate) fn fault(&mut self, target: &Target, fault: &Fault) -> usize {
        let ids = self.targets(target);
        for &id in &ids {
            self.fault_one(id, fault);
        }
        if *fault == Fault::RestoreBudget {
            self.budget.restore();
        }
        if *fault == Fault::ForgetSessions {
            // Sessions without a socket die too.
            let keys: Vec<Box<str>> = self
                .sessions
                .keys()
                .filter(|key| self.is_meant(target, key))
                .cloned()
                .collect();
            keys.iter().for_each(|key| self.forget(key));
        }
        ids.len()
    }

    fn targets(&self, target: &Target) -> Vec<ConnectionId> {
        let meant = |id: &&ConnectionId| {
            let connection = &self.connections[*id];
            match (target, &connection.phase) {
                (_, Phase::Closed) => false,
                (Target::All, Phase::Waiting | Phase::Live(_)) => true,
                (Target::Shard(_) | Target::Session(_), Phase::Waiting) => false,
                (Target::Shard(_) | Target::Session(_), Phase::Live(key)) => {
                    self.is_meant(target, key)
                }
            }
        };
        self.connections.keys().filter(meant).copied().collect()
    }

    fn is_meant(&self, target: &Target, key: &str) -> bool {
        match target {
            Target::All => true,
            Target::Shard(shard) => self
                .sessions
                .get(key)
                .is_some_and(|session| session.shard.id == *shard),
            Target::Session(session) => session == key,
        }
    }

    pub(super) fn fault_one(&mut self, id: ConnectionId, fault: &Fault) {
        let now = self.now.mono;
        match fault {
            Fault::Reconnect { close_after } => {
                self.ask_to_reconnect(id);
                if let (Some(after), Some(connection)) =
                    (close_after, self.connections.get_mut(&id))
                {
                    connection.ending = Some((now + *after, Close::With(CloseCode::UNKNOWN_ERROR)));
                }
            }
            Fault::InvalidSession { resumable } => self.invalid_session(id, *resumable),
            Fault::LoseAcks => self.set_acks(id, Acks::Lost),
            Fault::SendAcks => self.set_acks(id, Acks::Sent),
            Fault::AskHeartbeat => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.say(1, &Value::Null);
                }
                self.wake(id);
            }
            Fault::Drop | Fault::ForgetSessions => self.end(id, Close::Drop),
            Fault::Close { code } => self.close(id, CloseCode::of(*code)),
            Fault::Corrupt(corruption) => self.control(id, Control::Corrupt(*corruption)),
            Fault::Pace { bytes_per_second } => self.control(id, Control::Pace(*bytes_per_second)),
            Fault::Delay(delay) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.delay = *delay;
                }
                self.wake(id);
            }
            Fault::RestoreBudget => {}
        }
    }

    fn set_acks(&mut self, id: ConnectionId, acks: Acks) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.acks = acks;
        }
    }
}
