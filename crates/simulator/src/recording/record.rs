//! A gateway connection that only listens, and writes down what it hears.
//!
//! Every decision is [`Shard`]'s: when to beat, that a connection is dead, whether to resume or
//! to begin anew, and how soon. Here are its socket, its clock and the file.

mod ask;
mod keep;

use std::{future::Future, io, pin::Pin};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use guildgate_discord::{
    Backlog, CloseCode, Compression, Epoch, IdentifyQueue, Input, Intents, Note, Output, Permit,
    Refusal, Rng, Shard, ShardConfig, Stopped,
};
use guildgate_model::{Mono, Secret, ShardId};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Limits, MaybeTlsStream, Message, WebSocketStream};

use self::keep::Keeper;
use super::{Direction, Recorder};
use crate::Clock;

/// What to record.
#[derive(Debug, Clone)]
pub struct RecordOptions {
    /// Where Discord, or a simulator, answers: `https://discord.com/api/v10`.
    pub api_url: String,
    /// The bot's token.
    pub token: Secret,
    /// The intents to ask for.
    pub intents: u64,
    /// Which shard to be, and of how many.
    pub shard: (u32, u32),
    /// The clock to go by: the machine's, but for tests.
    pub clock: Clock,
    /// Chance for the waits before dialling again.
    pub seed: u64,
}

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordSummary {
    /// Frames that the gateway sent, each event once.
    pub frames: u64,
    /// Their bytes, before redaction.
    pub bytes: u64,
    /// How often a session began; each cost one of the bot's identifies.
    pub sessions: u64,
    /// How often a session went on after its connection was lost.
    pub resumes: u64,
}

/// Why nothing more could be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The URL is not one.
    #[error("{url:?} is not a URL that can be asked")]
    Url {
        /// Which.
        url: String,
    },
    /// GET /gateway/bot did not work.
    #[error("cannot ask {url} for the gateway: {why}")]
    Gateway {
        /// Where.
        url: String,
        /// What it said.
        why: String,
    },
    /// Dialling again would end the same way.
    #[error("{0}")]
    Refused(Refusal),
    /// The file cannot be written.
    #[error("cannot write the recording")]
    Write(#[from] io::Error),
}

/// Logs in and writes down every frame, until `stop` is ready or the gateway refuses the bot. A
/// connection that is lost is resumed, and a session that is lost begun anew, as
/// [`Shard`] has it; what a resume replays is written once. The connection is uncompressed.
///
/// # Errors
/// [`RecordError`]; what was heard before is in the recording.
pub async fn record(
    options: &RecordOptions,
    recorder: Recorder,
    stop: impl Future<Output = ()>,
) -> Result<RecordSummary, RecordError> {
    let gateway = ask::gateway(options).await?;
    let (id, count) = options.shard;
    let config = ShardConfig {
        intents: Intents(options.intents),
        compression: Compression::None,
        ..ShardConfig::new(
            ShardId { id, count },
            options.token.clone(),
            gateway.url.clone(),
        )
    };
    let now = options.clock.now().mono;
    let mut running = Running {
        clock: options.clock.clone(),
        shard: Shard::new(config, Rng::new(options.seed), None),
        queue: IdentifyQueue::new(now, gateway.limit),
        link: Link::Down,
        keeper: Keeper::new(recorder, now),
        summary: RecordSummary::default(),
        stopped: None,
    };
    let ended = running.run(stop).await;
    running.keeper.finish()?;
    match ended? {
        Stopped::Refused(refusal) => Err(RecordError::Refused(refusal)),
        Stopped::Shutdown | Stopped::Suspended(_) => Ok(running.summary),
    }
}

type Socket = Box<WebSocketStream<MaybeTlsStream<TcpStream>>>;
type Attempt = Pin<Box<dyn Future<Output = Result<Socket, tokio_websockets::Error>> + Send>>;

enum Link {
    Down,
    Dialling { epoch: Epoch, attempt: Attempt },
    Open { epoch: Epoch, socket: Socket },
}

/// What a link did.
enum Turn {
    Dialled(Epoch, Result<Socket, tokio_websockets::Error>),
    Said(Epoch, Message),
    Over(Epoch, Option<CloseCode>),
}

struct Running {
    clock: Clock,
    shard: Shard,
    queue: IdentifyQueue,
    link: Link,
    keeper: Keeper,
    summary: RecordSummary,
    stopped: Option<Stopped>,
}

impl Running {
    async fn run(&mut self, stop: impl Future<Output = ()>) -> io::Result<Stopped> {
        let stop = stop.fuse();
        tokio::pin!(stop);
        self.input(Input::Start).await?;
        loop {
            for Permit { epoch, .. } in self.queue.grant(self.clock.now().mono) {
                self.input(Input::Permit { epoch }).await?;
            }
            if let Some(stopped) = self.stopped.take() {
                return Ok(stopped);
            }
            let deadline = self.deadline();
            tokio::select! {
                biased;
                () = &mut stop => self.input(Input::Shutdown).await?,
                turn = self.link.turn() => self.on_turn(turn).await?,
                // All that arrived has been read: the link was asked first.
                () = until(&self.clock, deadline) => {
                    self.input(Input::Tick { backlog: Backlog::Empty }).await?;
                }
            }
        }
    }

