//! A raw gateway client: it does what it is told, and shows what came.

use flate2::{Decompress, FlushDecompress};
use futures_util::{SinkExt, StreamExt};
use guildgate_simulator::Simulator;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_websockets::{ClientBuilder, CloseCode, MaybeTlsStream, Message, WebSocketStream};
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
}

enum Inflate {
    Plain,
    Zlib {
        context: Box<Decompress>,
        pending: Vec<u8>,
    },
    Zstd(Box<Decoder<'static>>),
}

/// What came: a payload, or the end with its close code.
#[derive(Debug)]
pub enum Came {
    Payload(Value),
    End(Option<u16>),
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
            let Some(Ok(message)) = message else {
                return Came::End(None);
            };
            if let Some((code, _)) = message.as_close() {
                return Came::End(Some(code.into()));
            }
            if let Some(text) = message.as_text() {
                return Came::Payload(
                    serde_json::from_str(text).expect("the simulator sends JSON"),
                );
            }
            if message.is_binary() {
                let bytes = message.as_payload().to_vec();
                self.binary.push(bytes.clone());
                if let Some(text) = self.inflate(&bytes) {
                    return Came::Payload(serde_json::from_slice(&text).expect("JSON inside"));
                }
            }
        }
    }

    fn inflate(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match &mut self.inflate {
            // Payload compression: every message stands alone.
            Inflate::Plain => {
                let mut out = Vec::with_capacity(1 << 20);
                let mut context = Decompress::new(true);
                context
                    .decompress_vec(bytes, &mut out, FlushDecompress::Finish)
                    .expect("zlib");
                Some(out)
            }
            Inflate::Zlib { context, pending } => {
                pending.extend_from_slice(bytes);
                if !pending.ends_with(&[0, 0, 0xFF, 0xFF]) {
                    return None;
                }
                let mut out = Vec::with_capacity(1 << 20);
                context
                    .decompress_vec(pending, &mut out, FlushDecompress::Sync)
                    .expect("zlib");
                pending.clear();
                Some(out)
            }
            Inflate::Zstd(context) => {
                let mut scratch = vec![0; 1 << 20];
                let mut from = InBuffer::around(bytes);
                let mut to = OutBuffer::around(&mut scratch[..]);
                while from.pos < bytes.len() {
                    context.run(&mut from, &mut to).expect("zstd");
                }
                Some(to.as_slice().to_vec())
            }
        }
    }

    pub async fn payload(&mut self) -> Value {
        match self.next().await {
            Came::Payload(payload) => payload,
            Came::End(code) => panic!("the gateway closed the connection: {code:?}"),
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
