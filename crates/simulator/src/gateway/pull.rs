//! What a connection's driver takes to send.

use std::sync::Arc;

use super::{
    Close, CloseCode, ConnectionId, Corruption, Discord,
    connection::{Compression, Control, Phase},
};
use crate::event::Dispatch;

/// One thing for a driver to do, in order.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Send this message.
    Text(Box<str>),
    /// Send this dispatch with this number.
    Dispatch(u64, Arc<Dispatch>),
    /// Send a broken message.
    Corrupt(Corruption),
    /// Write no faster than this from here on.
    Pace(Option<u32>),
    /// End the socket.
    End(Close),
}

impl Outgoing {
    /// The message as it goes out, before compression; none if it is no message.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Outgoing::Text(text) => Some(text.to_string()),
            Outgoing::Dispatch(seq, dispatch) => Some(format!(
                r#"{{"t":"{}","s":{seq},"op":0,"d":{}}}"#,
                dispatch.name, dispatch.data
            )),
            Outgoing::Corrupt(_) | Outgoing::Pace(_) | Outgoing::End(_) => None,
        }
    }
}

impl Discord {
    /// Takes what waits for a connection, up to about [`PULL_BYTES`]; empty when nothing does.
    pub(crate) fn pull(&mut self, id: ConnectionId) -> Vec<Outgoing> {
        let mut out = Vec::new();
        let now = self.now.mono;
        let Some(connection) = self.connections.get_mut(&id) else {
            return out;
        };
        if connection.held_until.is_some_and(|until| until > now) {
            return out;
        }
        connection.held_until = None;
        while let Some(control) = connection.control.pop_front() {
            out.push(match control {
                Control::Text(text) => Outgoing::Text(text),
                Control::Corrupt(corruption) => Outgoing::Corrupt(corruption),
                Control::Pace(pace) => Outgoing::Pace(pace),
                Control::End(close) => Outgoing::End(close),
            });
        }
        let key = match &connection.phase {
            Phase::Live(key) => key.clone(),
            Phase::Waiting | Phase::Closed => return out,
        };
        let mut bytes = 0;
        while bytes < PULL_BYTES {
            let Some(session) = self.sessions.get_mut(&key) else {
                break;
            };
            if session.sent < session.forgotten() {
                // It read too slowly: what it still needs is gone.
                self.close(id, CloseCode::UNKNOWN_ERROR);
                break;
            }
            match session.next() {
                Some((seq, dispatch)) => {
                    bytes += dispatch.size();
                    out.push(Outgoing::Dispatch(seq, dispatch));
                }
                None => match session.jobs.pop_front() {
                    Some(job) => self.step(&key, job),
                    None => break,
                },
            }
        }
        out
    }

    /// How a connection's messages are compressed now.
    pub(crate) fn compression(&self, id: ConnectionId) -> Compression {
        self.connections
            .get(&id)
            .map_or(Compression::None, |connection| connection.compression)
    }
}

/// What one pull takes, about, so that the state is not held for long.
const PULL_BYTES: usize = 256 * 1_024;
