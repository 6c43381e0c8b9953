//! What carries a connection's bytes: a socket, a socket under TLS, or nothing but counters.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::tls::TlsSession;

/// A connection's carrier. Never blocks: what cannot be done now is [`ErrorKind::WouldBlock`].
pub enum Transport {
    /// Plain TCP.
    Plain(mio::net::TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
    /// No socket at all: what is written is counted, and nothing comes in but what was
    /// handed over. For measuring the cost of connections beyond the number of files a
    /// process may open.
    Memory(Arc<MemorySink>),
}

impl Transport {
    /// Plain TCP.
    ///
    /// # Errors
    /// If the socket does not take its options.
    pub fn plain(socket: TcpStream) -> io::Result<Transport> {
        prepare(&socket)?;
        Ok(Transport::Plain(mio::net::TcpStream::from_std(socket)))
    }

    /// TLS whose handshake is done.
    ///
    /// # Errors
    /// If the socket does not take its options.
    pub fn tls(socket: TcpStream, session: TlsSession) -> io::Result<Transport> {
        prepare(&socket)?;
        Ok(Transport::Tls(Box::new(TlsStream {
            socket: mio::net::TcpStream::from_std(socket),
            session,
        })))
    }

    /// Starts to report readiness under `token`; edge-triggered, and reported once at once.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self.socket() {
            Some(socket) => {
                registry.register(socket, token, Interest::READABLE | Interest::WRITABLE)
            }
            None => Ok(()),
        }
    }

    /// Reports readiness under another token from now on, and once at once.
    pub(super) fn reregister(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self.socket() {
            Some(socket) => {
                registry.reregister(socket, token, Interest::READABLE | Interest::WRITABLE)
            }
            None => Ok(()),
        }
    }

    /// Ends the reports.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self.socket() {
            Some(socket) => registry.deregister(socket),
            None => Ok(()),
        }
    }

    /// Reads what is there; 0 is the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => retry(|| socket.read(buffer)),
            Transport::Tls(stream) => stream.session.read(&mut stream.socket, buffer),
            Transport::Memory(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Takes as much of `bytes` as goes out now, or is sure to go out by later calls.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => retry(|| socket.write(bytes)),
            Transport::Tls(stream) => stream.session.write(&mut stream.socket, bytes),
            Transport::Memory(sink) => {
                sink.writes.fetch_add(1, Ordering::Relaxed);
                sink.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                #[cfg(test)]
                sink.heard
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    /// Whether reading less than there was room for means that there is no more.
    pub(super) fn is_bare(&self) -> bool {
        match self {
            Transport::Plain(_) | Transport::Memory(_) => true,
            Transport::Tls(_) => false,
        }
    }

    /// Whether bytes that were taken by [`Transport::write`] are still on their way out: a
    /// later write, of nothing if need be, pushes them on.
    pub(super) fn has_unsent(&self) -> bool {
        match self {
            Transport::Plain(_) | Transport::Memory(_) => false,
            Transport::Tls(stream) => stream.session.has_unsent(),
        }
    }

    /// Lets the kernel take all that its buffer has room for, however far behind the client is:
    /// for a socket's last words, which are to be there when it reads again.
    pub(super) fn take_last_words(&mut self) -> io::Result<()> {
        match self.socket() {
            Some(socket) => unsent_at_most(&SockRef::from(&*socket), i32::MAX.unsigned_abs()),
            None => Ok(()),
        }
    }

    /// Says that nothing more will be written; to be said again while [`Transport::has_unsent`].
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.shutdown(Shutdown::Write),
            Transport::Tls(stream) => stream.finish(),
            Transport::Memory(_) => Ok(()),
        }
    }

    fn socket(&mut self) -> Option<&mut mio::net::TcpStream> {
        match self {
            Transport::Plain(socket) => Some(socket),
            Transport::Tls(stream) => Some(&mut stream.socket),
            Transport::Memory(_) => None,
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Plain(_) => "Transport::Plain",
            Transport::Tls(_) => "Transport::Tls",
            Transport::Memory(_) => "Transport::Memory",
        })
    }
}

/// What was written to connections in memory.
#[derive(Debug, Default)]
pub struct MemorySink {
    /// Writes: what would have been system calls.
    pub writes: AtomicU64,
    /// Bytes.
    pub bytes: AtomicU64,
    /// The bytes themselves.
    #[cfg(test)]
    pub heard: std::sync::Mutex<Vec<u8>>,
}

/// TLS over a non-blocking socket.
pub struct TlsStream {
    socket: mio::net::TcpStream,
    session: TlsSession,
}

impl TlsStream {
    /// To be called again until nothing waits.
    fn finish(&mut self) -> io::Result<()> {
        match self.session.finish(&mut self.socket) {
            Ok(()) => self.socket.shutdown(Shutdown::Write),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Makes a socket an edge socket: it never blocks or delays, and the kernel keeps little for a
/// client that does not read, so that its slowness is seen here.
///
/// Left alone, the kernel would take up to 4 MB. What was not sent yet is bounded because it
/// is what a slow reader leaves behind, whatever the way to it is like; the buffer as a whole
/// is bounded because a way on which much is under way costs memory too.
fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    unsent_at_most(&socket, UNSENT_BYTES_MAX)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn unsent_at_most(socket: &SockRef<'_>, bytes: u32) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(bytes)
}

/// Elsewhere the buffer's size is the only bound.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unsent_at_most(_socket: &SockRef<'_>, _bytes: u32) -> io::Result<()> {
    Ok(())
}

/// Size of a socket's send buffer, bytes; Linux doubles it, for its own book-keeping.
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// The kernel takes no more while so many bytes have not been sent.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;

pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
