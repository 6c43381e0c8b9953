//! One WebSocket to Discord.

use std::{collections::VecDeque, io, pin::Pin, sync::Arc, task::Poll, time::Duration};

use futures_util::{Sink, SinkExt, Stream};
use guildgate_discord::{CloseCode, INFLATED_BYTES_MAX};
use tokio::net::TcpStream;
use tokio_websockets::{
    ClientBuilder, Connector, Limits, MaybeTlsStream, Message, WebSocketStream,
};

use super::UpstreamError;

/// How long a connection that the peer closed may take to be closed by us too.
const FAREWELL: Duration = Duration::from_secs(1);

type Link = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens WebSockets, with TLS where the URL asks for it.
#[derive(Clone)]
pub(super) struct Dialler(Arc<Connector>);

impl Dialler {
    pub(super) fn new() -> Result<Dialler, UpstreamError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| UpstreamError::Tls {
                reason: error.to_string(),
            })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        Ok(Dialler(Arc::new(Connector::Rustls(connector))))
    }

    /// Every address of the host is tried in turn. The machine bounds the time.
    pub(super) async fn dial(self, url: String) -> io::Result<Box<Socket>> {
        let uri: http::Uri = url.parse().map_err(io::Error::other)?;
        let host = uri
            .host()
            .ok_or_else(|| io::Error::other("the gateway's URL names no host"))?
            .trim_start_matches('[')
            .trim_end_matches(']');
        let secure = uri.scheme_str() == Some("wss");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let stream = if secure {
            self.0.wrap(host, stream).await
        } else {
            Connector::Plain.wrap(host, stream).await
        }
        .map_err(io::Error::other)?;
        let limits = Limits::default().max_payload_len(Some(INFLATED_BYTES_MAX));
        let (stream, _) = ClientBuilder::from_uri(uri)
            .limits(limits)
            .connect_on(stream)
            .await
            .map_err(io::Error::other)?;
        Ok(Box::new(Socket {
            stream,
            writes: VecDeque::new(),
            flushing: false,
        }))
    }
}

/// An open WebSocket with what is still to be written. The send limit bounds the queue.
pub(super) struct Socket {
    stream: Link,
    writes: VecDeque<Message>,
    flushing: bool,
}

/// What a socket did.
pub(super) enum Received {
    /// A message.
    Message(Message),
    /// The connection is over.
    Over(Option<CloseCode>),
}

/// Whether to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Open,
    Held,
}

impl Socket {
    pub(super) fn send(&mut self, text: String) {
        self.writes.push_back(Message::text(text));
    }

    pub(super) fn close(&mut self, code: CloseCode) {
        let code = tokio_websockets::CloseCode::try_from(code.0).ok();
        self.writes.push_back(Message::close(code, ""));
    }

    /// Writes what can be written and reads the next message, without one waiting for the other.
    /// Safe to drop and call again.
    pub(super) async fn turn(&mut self, reading: Reading) -> Received {
        std::future::poll_fn(|cx| {
            while !self.writes.is_empty() {
                match Pin::new(&mut self.stream).poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        if let Some(message) = self.writes.pop_front()
                            && Pin::new(&mut self.stream).start_send(message).is_err()
                        {
                            return Poll::Ready(Received::Over(None));
                        }
                        self.flushing = true;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Received::Over(None)),
                    Poll::Pending => break,
                }
            }
            if self.flushing {
                match Pin::new(&mut self.stream).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.flushing = false,
                    Poll::Ready(Err(_)) => return Poll::Ready(Received::Over(None)),
                    Poll::Pending => {}
                }
            }
            if reading == Reading::Held {
                return Poll::Pending;
            }
            loop {
                return match Pin::new(&mut self.stream).poll_next(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Some(Ok(message))) if message.is_ping() || message.is_pong() => {
                        continue;
                    }
                    Poll::Ready(Some(Ok(message))) => Poll::Ready(match message.as_close() {
                        Some((code, _)) => Received::Over(Some(CloseCode(code.into()))),
                        None => Received::Message(message),
                    }),
                    Poll::Ready(Some(Err(_)) | None) => Poll::Ready(Received::Over(None)),
                };
            }
        })
        .await
    }

    /// Answers the peer's close, for a moment, behind the driver's back.
    pub(super) fn bid_farewell(mut self) {
        tokio::spawn(tokio::time::timeout(FAREWELL, async move {
            let _ = self.stream.close().await;
        }));
    }
}
