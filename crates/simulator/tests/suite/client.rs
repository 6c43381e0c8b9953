//! A raw gateway client: it does what it is told, and shows what came.

use flate2::{Decompress, FlushDecompress};
use futures_util::{FutureExt, SinkExt, StreamExt};
use guildgate_simulator::Simulator;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_websockets::{ClientBuilder, CloseCode, Error, MaybeTlsStream, Message, WebSocketStream};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::PATIENCE;

/// Every intent, the privileged ones too.
pub const ALL: u64 = 53_608_447;
/// Every intent that needs no switch.
pub const UNPRIVILEGED: u64 = 53_575_421;

pub struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    inflate: Inflate,
    /// Sizes and last bytes of the binary messages that came.
    pub binary: Vec<Vec<u8>>,
    /// Bytes of all payloads that came, before compression.
    pub bytes: usize,
}

/// Bytes that do not decompress.
struct Undecodable;

enum Inflate {
    Plain,
    Zlib {
        context: Box<Decompress>,
        pending: Vec<u8>,
    },
    Zstd(Box<Decoder<'static>>),
}

/// What came: a payload, the end with its close code, or what cannot be read.
#[derive(Debug, PartialEq)]
pub enum Came {
    Payload(Value),
    End(Option<u16>),
    Broken(Broken),
}

/// Where what came stops making sense.
#[derive(Debug, PartialEq)]
pub enum Broken {
    /// Text that is no JSON, though it begins as such.
    Json,
    /// Bytes that do not decompress.
    Compression,
    /// A frame that the WebSocket protocol does not know.
    Frame,
}

impl Raw {
    /// Dials `/?query`.
    pub async fn dial(simulator: &Simulator, query: &str) -> Raw {
        Raw::dial_url(&format!("ws://{}/?{query}", simulator.local_addr())).await
    }

    pub async fn dial_url(url: &str) -> Raw {
        let builder = ClientBuilder::new().uri(url).expect("a valid URL");
        let (socket, _) = builder
            .connect()
            .await
            .expect("the gateway takes connections");
        let inflate = if url.contains("zlib-stream") {
            Inflate::Zlib {
                context: Box::new(Decompress::new(true)),
                pending: Vec::new(),
            }
        } else if url.contains("zstd-stream") {
            Inflate::Zstd(Box::new(Decoder::new().expect("a decoder")))
        } else {
            Inflate::Plain
        };
        Raw {
            socket,
            inflate,
            binary: Vec::new(),
            bytes: 0,
        }
    }

    /// Dials as bots do, and takes the HELLO.
    pub async fn hello(simulator: &Simulator) -> Raw {
        let mut raw = Raw::dial(simulator, "v=10&encoding=json").await;
        let hello = raw.payload().await;
        assert_eq!(hello["op"], 10, "{hello}");
        raw
    }

    /// Dials and identifies; comes back with READY's `d`.
    pub async fn ready(simulator: &Simulator, intents: u64) -> (Raw, Value) {
        let mut raw = Raw::hello(simulator).await;
        raw.send(2, identify(intents)).await;
        let ready = raw.event("READY").await;
        (raw, ready)
    }

    pub async fn send(&mut self, op: u8, d: Value) {
        self.send_text(json!({ "op": op, "d": d }).to_string())
            .await;
    }

    pub async fn send_text(&mut self, text: String) {
        self.socket
            .send(Message::text(text))
            .await
            .expect("the socket is open");
    }

    /// Closes with `code`, or drops the socket without a word.
    pub async fn close(mut self, code: Option<u16>) {
        if let Some(code) = code {
            let code = CloseCode::try_from(code).expect("a close code");
            self.socket
                .send(Message::close(Some(code), ""))
                .await
                .expect("the socket is open");
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }

    pub async fn next(&mut self) -> Came {
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("something comes in time");
            match self.read(message) {
                Some(came) => return came,
                None => continue,
            }
        }
    }

    /// What has come by now, after everything else here had its turn; none if nothing did.
    pub async fn by_now(&mut self, simulator: &Simulator) -> Option<Came> {
        // What was written before these calls were answered has arrived with their answers.
        for _ in 0..2 {
            crate::http_client::get(simulator, "/simulator/counters").await;
        }
        while let Some(message) = self.socket.next().now_or_never() {
            if let Some(came) = self.read(message) {
                return Some(came);
            }
        }
        None
    }

