//! A gateway connection that only listens, and writes down what it hears.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use guildgate_model::Secret;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_websockets::{ClientBuilder, Limits, Message};

use super::{Direction, Recorder};
use crate::rng::mix;

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
}

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordSummary {
    /// Frames that the gateway sent.
    pub frames: u64,
    /// Their bytes, before redaction.
    pub bytes: u64,
    /// Why it ended, if not because it was told to: the gateway's close code.
    pub closed: Option<u16>,
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
    /// The gateway cannot be reached, or broke off.
    #[error("the gateway connection to {url} failed")]
    Socket {
        /// Where.
        url: String,
        /// Why.
        #[source]
        cause: Box<tokio_websockets::Error>,
    },
    /// The gateway was silent for too long.
    #[error("{url} did not say HELLO in {} s", HELLO_PATIENCE.as_secs())]
    Silent {
        /// Where.
        url: String,
    },
    /// The file cannot be written.
    #[error("cannot write the recording")]
    Write(#[from] io::Error),
}

/// Logs in and writes down every frame, until `stop` is ready or the gateway ends it. The
/// connection is uncompressed, and is not resumed.
///
/// # Errors
/// [`RecordError`]; what was heard before is in the recording.
pub async fn record(
    options: &RecordOptions,
    mut recorder: Recorder,
    stop: impl Future<Output = ()>,
) -> Result<RecordSummary, RecordError> {
    let gateway = gateway_url(options).await?;
    let url = format!("{}/?v=10&encoding=json", gateway.trim_end_matches('/'));
    let summary = listen(options, &url, &mut recorder, stop).await?;
    recorder.finish()?;
    Ok(summary)
}

async fn listen(
    options: &RecordOptions,
    url: &str,
    recorder: &mut Recorder,
    stop: impl Future<Output = ()>,
) -> Result<RecordSummary, RecordError> {
    let failed = |cause| RecordError::Socket {
        url: url.to_owned(),
        cause: Box::new(cause),
    };
    let limits = Limits::default().max_payload_len(Some(MESSAGE_BYTES_MAX));
    let builder = ClientBuilder::new()
        .uri(url)
        .map_err(|_| RecordError::Url {
            url: url.to_owned(),
        })?;
    let (mut socket, _) = builder.limits(limits).connect().await.map_err(failed)?;
    let begun = Instant::now();
    let mut summary = RecordSummary::default();
    let mut last_seq = Value::Null;
    let mut heartbeat: Option<(Instant, Duration)> = None;
    let silence = begun + HELLO_PATIENCE;
    tokio::pin!(stop);
    loop {
        let next_beat = heartbeat.map_or(silence, |(at, _)| at);
        let outgoing = tokio::select! {
            () = &mut stop => {
                socket.close().await.map_err(failed)?;
                return Ok(summary);
            }
            () = sleep_until(next_beat) => {
                let Some((_, interval)) = heartbeat else {
                    return Err(RecordError::Silent { url: url.to_owned() });
                };
                heartbeat = Some((next_beat + interval, interval));
                Some(json!({ "op": 1, "d": last_seq }))
            }
            message = socket.next() => {
                let Some(message) = message.transpose().map_err(failed)? else {
                    return Ok(summary);
                };
                if let Some((code, _)) = message.as_close() {
                    summary.closed = Some(code.into());
                    return Ok(summary);
                }
                let Some(text) = message.as_text() else {
                    continue;
                };
                summary.frames += 1;
                summary.bytes += text.len() as u64;
                recorder.push(elapsed_ms(begun), Direction::In, text)?;
                match read(text) {
                    Heard::Hello(interval) => {
                        let jitter = interval.mul_f64(chance());
                        heartbeat = Some((Instant::now() + jitter, interval));
                        Some(identify(options))
                    }
                    Heard::HeartbeatWanted => Some(json!({ "op": 1, "d": last_seq })),
                    Heard::Dispatch(seq) => {
                        last_seq = Value::from(seq);
                        None
                    }
                    Heard::Nothing => None,
                }
            }
        };
        if let Some(outgoing) = outgoing {
            let text = outgoing.to_string();
            recorder.push(elapsed_ms(begun), Direction::Out, &text)?;
            socket.send(Message::text(text)).await.map_err(failed)?;
        }
    }
}

enum Heard {
    Hello(Duration),
    HeartbeatWanted,
    Dispatch(u64),
    Nothing,
}

/// What a frame asks of a listener.
fn read(text: &str) -> Heard {
    #[derive(serde::Deserialize)]
    struct Frame<'a> {
        op: u8,
        s: Option<u64>,
        #[serde(borrow)]
        d: Option<&'a serde_json::value::RawValue>,
    }
    let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
        return Heard::Nothing;
    };
    match (frame.op, frame.s, frame.d) {
        (0, Some(seq), _) => Heard::Dispatch(seq),
        (1, _, _) => Heard::HeartbeatWanted,
        (10, _, Some(d)) => {
            let d: Value = serde_json::from_str(d.get()).unwrap_or(Value::Null);
            let interval = d["heartbeat_interval"].as_u64().unwrap_or(41_250);
            Heard::Hello(Duration::from_millis(interval.max(1_000)))
        }
        (_, _, _) => Heard::Nothing,
    }
}

fn identify(options: &RecordOptions) -> Value {
    json!({
        "op": 2,
        "d": {
            "token": options.token.expose(), "intents": options.intents,
            "shard": [options.shard.0, options.shard.1],
            "properties": { "os": std::env::consts::OS, "browser": "guildgate", "device": "guildgate" },
        },
    })
}

/// Asks where the gateway is.
async fn gateway_url(options: &RecordOptions) -> Result<String, RecordError> {
    let url = format!("{}/gateway/bot", options.api_url.trim_end_matches('/'));
    let unusable = || RecordError::Url { url: url.clone() };
    let failed = |why: String| RecordError::Gateway {
        url: url.clone(),
        why,
    };
    let uri: Uri = url.parse().map_err(|_| unusable())?;
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(uri)
        .header(
            header::AUTHORIZATION,
            format!("Bot {}", options.token.expose()),
        )
        .header(header::USER_AGENT, "DiscordBot (guildgate, 0.1)")
        .body(Empty::new())
        .map_err(|_| unusable())?;
    let answer = timeout(HELLO_PATIENCE, client.request(request)).await;
    let answer = answer.map_err(|_| failed("no answer in time".to_owned()))?;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(failed(format!("it answered {status}; is the token right?")));
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
    let shown: Value = serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
    shown["url"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| failed("it named no URL".to_owned()))
}

fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A number from 0 to 1, for the first heartbeat.
#[expect(
    clippy::disallowed_methods,
    reason = "chance for a jitter, read once in a driver"
)]
fn chance() -> f64 {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    f64::from(u32::try_from(mix(u64::from(nanos)) >> 40).unwrap_or(0)) / f64::from(1u32 << 24)
}

const HELLO_PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Chunks of members exceed a MiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
