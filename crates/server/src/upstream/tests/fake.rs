//! A Discord that does as a test says: REST over plain HTTP, and a gateway.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};

use crate::patience::soon;

/// A status, headers and a body.
pub(crate) type Reply = (u16, String, String);

pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    (status, String::new(), body.to_string())
}

/// An HTTP server that answers from a function of the request's head.
pub(crate) struct FakeRest {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeRest {
    pub(crate) async fn start(answer: impl FnMut(&str) -> Reply + Send + 'static) -> FakeRest {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        tokio::spawn(serve(listener, answer, Arc::clone(&requests)));
        FakeRest { address, requests }
    }

    /// With a gateway at `gateway`, and nothing else.
    pub(crate) async fn with_gateway(gateway: SocketAddr, concurrency: u32) -> FakeRest {
        FakeRest::start(move |_| {
            reply(
                200,
                &json!({
                    "url": format!("ws://{gateway}"), "shards": 1,
                    "session_start_limit": {
                        "total": 1000, "remaining": 1000, "reset_after": 0,
                        "max_concurrency": concurrency,
                    },
                }),
            )
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/some/base/v10", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

async fn serve(
    listener: TcpListener,
    mut answer: impl FnMut(&str) -> Reply,
    requests: Arc<Mutex<Vec<String>>>,
) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let head = String::from_utf8(head).expect("a head is text");
        requests.lock().expect("no panic").push(head.clone());
        let (status, headers, body) = answer(&head);
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        // A client that has left is its own business.
        let _ = stream.write_all(text.as_bytes()).await;
    }
}

/// A gateway that a test plays by hand.
pub(crate) struct FakeGateway {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl FakeGateway {
    pub(crate) async fn start() -> FakeGateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        FakeGateway { listener, address }
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> Peer {
        soon("a dial", async {
            let (stream, _) = self.listener.accept().await.expect("a client");
            let (request, stream) = ServerBuilder::new()
                .accept(stream)
                .await
                .expect("a WebSocket");
            Peer {
                stream,
                query: request.uri().query().unwrap_or("").to_owned(),
            }
        })
        .await
    }

    /// The next client, past HELLO.
    pub(crate) async fn greet(&self, heartbeat_ms: u64) -> Peer {
        let mut peer = self.accept().await;
        peer.send(&json!({"op": 10, "d": {"heartbeat_interval": heartbeat_ms}}))
            .await;
        peer
    }

    /// The next client, past READY.
    pub(crate) async fn welcome(&self) -> Peer {
        let mut peer = self.greet(45_000).await;
        peer.wait_for(2).await;
        peer.ready(self.address).await;
        peer
    }
}

/// A client as the gateway sees it.
pub(crate) struct Peer {
    stream: WebSocketStream<TcpStream>,
    pub(crate) query: String,
}

impl Peer {
    pub(crate) async fn send(&mut self, payload: &Value) {
        let message = Message::text(payload.to_string());
        self.stream.send(message).await.expect("a client");
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.stream
            .send(Message::binary(bytes))
            .await
            .expect("a client");
    }

    pub(crate) async fn dispatch(&mut self, seq: u64, name: &str, data: Value) {
        self.send(&json!({"t": name, "s": seq, "op": 0, "d": data}))
            .await;
    }

    pub(crate) async fn ready(&mut self, resume: SocketAddr) {
        let data = json!({
            "user": {"id": "99"}, "session_id": "session", "guilds": [{"id": "5"}],
            "resume_gateway_url": format!("ws://{resume}"),
        });
        self.dispatch(1, "READY", data).await;
    }

    /// The next payload with this opcode; answers heartbeats meanwhile.
    pub(crate) async fn wait_for(&mut self, op: u64) -> Value {
        soon("a payload", async {
            loop {
                let payload = self.next().await.expect("a payload, not the end");
                if payload["op"] == 1 {
                    self.send(&json!({"op": 11})).await;
                }
                if payload["op"] == op {
                    return payload["d"].clone();
                }
            }
        })
        .await
    }

    /// Reads on by itself and answers heartbeats, so that none is late because the test was
    /// doing something else; how many have come.
    pub(crate) fn beat(mut self) -> watch::Receiver<u64> {
        let (count, beats) = watch::channel(0);
        tokio::spawn(async move {
            while let Some(payload) = self.next().await {
                if payload["op"] == 1 {
                    self.send(&json!({"op": 11})).await;
                    count.send_modify(|count| *count += 1);
                }
            }
        });
        beats
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            let message = self.stream.next().await?.ok()?;
            if let Some(text) = message.as_text() {
                return Some(serde_json::from_str(text).expect("JSON"));
            }
            if message.is_close() {
                return None;
            }
        }
    }

    /// The code with which the client closes.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        soon("a close", async {
            while let Some(Ok(message)) = self.stream.next().await {
                if let Some((code, _)) = message.as_close() {
                    let code = code.into();
                    // The client may not wait for the answer.
                    let _ = self.stream.close().await;
                    return Some(code);
                }
            }
            None
        })
        .await
    }

    pub(crate) async fn close(mut self, code: u16) {
        let code = CloseCode::try_from(code).expect("a close code");
        let message = Message::close(Some(code), "");
        // The client may be gone already.
        let _ = self.stream.send(message).await;
        let _ = self.stream.close().await;
    }
}
