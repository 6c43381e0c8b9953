use std::{net::Ipv4Addr, sync::Arc};

use guildgate_model::Secret;
use guildgate_store::SqliteStore;

use super::{Node, NodeError, NodeParts};
use crate::{config::Config, edge::fail_shard};

#[tokio::test]
async fn a_node_fails_with_a_shard_of_its_edge() {
    // A port that nobody listens at: Discord is down.
    let nobody = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let mut config = Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        ..Config::default()
    };
    config.discord.token = Some(Secret::new("token"));
    config.discord.api_url = format!("http://{address}/api/v10");
    let node = Node::start(NodeParts {
        config,
        store: Arc::new(SqliteStore::open_temporary().await.expect("a database")),
        assets: &[],
        demo: None,
    })
    .await
    .expect("a node");
    fail_shard(&node.base.edges, 0);
    let failed = node.failed().await;
    assert!(matches!(failed, NodeError::Edge(0)), "{failed}");
    node.drain().await;
}
