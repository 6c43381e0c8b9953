//! One gateway connection's task: what waits is written, what comes is handed in.

use std::{io, sync::Arc, time::Duration};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tokio_websockets::{CloseCode, Limits, Message, ServerBuilder};

use super::{
    Link, Shared,
    compress::Packer,
    paced::{Harm, Paced},
};
use crate::gateway::{Close, Compression, ConnectionId, Corruption, Opening, Outgoing};

/// What is needed to serve a socket.
#[derive(Debug, Clone)]
pub(super) struct Sockets {
    pub(super) shared: Arc<Shared>,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Sockets {
    /// Serves a connection from its upgrade to its end, in a task of its own.
    pub(super) fn serve(&self, upgrade: OnUpgrade, opening: Opening) {
        let Sockets {
            shared,
            stopping,
            tasks,
        } = self.clone();
        tasks.spawn(async move {
            match upgrade.await {
                Ok(stream) => serve(&shared, &stopping, TokioIo::new(stream), opening).await,
                Err(error) => tracing::debug!(%error, "an upgrade failed"),
            }
        });
    }
}

async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    stopping: &CancellationToken,
    stream: T,
    opening: Opening,
) {
    let id = shared.with(|discord| discord.open(opening));
    let link = shared.link(id);
    if shared.with(|discord| discord.is_closed(id)) {
        // It was refused for its URL, before its link could be told.
        link.ended.cancel();
    }
    let harm = Arc::new(Harm::default());
    let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES_MAX));
    let socket = ServerBuilder::new().limits(limits).serve(Paced::new(
        stream,
        harm.clone(),
        shared.clock.clone(),
    ));
    let (sink, stream) = socket.split();
    let over = async {
        tokio::select! {
            () = link.ended.cancelled() => {}
            () = stopping.cancelled() => {}
        }
        tokio::time::sleep(END_GRACE).await;
    };
    let code = tokio::select! {
        code = read(shared, id, stream) => code,
        ended = write(shared, id, &link, &harm, sink) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a gateway socket broke");
            }
            None
        }
        () = over => None,
    };
    shared.with(|discord| discord.gone(id, code));
    shared.unlink(id);
}

/// Hands in what comes, until the socket ends; the client's close code if it sent one.
async fn read(
    shared: &Shared,
    id: ConnectionId,
    mut stream: impl Stream<Item = Result<Message, tokio_websockets::Error>> + Unpin,
) -> Option<u16> {
    let mut code = None;
    while let Some(Ok(message)) = stream.next().await {
        if message.is_text() || message.is_binary() {
            shared.with(|discord| discord.frame(id, message.as_payload()));
        } else if let Some((given, _)) = message.as_close() {
            // The loop goes on: the next poll sends the close frame back.
            code = Some(given.into());
        }
    }
    code
}

/// Writes what waits. Comes back when the socket is to be dropped; after a close frame it
/// waits for the client's.
async fn write(
    shared: &Shared,
    id: ConnectionId,
    link: &Link,
    harm: &Harm,
    mut sink: impl Sink<Message, Error = tokio_websockets::Error> + Unpin,
) -> Result<(), WriteError> {
    let (mut compression, payload_min, zlib_split) = shared.with(|discord| {
        let settings = &discord.settings;
        (
            discord.compression(id),
            settings.payload_compression_min,
            settings.zlib_split,
        )
    });
    let mut packer = Packer::new(compression)?;
    loop {
        let batch = shared.with(|discord| {
            // IDENTIFY may have asked for compression meanwhile.
            compression = discord.compression(id);
            discord.pull(id)
        });
        if batch.is_empty() {
            link.wake.notified().await;
            continue;
        }
        for outgoing in batch {
            match outgoing {
                Outgoing::Text(_) | Outgoing::Dispatch(..) => {
                    let text = outgoing.text().unwrap_or_default();
                    for message in packer.pack(text, compression, payload_min, zlib_split)? {
                        sink.feed(message).await?;
                    }
                }
                Outgoing::Pace(pace) => {
                    sink.flush().await?;
                    harm.set_pace(pace);
                }
                Outgoing::Corrupt(corruption) => {
                    corrupt(&mut sink, harm, corruption, compression).await?
                }
                Outgoing::End(Close::Drop) => return Ok(()),
                Outgoing::End(Close::With(close)) => {
                    let Ok(code) = CloseCode::try_from(close.code) else {
                        return Ok(());
                    };
                    sink.send(Message::close(Some(code), close.reason)).await?;
                    std::future::pending::<()>().await;
                }
            }
        }
        sink.flush().await?;
    }
}

async fn corrupt(
    sink: &mut (impl Sink<Message, Error = tokio_websockets::Error> + Unpin),
    harm: &Harm,
    corruption: Corruption,
    compression: Compression,
) -> Result<(), WriteError> {
    match (corruption, compression) {
        (Corruption::Json, Compression::None | Compression::Payload)
        | (Corruption::Compression, Compression::None) => {
            sink.send(Message::text(r#"{"t":"GUILD_UPDATE","s":"#))
                .await?;
        }
        (Corruption::Json | Corruption::Compression, _) => {
            sink.send(Message::binary(&UNDECODABLE[..])).await?;
        }
        (Corruption::Frame, _) => {
            sink.flush().await?;
            // All reserved bits and a reserved opcode; the ping only pushes it out.
            harm.inject(&[0xFF, 0x00]);
            sink.send(Message::ping("")).await?;
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("cannot write to a gateway socket")]
    Socket(#[from] tokio_websockets::Error),
    #[error("cannot compress a message")]
    Compress(#[from] io::Error),
}

/// A block of the kind that is reserved, in deflate's three bits as in zstd's, and what ends a
/// zlib message.
const UNDECODABLE: [u8; 8] = [0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF];
/// How long an ended connection's client has to answer before its socket is dropped.
const END_GRACE: Duration = Duration::from_secs(2);
/// The longest message that is read at all; what is above Discord's limit is closed with 4002.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
