//! One connection's TLS, that owns no buffer while nothing is under way.
//!
//! The library's usual connection keeps a read buffer for as long as it lives, which is most of
//! what an idle client would cost. Here all connections of a thread read and seal in the same
//! two buffers, and a connection keeps bytes only while it must: of a record that is not whole,
//! of what was opened and not yet asked for, of what was sealed and the kernel did not take.
//!
//! It drives any socket that does not block: the HTTP side's, on the runtime, until the upgrade,
//! and the shard's after it.

use std::{
    cell::RefCell,
    fmt,
    io::{self, ErrorKind, Read, Write},
    sync::Arc,
};

use rustls::{
    InvalidMessage, ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, WriteTraffic},
};

use super::transport::retry;

/// The server's side of one connection, beginning with its handshake.
pub struct TlsSession {
    connection: UnbufferedServerConnection,
    hearing: Hearing,
    /// What came of records and messages that are not whole.
    partial: Vec<u8>,
    /// What was opened and not yet read.
    opened: Vec<u8>,
    /// What was sealed and not yet sent, in order. Nothing more is sealed before it is out.
    sealed: Vec<u8>,
}

/// Whether the client is still listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    On,
    /// It has said that no more comes, or has just hung up.
    Ended,
    /// It broke TLS. The library is not to be asked again.
    Failed,
}

/// What is to be sealed once the library has nothing else to do.
enum Seal<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// That nothing more will come.
    Close,
}

/// What the connections of one thread share.
#[derive(Default)]
struct Shared {
    /// Longer than what is in it: clearing it for each use would cost as much as a short record.
    incoming: Vec<u8>,
    outgoing: Outgoing,
}

/// What is sealed, on its way to a socket.
#[derive(Default)]
struct Outgoing {
    /// Longer than what is in it, as above.
    room: Vec<u8>,
    len: usize,
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::default();
}

impl TlsSession {
    /// A session that waits for the client's first word.
    ///
    /// # Errors
    /// If the configuration does not do.
    pub fn new(config: Arc<ServerConfig>) -> Result<TlsSession, rustls::Error> {
        Ok(TlsSession {
            connection: UnbufferedServerConnection::new(config)?,
            hearing: Hearing::On,
            partial: Vec::new(),
            opened: Vec::new(),
            sealed: Vec::new(),
        })
    }

    /// Goes on with the handshake until it is done and all of it is sent.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the socket has to be waited for; whatever else ends the
    /// connection, and the client has been told if there was a way to.
    pub fn handshake(&mut self, socket: &mut (impl Read + Write)) -> io::Result<()> {
        loop {
            self.push(socket)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            self.receive(socket, &mut [])?;
            if self.hearing == Hearing::Ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads what the client has said; 0 is the end, whether it said so or just hung up.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is nothing yet; whatever else ends the connection.
    pub fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            if !self.opened.is_empty() {
                let len = self.opened.len().min(buffer.len());
                buffer[..len].copy_from_slice(&self.opened[..len]);
                discard(&mut self.opened, len);
                return Ok(len);
            }
            if self.hearing == Hearing::Ended {
                return Ok(0);
            }
            let len = self.receive(socket, buffer)?;
            if len > 0 {
                return Ok(len);
            }
        }
    }

    /// Takes as much of `bytes` as goes out now, or is sure to go out by later calls.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if what was taken before is still not out; whatever else ends
    /// the connection.
    pub fn write(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        // Nothing is sealed while sealed bytes wait: they are the bound on what waits.
        self.push(socket)?;
        let mut taken = 0;
        for some in bytes.chunks(SEALED_AT_ONCE_MAX) {
            self.seal(socket, Seal::Bytes(some))?;
            taken += some.len();
            if self.has_unsent() {
                break;
            }
        }
        Ok(taken)
    }

