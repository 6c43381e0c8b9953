//! What Discord's side keeps.

use std::time::Duration;

use guildgate_model::{ShardId, TokenHash};
use guildgate_store::{IdentifyLimit, IdentifyPermit, IdentifyRefused, KeptShard, WhyNotIdentify};

use crate::support::{NOW, contract, later, race};

const BOT: TokenHash = TokenHash([7; 32]);
const OTHER_BOT: TokenHash = TokenHash([8; 32]);
const LIMIT: IdentifyLimit = IdentifyLimit {
    max: 10,
    window: Duration::from_secs(86_400),
    spacing: Duration::from_millis(5_250),
};
const ONE: IdentifyLimit = IdentifyLimit { max: 1, ..LIMIT };
const WINDOW_MS: i64 = 86_400_000;

fn kept(id: u32, session: &[u8], guilds: Vec<Vec<u8>>, ms: i64) -> KeptShard {
    KeptShard {
        shard: ShardId { id, count: 4 },
        session: session.to_vec(),
        guilds,
        saved_at: later(ms),
    }
}

contract! {
    async fn what_is_kept_is_replaced_whole_and_handed_out_once(database) {
        let store = database.open().await;
        let long = (0..40_u8).map(|byte| vec![byte; 5_000]).collect();
        for shard in [
            kept(2, b"old", long, 0),
            kept(0, b"", vec![b"one".to_vec(), Vec::new(), b"three".to_vec()], 1),
            kept(2, b"\0new\xff", vec![vec![7; 5_000]], 2),
            kept(3, b"no guilds", Vec::new(), 3),
        ] {
            store.keep_shard(BOT, shard).await.expect("kept");
        }
        let taken = database.open().await.take_shards(BOT, NOW).await;
        let expected = [
            kept(0, b"", vec![b"one".to_vec(), Vec::new(), b"three".to_vec()], 1),
            kept(2, b"\0new\xff", vec![vec![7; 5_000]], 2),
            kept(3, b"no guilds", Vec::new(), 3),
        ];
        assert_eq!(taken.expect("taken"), expected);
        assert_eq!(store.take_shards(BOT, NOW).await.expect("taken"), []);
    }

    async fn another_token_takes_nothing_and_what_is_old_is_forgotten(database) {
        let store = database.open().await;
        let shard = |data: &[u8], at| kept(0, data, vec![data.to_vec()], at);
        store.keep_shard(BOT, shard(b"mine", 5)).await.expect("kept");
        store.keep_shard(OTHER_BOT, shard(b"theirs", 0)).await.expect("kept");
        let taken = store.take_shards(TokenHash([9; 32]), NOW).await;
        assert_eq!(taken.expect("taken"), [], "a changed token");
        let taken = store.take_shards(BOT, later(5)).await.expect("taken");
        assert_eq!(taken, [shard(b"mine", 5)]);
        let taken = store.take_shards(OTHER_BOT, NOW).await.expect("taken");
        assert_eq!(taken, [], "too old when another bot looked");
        store.keep_shard(BOT, kept(0, b"bare", Vec::new(), 9)).await.expect("kept");
        let taken = store.take_shards(BOT, NOW).await.expect("taken");
        assert_eq!(taken, [kept(0, b"bare", Vec::new(), 9)], "no guild is left over");
    }

    async fn of_nodes_that_start_together_one_gets_each_shard(database) {
        let nodes = [database.open().await, database.open().await];
        for id in 0..4 {
            let shard = kept(id, b"session", vec![vec![1; 100]; 3], 0);
            nodes[0].keep_shard(BOT, shard).await.expect("kept");
        }
        let taken = race(&nodes, 10, |node, _| async move {
            node.take_shards(BOT, NOW).await.expect("taken")
        })
        .await;
        let mut taken: Vec<KeptShard> = taken.into_iter().flatten().collect();
        taken.sort_by_key(|kept| kept.shard.id);
        let expected: Vec<KeptShard> = (0..4)
            .map(|id| kept(id, b"session", vec![vec![1; 100]; 3], 0))
            .collect();
        assert_eq!(taken, expected);
    }

    async fn two_nodes_that_keep_at_once_leave_one_whole_shard(database) {
        let nodes = [database.open().await, database.open().await];
        race(&nodes, 10, |node, number| async move {
            let chunk = vec![u8::try_from(number).expect("small"); 100];
            let shard = kept(1, &chunk, vec![chunk.clone(); number + 1], 0);
            node.keep_shard(BOT, shard).await.expect("kept");
        })
        .await;
        let taken = nodes[0].take_shards(BOT, NOW).await.expect("taken");
        assert_eq!(taken.len(), 1);
        let number = usize::from(taken[0].session[0]);
        assert_eq!(taken[0].guilds.len(), number + 1);
        assert!(taken[0].guilds.iter().all(|chunk| *chunk == taken[0].session));
    }

    async fn no_more_identifies_than_the_budget_however_many_ask(database) {
        let nodes = [database.open().await, database.open().await];
        let half = LIMIT.max / 2;
        let results = race(&nodes, 30, |node, number| async move {
            let bucket = u32::try_from(number).expect("small");
            node.reserve_identify(BOT, bucket, LIMIT, NOW)
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
        assert_eq!(left, (half..LIMIT.max).collect::<Vec<_>>());
        let refused = IdentifyRefused {
            retry_at: NOW + LIMIT.window / half,
            why: WhyNotIdentify::Slowed,
        };
        assert!(
            results
                .iter()
                .filter_map(|one| one.err())
                .all(|one| one == refused)
        );
        let other = nodes[0].reserve_identify(OTHER_BOT, 0, LIMIT, NOW).await;
        assert_eq!(
            other.expect("answered"),
            Ok(IdentifyPermit { remaining: 9 })
        );
    }

    async fn a_bucket_is_closed_for_every_process_after_an_identify(database) {
        let nodes = [database.open().await, database.open().await];
        let both = race(&nodes, 2, |node, _| async move {
            node.reserve_identify(BOT, 3, LIMIT, NOW).await.expect("answered")
        })
        .await;
        let closed = IdentifyRefused {
            retry_at: NOW + LIMIT.spacing,
            why: WhyNotIdentify::Spacing,
        };
        assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(both.contains(&Err(closed)), "{both:?}");
        let at = async |bucket, ms| {
            // A process that starts, identifies and crashes.
            let store = database.open().await;
            let answer = store.reserve_identify(BOT, bucket, LIMIT, later(ms)).await;
            answer.expect("answered").map(|permit| permit.remaining)
        };
        assert_eq!(at(2, 1).await, Ok(8), "another bucket is open");
        assert_eq!(at(3, 5_249).await, Err(closed));
        assert_eq!(at(3, 5_250).await, Ok(7));
        // A clock that was set back does not close a bucket for longer than that.
        let back = IdentifyRefused {
            retry_at: later(-1_000) + LIMIT.spacing,
            why: WhyNotIdentify::Spacing,
        };
        assert_eq!(at(3, -1_000).await, Err(back));
    }

    async fn a_crash_loop_leaves_a_part_of_the_budget(database) {
        let store = database.open().await;
        let limit = IdentifyLimit { max: 60, ..LIMIT };
        let mut given = Vec::new();
        let mut now = NOW;
        // It identifies as soon as it may, for three days.
        while now.since(NOW) < LIMIT.window * 3 {
            match store.reserve_identify(BOT, 0, limit, now).await.expect("answered") {
                Ok(_) => given.push(now),
                Err(refused) => {
                    assert_ne!(refused.why, WhyNotIdentify::Spent, "after {}", given.len());
                    assert!(refused.retry_at > now, "{refused:?}");
                    now = refused.retry_at;
                }
            }
        }
        let most = (0..given.len())
            .map(|first| {
                let within = given[first..].iter();
                within.take_while(|at| at.since(given[first]) < limit.window).count()
            })
            .max();
        assert!(most < Some(54), "{most:?} of 60 in a day");
        assert!(most >= Some(30), "half of it is there at once: {most:?}");
    }

    async fn an_identify_counts_for_the_whole_window_and_across_restarts(database) {
        let at = async |ms| {
            // A crash loop: a new process each time.
            let store = database.open().await;
            let answer = store.reserve_identify(BOT, 0, ONE, later(ms)).await;
            answer.expect("answered")
        };
        assert_eq!(at(0).await, Ok(IdentifyPermit { remaining: 0 }));
        let spent = IdentifyRefused {
            retry_at: later(WINDOW_MS),
            why: WhyNotIdentify::Spent,
        };
        assert_eq!(at(200).await, Err(spent));
        assert_eq!(at(WINDOW_MS - 1).await, Err(spent));
        assert_eq!(at(WINDOW_MS).await, Ok(IdentifyPermit { remaining: 0 }));
        let none = IdentifyLimit { max: 0, ..LIMIT };
        let store = database.open().await;
        store
            .reserve_identify(OTHER_BOT, 0, none, NOW)
            .await
            .expect("answered")
            .expect_err("nothing is allowed");
    }
}
