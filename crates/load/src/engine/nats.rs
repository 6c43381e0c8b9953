//! NATS from a subscriber's end, as much as a load generator needs.
//!
//! Source: NATS documentation, "Client Protocol" and "WebSocket Support": the same bytes as over
//! TCP, in binary frames whose borders mean nothing.

use super::{Engine, Seen, Stage, Watch, frame};

impl Engine {
    /// Deals with one binary frame of a NATS server; whether the link lives on.
    pub(super) fn on_nats(&mut self, id: usize, payload: &[u8], watch: &mut impl Watch) -> bool {
        let mut kept = std::mem::take(&mut self.links[id].unfinished);
        let mut bytes = payload;
        if !kept.is_empty() {
            kept.extend_from_slice(payload);
            bytes = &kept;
        }
        while let Some((operation, length)) = find(bytes) {
            bytes = &bytes[length..];
            let said = match operation {
                Operation::Message(text) => {
                    watch.on(id, Seen::Event(text));
                    Ok(())
                }
                Operation::Info if self.links[id].stage == Stage::Authenticating => {
                    self.links[id].stage = Stage::Connecting;
                    self.write(id, frame::BINARY, SUBSCRIBE)
                }
                Operation::Pong if self.links[id].stage == Stage::Connecting => {
                    self.links[id].stage = Stage::Live;
                    watch.on(id, Seen::Live { resumed: false });
                    Ok(())
                }
                Operation::Ping => self.write(id, frame::BINARY, PONG),
                Operation::Error => return false,
                Operation::Info | Operation::Pong | Operation::Other => Ok(()),
            };
            if said.is_err() {
                return false;
            }
        }
        let rest = bytes.to_vec();
        self.links[id].unfinished = rest;
        true
    }
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// The first it says.
    Info,
    /// What was published.
    Message(&'a [u8]),
    /// To be answered with [`PONG`].
    Ping,
    /// All that was sent before the ping is done.
    Pong,
    /// It will say no more.
    Error,
    /// Nothing that concerns a subscriber.
    Other,
}

/// The operation at the head of `bytes` and its length; none if it is not all there yet.
pub fn find(bytes: &[u8]) -> Option<(Operation<'_>, usize)> {
    let line_end = memchr::memmem::find(bytes, b"\r\n")?;
    let (line, start) = (&bytes[..line_end], line_end + 2);
    let word = line.split(|&byte| byte == b' ').next().unwrap_or(line);
    let operation = match word {
        b"MSG" => {
            let Some(length) = last_number(line) else {
                return Some((Operation::Error, start));
            };
            let end = start.checked_add(length)?;
            let payload = bytes.get(start..end)?;
            // The payload has a line's end of its own.
            bytes.get(end..end + 2)?;
            return Some((Operation::Message(payload), end + 2));
        }
        b"INFO" => Operation::Info,
        b"PING" => Operation::Ping,
        b"PONG" => Operation::Pong,
        b"-ERR" => Operation::Error,
        _ => Operation::Other,
    };
    Some((operation, start))
}

fn last_number(line: &[u8]) -> Option<usize> {
    let word = line.rsplit(|&byte| byte == b' ').next()?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// What a subscriber says first; the answer to its ping tells that it is subscribed.
pub const SUBSCRIBE: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB load 1\r\nPING\r\n";
/// The answer to a ping.
pub const PONG: &[u8] = b"PONG\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_once_they_are_whole() {
        let bytes = b"INFO {\"a\":1}\r\nMSG load 1 5\r\na\r\nbc\r\nPING\r\n";
        let mut found = Vec::new();
        let mut begin = 0;
        for end in 0..=bytes.len() {
            if let Some((operation, length)) = find(&bytes[begin..end]) {
                found.push(operation);
                begin += length;
            }
        }
        let message = Operation::Message(b"a\r\nbc");
        assert_eq!(found, [Operation::Info, message, Operation::Ping]);
        assert_eq!(begin, bytes.len());
    }

    #[test]
    fn a_message_may_name_where_to_answer() {
        let found = find(b"MSG load 1 inbox 2\r\nab\r\n");
        assert_eq!(found, Some((Operation::Message(b"ab"), 24)));
        let wrong = find(b"MSG load 1 x\r\n");
        assert_eq!(wrong, Some((Operation::Error, 14)));
    }
}