    /// None where more must come before it is a payload.
    fn read(&mut self, message: Option<Result<Message, Error>>) -> Option<Came> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(Error::Protocol(_))) => return Some(Came::Broken(Broken::Frame)),
            Some(Err(_)) | None => return Some(Came::End(None)),
        };
        if let Some((code, _)) = message.as_close() {
            return Some(Came::End(Some(code.into())));
        }
        let text = if let Some(text) = message.as_text() {
            text.as_bytes().to_vec()
        } else if message.is_binary() {
            let bytes = message.as_payload().to_vec();
            self.binary.push(bytes.clone());
            match self.inflate(&bytes) {
                Ok(text) => text?,
                Err(Undecodable) => return Some(Came::Broken(Broken::Compression)),
            }
        } else {
            return None;
        };
        self.bytes += text.len();
        Some(match serde_json::from_slice(&text) {
            Ok(payload) => Came::Payload(payload),
            Err(error) if error.is_eof() => Came::Broken(Broken::Json),
            Err(error) => panic!("neither JSON nor half of it: {error}"),
        })
    }

    fn inflate(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Undecodable> {
        match &mut self.inflate {
            // Payload compression: every message stands alone.
            Inflate::Plain => {
                let mut out = Vec::with_capacity(1 << 20);
                let mut context = Decompress::new(true);
                context
                    .decompress_vec(bytes, &mut out, FlushDecompress::Finish)
                    .map_err(|_| Undecodable)?;
                Ok(Some(out))
            }
            Inflate::Zlib { context, pending } => {
                pending.extend_from_slice(bytes);
                if !pending.ends_with(&[0, 0, 0xFF, 0xFF]) {
                    return Ok(None);
                }
                let mut out = Vec::with_capacity(1 << 20);
                context
                    .decompress_vec(pending, &mut out, FlushDecompress::Sync)
                    .map_err(|_| Undecodable)?;
                pending.clear();
                Ok(Some(out))
            }
            Inflate::Zstd(context) => {
                let mut scratch = vec![0; 1 << 20];
                let mut from = InBuffer::around(bytes);
                let mut to = OutBuffer::around(&mut scratch[..]);
                while from.pos < bytes.len() {
                    context.run(&mut from, &mut to).map_err(|_| Undecodable)?;
                }
                Ok(Some(to.as_slice().to_vec()))
            }
        }
    }

    pub async fn payload(&mut self) -> Value {
        match self.next().await {
            Came::Payload(payload) => payload,
            Came::End(code) => panic!("the gateway closed the connection: {code:?}"),
            Came::Broken(broken) => panic!("what came cannot be read: {broken:?}"),
        }
    }

    /// The next payload with this opcode; others are passed over.
    pub async fn op(&mut self, op: u8) -> Value {
        loop {
            let payload = self.payload().await;
            if payload["op"] == op {
                return payload;
            }
        }
    }

    /// `d` of the next dispatch with this name; others are passed over.
    pub async fn event(&mut self, name: &str) -> Value {
        self.dispatch(name).await["d"].take()
    }

    /// The next dispatch with this name; others are passed over.
    pub async fn dispatch(&mut self, name: &str) -> Value {
        loop {
            let payload = self.payload().await;
            if payload["t"] == name {
                return payload;
            }
        }
    }

    /// Every dispatch up to the marker that is sent now, in order, without the marker.
    pub async fn all_until_marker(&mut self, simulator: &Simulator) -> Vec<Value> {
        simulator
            .handle()
            .dispatch("SIMULATOR_MARKER", None, &json!({}));
        self.all_until("SIMULATOR_MARKER").await
    }

    pub async fn all_until(&mut self, name: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let payload = self.payload().await;
            if payload["t"] == name {
                return all;
            }
            if payload["op"] == 0 {
                all.push(payload);
            }
        }
    }

    /// The close code with which the gateway ends it; other payloads are passed over.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Came::End(code) = self.next().await {
                return code;
            }
        }
    }
}

/// An IDENTIFY's `d` with the simulator's token.
pub fn identify(intents: u64) -> Value {
    json!({
        "token": "simulator", "intents": intents,
        "properties": { "os": "linux", "browser": "raw", "device": "raw" },
    })
}

/// The names of `events`.
pub fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["t"].as_str().expect("a dispatch has a name"))
        .collect()
}
