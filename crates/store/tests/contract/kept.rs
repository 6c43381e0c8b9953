//! Clients' sessions between two processes.

use crate::support::{NOW, contract, later, race};

contract! {
    async fn sessions_are_taken_once_and_only_while_they_are_fresh(database) {
        let store = database.open().await;
        let (old, new) = (vec![b"old".to_vec()], vec![b"\0new\xff".to_vec(), Vec::new()]);
        store.keep_sessions(old, NOW).await.expect("kept");
        store.keep_sessions(new.clone(), later(5)).await.expect("kept");
        let next = database.open().await;
        let mut taken = next.take_sessions(later(5)).await.expect("taken");
        taken.sort_by_key(Vec::len);
        assert_eq!(taken, [new[1].clone(), new[0].clone()]);
        let none: Vec<Vec<u8>> = Vec::new();
        assert_eq!(next.take_sessions(NOW).await.expect("taken"), none, "not even the old");
    }

    async fn of_two_nodes_that_take_at_once_one_gets_each(database) {
        let nodes = [database.open().await, database.open().await];
        let chunks: Vec<Vec<u8>> = (0..40_u8).map(|byte| vec![byte; 5_000]).collect();
        nodes[0].keep_sessions(chunks.clone(), NOW).await.expect("kept");
        let taken = race(&nodes, 6, |node, _| async move {
            node.take_sessions(NOW).await.expect("taken")
        })
        .await;
        let mut taken = taken.concat();
        taken.sort();
        assert_eq!(taken, chunks);
    }
}
