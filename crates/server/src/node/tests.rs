use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use guildgate_model::Secret;
use guildgate_store::SqliteStore;

use super::{Node, NodeError, NodeParts};
use crate::{config::Config, edge::fail_shard};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node whose Discord is down.
async fn node() -> Node {
    // A port that nobody listens at.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let mut config = Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        ..Config::default()
    };
    config.discord.token = Some(Secret::new("token"));
    config.discord.api_url = format!("http://{address}/api/v10");
    Node::start(NodeParts {
        config,
        store: Arc::new(SqliteStore::open_temporary().await.expect("a database")),
        assets: &[],
        demo: None,
    })
    .await
    .expect("a node")
}

#[tokio::test]
async fn a_node_fails_with_a_shard_of_its_edge() {
    let node = node().await;
    fail_shard(&node.base.edges, 0);
    let failed = node.failed().await;
    assert!(matches!(failed, NodeError::Edge(0)), "{failed}");
    node.drain().await;
}

/// Strangers' sockets are no work of the runtime that takes Discord's events: they are accepted,
/// heard and upgraded while that stands still, as it does here in the reads that block its only
/// thread.
#[tokio::test]
async fn strangers_are_served_apart_from_the_rest_of_the_node() {
    let node = node().await;
    let mut client = TcpStream::connect(node.local_addr()).expect("loopback");
    client.set_read_timeout(Some(PATIENCE)).expect("a socket");
    client
        .write_all(
            b"GET /gateway HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
              Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .expect("loopback");
    let mut head = [0; "HTTP/1.1 101".len()];
    client.read_exact(&mut head).expect("an answer");
    assert_eq!(head, *b"HTTP/1.1 101");
    drop(client);
    node.drain().await;
}
