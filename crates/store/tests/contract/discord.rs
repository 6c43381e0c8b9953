//! What Discord's side keeps.

use std::time::Duration;

use guildgate_model::{ShardId, TokenHash};
use guildgate_store::{IdentifyLimit, IdentifyPermit, IdentifyRefused, ShardSession, Snapshot};

use crate::support::{NOW, contract, later, race};

const SHARD: ShardId = ShardId { id: 1, count: 4 };
const BOT: TokenHash = TokenHash([7; 32]);
const LIMIT: IdentifyLimit = IdentifyLimit {
    max: 10,
    window: Duration::from_secs(86_400),
};
const WINDOW_MS: i64 = 86_400_000;

contract! {
    async fn sessions_are_kept_by_shard_and_replaced(database) {
        let store = database.open().await;
        let session = |id, data: &[u8], at| ShardSession {
            shard: ShardId { id, count: 4 },
            data: data.to_vec(),
            saved_at: later(at),
        };
        for (id, data, at) in [(2, &b"old"[..], 0), (0, b"", 1), (2, b"\0new\xff", 2)] {
            store
                .save_shard_session(session(id, data, at))
                .await
                .expect("saved");
        }
        let loaded = database
            .open()
            .await
            .load_shard_sessions()
            .await
            .expect("loaded");
        assert_eq!(loaded, [session(0, b"", 1), session(2, b"\0new\xff", 2)]);
        store
            .forget_shard_session(ShardId { id: 2, count: 4 })
            .await
            .expect("forgotten");
        store
            .forget_shard_session(ShardId { id: 0, count: 5 })
            .await
            .expect("nothing to forget");
        let loaded = store.load_shard_sessions().await.expect("loaded");
        assert_eq!(loaded, [session(0, b"", 1)]);
    }

    async fn a_snapshot_is_replaced_whole(database) {
        let store = database.open().await;
        assert_eq!(store.load_snapshot(SHARD).await.expect("loaded"), None);
        let long = Snapshot {
            chunks: (0..40_u8).map(|byte| vec![byte; 5_000]).collect(),
            saved_at: NOW,
        };
        let short = Snapshot {
            chunks: vec![b"one".to_vec(), Vec::new()],
            saved_at: later(1),
        };
        let empty = Snapshot {
            chunks: Vec::new(),
            saved_at: later(2),
        };
        for snapshot in [long, short, empty] {
            store
                .save_snapshot(SHARD, snapshot.clone())
                .await
                .expect("saved");
            assert_eq!(
                store.load_snapshot(SHARD).await.expect("loaded"),
                Some(snapshot)
            );
        }
        let other = ShardId { id: 1, count: 5 };
        assert_eq!(store.load_snapshot(other).await.expect("loaded"), None);
    }

    async fn two_nodes_that_save_at_once_leave_one_whole_snapshot(database) {
        let nodes = [database.open().await, database.open().await];
        race(&nodes, 10, |node, number| async move {
            let chunk = vec![u8::try_from(number).expect("small"); 100];
            let snapshot = Snapshot {
                chunks: vec![chunk; number + 1],
                saved_at: NOW,
            };
            node.save_snapshot(SHARD, snapshot).await.expect("saved");
        })
        .await;
        let loaded = nodes[0]
            .load_snapshot(SHARD)
            .await
            .expect("loaded")
            .expect("there");
        let number = usize::from(loaded.chunks[0][0]);
        assert_eq!(loaded.chunks.len(), number + 1);
        assert!(loaded.chunks.iter().all(|chunk| *chunk == loaded.chunks[0]));
    }

    async fn no_more_identifies_than_the_budget_however_many_ask(database) {
        let nodes = [database.open().await, database.open().await];
        let results = race(&nodes, 30, |node, _| async move {
            node.reserve_identify(BOT, LIMIT, NOW)
                .await
                .expect("answered")
        })
        .await;
        let mut left: Vec<u32> = results
            .iter()
            .flatten()
            .map(|permit| permit.remaining)
            .collect();
        left.sort_unstable();
        assert_eq!(left, (0..LIMIT.max).collect::<Vec<_>>());
        let refused = IdentifyRefused {
            retry_at: later(WINDOW_MS),
        };
        assert!(
            results
                .iter()
                .filter_map(|one| one.err())
                .all(|one| one == refused)
        );
        let other = nodes[0]
            .reserve_identify(TokenHash([8; 32]), LIMIT, NOW)
            .await;
        assert_eq!(
            other.expect("answered"),
            Ok(IdentifyPermit { remaining: 9 })
        );
    }

    async fn an_identify_counts_for_the_whole_window_and_across_restarts(database) {
        let small = IdentifyLimit { max: 2, ..LIMIT };
        let at = async |ms| {
            // A crash loop: a new process each time.
            let store = database.open().await;
            store
                .reserve_identify(BOT, small, later(ms))
                .await
                .expect("answered")
        };
        assert_eq!(at(0).await, Ok(IdentifyPermit { remaining: 1 }));
        assert_eq!(at(100).await, Ok(IdentifyPermit { remaining: 0 }));
        let first_ends = IdentifyRefused {
            retry_at: later(WINDOW_MS),
        };
        assert_eq!(at(200).await, Err(first_ends));
        assert_eq!(at(WINDOW_MS - 1).await, Err(first_ends));
        assert_eq!(at(WINDOW_MS).await, Ok(IdentifyPermit { remaining: 0 }));
        let second_ends = IdentifyRefused {
            retry_at: later(WINDOW_MS + 100),
        };
        assert_eq!(at(WINDOW_MS).await, Err(second_ends));
        let none = IdentifyLimit { max: 0, ..LIMIT };
        let store = database.open().await;
        store
            .reserve_identify(BOT, none, NOW)
            .await
            .expect("answered")
            .expect_err("nothing is allowed");
    }
}