    /// Sends what was sealed before.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if some of it is still not out; whatever else ends the
    /// connection.
    pub fn push(&mut self, socket: &mut impl Write) -> io::Result<()> {
        if self.sealed.is_empty() {
            return Ok(());
        }
        let sent = send(socket, &self.sealed)?;
        discard(&mut self.sealed, sent);
        if self.has_unsent() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    /// Whether sealed bytes wait for [`TlsSession::push`].
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Says that nothing more comes, once, and sends all that waits.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if some of it is still not out, and this is to be called again;
    /// whatever else ends the connection.
    pub fn finish(&mut self, socket: &mut impl Write) -> io::Result<()> {
        self.push(socket)?;
        if self.hearing != Hearing::Failed {
            self.seal(socket, Seal::Close)?;
        }
        self.push(socket)
    }

    /// Reads the socket once and opens what has become whole, into `buffer` as far as it has
    /// room; how much of that was filled.
    fn receive(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if self.hearing == Hearing::Failed {
            return Err(broken());
        }
        SHARED.with_borrow_mut(|Shared { incoming, outgoing }| {
            let kept = self.partial.len();
            let end = kept + READ_BYTES;
            if incoming.len() < end {
                incoming.resize(end, 0);
            }
            let came = retry(|| socket.read(&mut incoming[kept..end]))?;
            if came == 0 {
                self.hearing = Hearing::Ended;
                return Ok(0);
            }
            incoming[..kept].copy_from_slice(&self.partial);
            outgoing.len = 0;
            let opened = self.open(&mut incoming[..kept + came], buffer, outgoing);
            self.sealed.extend_from_slice(outgoing.bytes());
            // An answer, or why it ends, goes out here; what blocks goes with the next write.
            match (opened, self.push(socket)) {
                (Err(error), _) => Err(io::Error::new(ErrorKind::InvalidData, error)),
                (Ok(_), Err(error)) if error.kind() != ErrorKind::WouldBlock => Err(error),
                (Ok(filled), _) => Ok(filled),
            }
        })
    }

    /// Opens what is whole of `records`, and keeps the rest.
    fn open(
        &mut self,
        records: &mut [u8],
        buffer: &mut [u8],
        out: &mut Outgoing,
    ) -> Result<usize, rustls::Error> {
        let Turned { used, filled } = self.turn(records, buffer, out, Seal::Nothing)?;
        let rest = &records[used..];
        if rest.len() > PARTIAL_BYTES_MAX {
            self.hearing = Hearing::Failed;
            self.partial = Vec::new();
            return Err(InvalidMessage::HandshakePayloadTooLarge.into());
        }
        self.partial = rest.to_vec();
        Ok(filled)
    }

    /// Seals something and sends it as far as the socket takes it. Nothing sealed may wait.
    fn seal(&mut self, socket: &mut impl Write, seal: Seal<'_>) -> io::Result<()> {
        if self.hearing == Hearing::Failed {
            return Err(broken());
        }
        SHARED.with_borrow_mut(|Shared { outgoing, .. }| {
            outgoing.len = 0;
            // The library counts on what it has seen the beginning of.
            let mut partial = std::mem::take(&mut self.partial);
            let turned = self.turn(&mut partial, &mut [], outgoing, seal);
            if let Ok(Turned { used, .. }) = turned {
                discard(&mut partial, used);
                self.partial = partial;
            }
            let sent = send(socket, outgoing.bytes());
            self.sealed = outgoing.bytes()[*sent.as_ref().unwrap_or(&0)..].to_vec();
            sent?;
            turned.map(|_| ()).map_err(io::Error::other)
        })
    }

    /// Lets the library go on until it has nothing more to do, then seals. What is opened goes
    /// into `buffer`, what that has no room for is kept; what is to be sent goes behind `out`.
    fn turn(
        &mut self,
        records: &mut [u8],
        buffer: &mut [u8],
        out: &mut Outgoing,
        seal: Seal<'_>,
    ) -> Result<Turned, rustls::Error> {
        let mut turned = Turned::default();
        let ended = loop {
            let status = self
                .connection
                .process_tls_records(&mut records[turned.used..]);
            let used = status.discard;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        let room = &mut buffer[turned.filled..];
                        turned.filled += hand_out(record.payload, room, &mut self.opened);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                // It is ahead of all that comes later.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.hearing = Hearing::Ended,
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    turned.used += used;
                    break seal_traffic(traffic, seal, out);
                }
                Ok(_) => {
                    turned.used += used;
                    break match seal {
                        Seal::Nothing | Seal::Close => Ok(()),
                        Seal::Bytes(_) => Err(rustls::Error::HandshakeNotComplete),
                    };
                }
                Err(error) => break Err(error),
            }
            turned.used += used;
        };
        if ended.is_err() {
            self.hearing = Hearing::Failed;
            self.partial = Vec::new();
            self.last_words(out);
        }
        ended.map(|()| turned)
    }

    /// Puts why the connection ends behind `out`.
    fn last_words(&mut self, out: &mut Outgoing) {
        while self.connection.wants_write() {
            match self.connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                _ => return,
            }
        }
    }
}

