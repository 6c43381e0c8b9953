//! A socket under TLS on the runtime, from its handshake until it is upgraded or ends.

use std::{
    io::{self, ErrorKind, Read, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::edge::TlsSession;

/// TLS over a socket, the handshake behind it.
#[derive(Debug)]
pub(super) struct TlsStream {
    socket: TcpStream,
    session: TlsSession,
}

impl TlsStream {
    /// Shakes hands.
    pub(super) async fn accept(mut socket: TcpStream, mut session: TlsSession) -> io::Result<Self> {
        std::future::poll_fn(|context| {
            let mut socket = Asked {
                socket: &mut socket,
                context,
            };
            poll(session.handshake(&mut socket))
        })
        .await?;
        Ok(TlsStream { socket, session })
    }

    pub(super) fn into_parts(self) -> (TcpStream, TlsSession) {
        (self.socket, self.session)
    }

    fn with<T>(
        &mut self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut TlsSession, &mut Asked<'_, '_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let socket = &mut self.socket;
        poll(act(&mut self.session, &mut Asked { socket, context }))
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.with(context, |session, socket| {
            session.read(socket, buffer.initialize_unfilled())
        });
        buffer.advance(ready!(read)?);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(context, |session, socket| session.write(socket, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(context, |session, socket| session.push(socket))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.with(context, |session, socket| session.finish(socket)))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    /// Puts short pieces together, so that an answer's head and body are sealed as one.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pieces = pieces.iter().filter(|piece| !piece.is_empty()).peekable();
        let first = pieces.next().map_or(&[][..], |piece| piece);
        if first.len() >= TOGETHER_BYTES_MAX || pieces.peek().is_none() {
            return self.poll_write(context, first);
        }
        let mut together = first.to_vec();
        for piece in pieces {
            let room = TOGETHER_BYTES_MAX - together.len();
            together.extend_from_slice(&piece[..room.min(piece.len())]);
        }
        self.poll_write(context, &together)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// A socket that wakes the task whenever it would have blocked.
struct Asked<'a, 'b> {
    socket: &'a mut TcpStream,
    context: &'a mut Context<'b>,
}

impl Read for Asked<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.socket).poll_read(self.context, &mut buffer) {
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Asked<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.context, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn poll<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}

/// Most of short pieces that is put together for one write: a whole record.
const TOGETHER_BYTES_MAX: usize = 16 * 1024;