    fn deadline(&self) -> Option<Mono> {
        [self.shard.deadline(), self.queue.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    async fn on_turn(&mut self, turn: Turn) -> io::Result<()> {
        match turn {
            Turn::Dialled(epoch, Ok(socket)) => {
                self.link = Link::Open { epoch, socket };
                self.input(Input::Opened { epoch }).await
            }
            Turn::Dialled(epoch, Err(error)) => {
                tracing::debug!(%error, "dialling failed");
                self.link = Link::Down;
                self.input(Input::DialFailed { epoch }).await
            }
            Turn::Said(epoch, message) => {
                let Some(text) = message.as_text() else {
                    return Ok(());
                };
                if self.keeper.heard(self.clock.now().mono, text)? {
                    self.summary.frames += 1;
                    self.summary.bytes += text.len() as u64;
                }
                let bytes = text.as_bytes();
                self.input(Input::Text { epoch, bytes }).await
            }
            Turn::Over(epoch, code) => {
                self.link = Link::Down;
                self.input(Input::Closed { epoch, code }).await
            }
        }
    }

    async fn input(&mut self, input: Input<'_>) -> io::Result<()> {
        let now = self.clock.now();
        let mut out = Vec::new();
        self.shard.handle(now, input, &mut out);
        for output in out {
            self.perform(now.mono, output).await?;
        }
        Ok(())
    }

    async fn perform(&mut self, now: Mono, output: Output) -> io::Result<()> {
        let shard = self.shard.id();
        match output {
            Output::Dial { epoch, url } => {
                let attempt = Box::pin(dial(url));
                self.link = Link::Dialling { epoch, attempt };
            }
            Output::Send { epoch, message } => {
                self.keeper.push(now, Direction::Out, &message.text)?;
                self.link.send(epoch, Message::text(message.text)).await;
            }
            Output::Close { epoch, code } => {
                let code = tokio_websockets::CloseCode::try_from(code.0).ok();
                self.link.send(epoch, Message::close(code, "")).await;
            }
            Output::Drop { .. } => self.link = Link::Down,
            Output::AskPermit { epoch } => {
                if self.queue.remaining() == 0 {
                    tracing::warn!("the bot's identifies are used up; waiting for the next one");
                }
                self.queue.request(Permit { shard, epoch });
            }
            Output::ReleasePermit { epoch } => self.queue.release(Permit { shard, epoch }),
            // It is written down already, and nothing is asked for: no members, and no
            // privileges where a refusal is the end.
            Output::Event { .. } | Output::Members(_) | Output::AskPrivileges { .. } => {}
            Output::Note(note) => self.on_note(&note),
            Output::Stopped(stopped) => {
                self.link = Link::Down;
                self.stopped = Some(stopped);
            }
        }
        Ok(())
    }

    fn on_note(&mut self, note: &Note) {
        match note {
            Note::Ready { .. } => self.summary.sessions += 1,
            Note::Resumed { replayed } => {
                self.summary.resumes += 1;
                tracing::info!(replayed, "the session goes on");
            }
            Note::Lost(loss) => tracing::warn!(?loss, "the connection is lost; dialling again"),
            Note::SessionDropped => {
                tracing::warn!("the session cannot be resumed; what happens meanwhile is missed");
            }
            Note::BackingOff { delay } => {
                tracing::info!(wait_ms = delay.as_millis(), "waiting before dialling");
            }
            Note::Dialling { .. }
            | Note::HeartbeatAcked { .. }
            | Note::HeartbeatDelayed
            | Note::EventSkipped { .. }
            | Note::UnknownOpcode(_)
            | Note::IntentsDropped(_) => {}
        }
    }
}

impl Link {
    /// The next thing that it does; never, while it is down. Safe to drop and call again.
    async fn turn(&mut self) -> Turn {
        match self {
            Link::Down => std::future::pending().await,
            Link::Dialling { epoch, attempt } => Turn::Dialled(*epoch, attempt.await),
            Link::Open { epoch, socket } => match socket.next().await {
                Some(Ok(message)) => match message.as_close() {
                    Some((code, _)) => {
                        // The answer to it; whoever is gone does not miss it.
                        let _ = socket.close().now_or_never();
                        Turn::Over(*epoch, Some(CloseCode(code.into())))
                    }
                    None => Turn::Said(*epoch, message),
                },
                Some(Err(_)) | None => Turn::Over(*epoch, None),
            },
        }
    }

    /// Sends on the connection that is meant. A listener says so little that the kernel takes
    /// it at once; that a connection broke is heard by reading.
    async fn send(&mut self, meant: Epoch, message: Message) {
        if let Link::Open { epoch, socket } = self
            && *epoch == meant
            && let Err(error) = socket.send(message).await
        {
            tracing::debug!(%error, "nothing can be sent any more");
        }
    }
}

async fn dial(url: String) -> Result<Socket, tokio_websockets::Error> {
    let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES_MAX));
    let builder = ClientBuilder::new()
        .uri(&url)
        .map_err(|error| tokio_websockets::Error::Io(io::Error::other(error)))?;
    let (socket, _) = builder.limits(limits).connect().await?;
    Ok(Box::new(socket))
}

/// Waits until the clock shows it; for ever where there is nothing to wait for.
async fn until(clock: &Clock, deadline: Option<Mono>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Chunks of members exceed a MiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
