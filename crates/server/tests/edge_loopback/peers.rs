//! The codec against another's: tokio-websockets as the client, through the whole upgrade.

use std::{net::SocketAddr, num::NonZeroU8, time::Duration};

use futures_util::{SinkExt, StreamExt};
use guildgate_core::{
    client::{Answer, Ask},
    hub::{Audience, Output},
};
use guildgate_server::{
    clock::Clock,
    edge::{EdgeConfig, Edges, FromEdge, ToEdge},
    front::{Front, FrontConfig, serve},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
};
use tokio_util::sync::CancellationToken;
use tokio_websockets::{ClientBuilder, Config, Limits as PeerLimits, Message, WebSocketStream};

use crate::support::{GUILD, certain, limits, raw};

/// A whole node but for its store: whoever comes is let in, and onto any guild.
async fn node() -> (SocketAddr, Edges) {
    let (out, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let config = EdgeConfig {
        shards: NonZeroU8::MIN,
        limits: limits(),
        ..EdgeConfig::default()
    };
    let (edges, _threads) =
        Edges::start(&config, &out, Clock::start()).expect("threads can be started");
    let told = edges.clone();
    tokio::spawn(async move {
        while let Some(said) = heard.recv().await {
            let FromEdge::Ask { client, ask, .. } = said else {
                continue;
            };
            let message = match ask {
                Ask::ConnectGuild { guild, .. } => ToEdge::Hub {
                    output: Output::Connected {
                        client,
                        guild,
                        entry: guildgate_core::hub::Entry::New,
                        guild_json: raw("{}"),
                        user: None,
                    },
                    received: None,
                },
                _ => ToEdge::Answer(client, Answer::Basic),
            };
            told.send(client.edge, message);
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(serve(
        Front::new(FrontConfig::default(), edges.clone(), Handle::current()),
        listener,
        None,
        axum::Router::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    ));
    (address, edges)
}

type Peer = WebSocketStream<TcpStream>;

async fn dial(address: SocketAddr, frame_bytes_max: usize) -> Peer {
    let uri = format!("ws://{address}/").parse().expect("a URI");
    let socket = TcpStream::connect(address).await.expect("loopback");
    let (peer, _) = ClientBuilder::from_uri(uri)
        .config(Config::default().frame_size(frame_bytes_max))
        .limits(PeerLimits::unlimited())
        .connect_on(socket)
        .await
        .expect("the handshake holds");
    peer
}

async fn next(peer: &mut Peer) -> Message {
    tokio::time::timeout(Duration::from_secs(20), peer.next())
        .await
        .expect("in time")
        .expect("not ended")
        .expect("sound frames")
}

async fn text(peer: &mut Peer) -> serde_json::Value {
    loop {
        let message = next(peer).await;
        if let Some(text) = message.as_text() {
            return serde_json::from_str(text).expect("JSON");
        }
    }
}

async fn say(peer: &mut Peer, text: String) {
    peer.send(Message::text(text)).await.expect("it takes it");
}

#[tokio::test]
async fn it_understands_all_that_is_said_in_frames_of_every_size() {
    let (address, edges) = node().await;
    // Frames of 64 bytes at most make fragments of what is longer.
    for frame_bytes_max in [4096, 64] {
        let mut peer = dial(address, frame_bytes_max).await;
        assert_eq!(text(&mut peer).await["op"], 0);
        say(
            &mut peer,
            r#"{"op":1,"d":{"token":null,"uid":null}}"#.to_owned(),
        )
        .await;
        assert_eq!(text(&mut peer).await["op"], 2);
        let connect = format!(
            r#"{{"op":6,"cmd":"CONNECT_GUILD","d":{{"gid":"{GUILD}","token":"gggg_x"}},"nonce":"ü"}}"#
        );
        say(&mut peer, connect).await;
        assert_eq!(text(&mut peer).await["nonce"], "ü");
        for bytes in [0, 1, 40, 80, 1_000, 65_000, 70_000, 200_000] {
            let event = certain(bytes, usize::try_from(bytes).expect("small"));
            edges.send_all(|| ToEdge::Hub {
                output: Output::ToGuild {
                    guild: GUILD,
                    audience: Audience::All,
                    event: event.clone(),
                    edges: 1,
                    held_since: None,
                },
                received: None,
            });
            let frame = text(&mut peer).await;
            assert_eq!(frame["d"]["number"], bytes);
        }
        peer.send(Message::ping("how are you".to_owned().into_bytes()))
            .await
            .expect("it takes it");
        let pong = next(&mut peer).await;
        assert!(pong.is_pong());
        assert_eq!(&pong.as_payload()[..], b"how are you");
        peer.close().await.expect("the close handshake holds");
    }
    edges.drain(Duration::ZERO);
    edges.finish();
}

#[tokio::test]
async fn it_understands_every_close() {
    let (address, edges) = node().await;
    for (said, code) in [
        ("[]", 4002u16),
        (r#"{"op":9}"#, 4001),
        (r#"{"op":6,"cmd":"X"}"#, 4003),
    ] {
        let mut peer = dial(address, 4096).await;
        assert_eq!(text(&mut peer).await["op"], 0);
        say(&mut peer, said.to_owned()).await;
        let message = next(&mut peer).await;
        let (closed, reason) = message.as_close().expect("a close frame");
        assert_eq!(u16::from(closed), code);
        assert!(!reason.is_empty(), "it says why");
    }
    edges.drain(Duration::ZERO);
    edges.finish();
}
