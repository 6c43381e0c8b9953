//! What others make of bytes, as servers and as clients.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::{
    WebSocket,
    protocol::{Role, WebSocketConfig},
};

use crate::{
    MESSAGE_BYTES_MAX,
    seen::{End, Fault, Said, Seen},
};

/// Which end of the connection a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A socket that gives its bytes in pieces and then ends, and takes whatever is written.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
}

impl Pieces {
    fn new(mut bytes: &[u8], lens: &[usize]) -> Pieces {
        let mut pieces = VecDeque::new();
        let mut lens = lens.iter().cycle();
        while !bytes.is_empty() {
            let len = lens
                .next()
                .map_or(bytes.len(), |&len| len.clamp(1, bytes.len()));
            let (piece, rest) = bytes.split_at(len);
            pieces.push_back(piece.to_vec());
            bytes = rest;
        }
        Pieces { pieces }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front_mut() else {
            return Ok(0);
        };
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Ok(len)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.read(buffer.initialize_unfilled())?;
        buffer.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// tungstenite, limited as the edge is.
pub fn tungstenite(bytes: &[u8], pieces: &[usize], side: Side) -> Seen {
    use tungstenite::{Error, Message};

    let role = match side {
        Side::Client => Role::Client,
        Side::Server => Role::Server,
    };
    let size_max = size_max(side);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(size_max)
        .max_frame_size(size_max);
    let mut peer = WebSocket::from_raw_socket(Pieces::new(bytes, pieces), role, Some(config));
    let mut said = Vec::new();
    let end = loop {
        match peer.read() {
            Ok(Message::Text(text)) => said.push(Said::Text(text.as_bytes().to_vec())),
            Ok(Message::Binary(payload)) => said.push(Said::Binary(payload.to_vec())),
            Ok(Message::Ping(payload)) => said.push(Said::Ping(payload.to_vec())),
            Ok(Message::Pong(_)) => said.push(Said::Pong),
            Ok(Message::Close(None)) => break End::Closed(None),
            // Its word for a code that may not be sent.
            Ok(Message::Close(Some(frame))) if frame.reason == "Protocol violation" => {
                break End::Refused(Fault::Frames);
            }
            Ok(Message::Close(Some(frame))) => break End::Closed(Some(frame.code.into())),
            Ok(Message::Frame(frame)) => panic!("a bare frame: {frame}"),
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => break End::Open,
            Err(Error::Protocol(_)) => break End::Refused(Fault::Frames),
            Err(Error::Utf8(_)) => break End::Refused(Fault::Utf8),
            Err(Error::Capacity(_)) => break End::Refused(Fault::Size),
            Err(error) => panic!("not of the bytes: {error}"),
        }
    };
    Seen { said, end }
}

/// tokio-websockets, limited as the edge is.
pub fn tokio_websockets(bytes: &[u8], pieces: &[usize], side: Side) -> Seen {
    use tokio_websockets::{ClientBuilder, Error, Limits, ServerBuilder, proto::ProtocolError};

    let socket = Pieces::new(bytes, pieces);
    let limits = Limits::default().max_payload_len(size_max(side));
    let mut peer = match side {
        Side::Client => ClientBuilder::new().limits(limits).take_over(socket),
        Side::Server => ServerBuilder::new().limits(limits).serve(socket),
    };
    let mut said = Vec::new();
    let end = loop {
        let next = peer.next().now_or_never().expect("the bytes are all there");
        match next {
            None | Some(Err(Error::Io(_))) => break End::Open,
            Some(Ok(message)) => {
                let payload = message.as_payload().to_vec();
                if let Some((code, _)) = message.as_close() {
                    break End::Closed((!payload.is_empty()).then(|| code.into()));
                }
                said.push(if message.is_ping() {
                    Said::Ping(payload)
                } else if message.is_pong() {
                    Said::Pong
                } else if message.is_text() {
                    Said::Text(payload)
                } else {
                    Said::Binary(payload)
                });
            }
            Some(Err(Error::Protocol(ProtocolError::InvalidUtf8))) => {
                break End::Refused(Fault::Utf8);
            }
            Some(Err(Error::Protocol(_))) => break End::Refused(Fault::Frames),
            Some(Err(Error::PayloadTooLong { .. })) => break End::Refused(Fault::Size),
            Some(Err(error)) => panic!("not of the bytes: {error}"),
        }
    };
    Seen { said, end }
}

/// A client takes whatever the edge sends.
fn size_max(side: Side) -> Option<usize> {
    match side {
        Side::Client => None,
        Side::Server => Some(MESSAGE_BYTES_MAX),
    }
}