impl fmt::Debug for TlsSession {
    /// Without what was opened, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("hearing", &self.hearing)
            .finish_non_exhaustive()
    }
}

/// What came of a turn.
#[derive(Debug, Default)]
struct Turned {
    /// How much of the records is not needed any more.
    used: usize,
    /// How much of the reader's buffer has been filled.
    filled: usize,
}

impl Outgoing {
    fn bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }

    /// Adds what `write` puts into the room it is given, which is `room` at least, or as much
    /// as it asks for instead; nothing if it cannot.
    fn append(
        &mut self,
        mut room: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> Option<()> {
        loop {
            if self.room.len() < self.len + room {
                self.room.resize(self.len + room, 0);
            }
            let free = &mut self.room[self.len..];
            let given = free.len();
            match write(free) {
                Ok(written) => {
                    self.len += written;
                    return Some(());
                }
                Err(needed) => room = needed.filter(|needed| *needed > given)?,
            }
        }
    }
}

/// Puts what was opened where the reader wants it, and the rest aside; how much the reader got.
fn hand_out(payload: &[u8], room: &mut [u8], aside: &mut Vec<u8>) -> usize {
    let len = if aside.is_empty() {
        payload.len().min(room.len())
    } else {
        0
    };
    room[..len].copy_from_slice(&payload[..len]);
    aside.extend_from_slice(&payload[len..]);
    len
}

fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, out: &mut Outgoing) {
    let encoded = out.append(0, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(more) => Some(more.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    });
    debug_assert!(encoded.is_some(), "each is encoded once");
}

fn seal_traffic(
    mut traffic: WriteTraffic<'_, ServerConnectionData>,
    seal: Seal<'_>,
    out: &mut Outgoing,
) -> Result<(), rustls::Error> {
    let needed = |error| match error {
        EncryptError::InsufficientSize(more) => Some(more.required_size),
        EncryptError::EncryptExhausted => None,
    };
    let sealed = match seal {
        Seal::Nothing => return Ok(()),
        Seal::Bytes(bytes) => out.append(bytes.len() + ROOM_BESIDE, |room| {
            traffic.encrypt(bytes, room).map_err(needed)
        }),
        Seal::Close => out.append(ROOM_BESIDE, |room| {
            traffic.queue_close_notify(room).map_err(needed)
        }),
    };
    sealed.ok_or(rustls::Error::EncryptError)
}

/// Writes until all is out or the socket takes no more; how much that was. A socket that fails
/// in the middle of it fails again.
fn send(socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match retry(|| socket.write(&bytes[sent..])) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) if sent > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Forgets the first bytes, and gives the room back with the last of them.
fn discard(bytes: &mut Vec<u8>, len: usize) {
    if len == bytes.len() {
        *bytes = Vec::new();
    } else {
        bytes.drain(..len);
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the client has broken TLS before")
}

/// Read from a socket at once.
const READ_BYTES: usize = 16 * 1024;
/// Most that is kept of what is not whole: the library takes no longer message of a handshake,
/// and a record ends long before.
const PARTIAL_BYTES_MAX: usize = 64 * 1024;
/// Sealed before it is seen whether the socket takes it, and so the most that waits sealed,
/// beside what the library answers on its own.
const SEALED_AT_ONCE_MAX: usize = 32 * 1024;
/// Room for what records take beside what they carry, and for an answer in front.
const ROOM_BESIDE: usize = 128;

#[cfg(test)]
mod tests;
