//! The settings that durability rests on.

use super::*;

#[tokio::test]
async fn every_commit_is_flushed_before_it_is_answered() {
    let store = SqliteStore::open_temporary().await.expect("opened");
    let settings = store.engine.write("looking at the settings", |sql| {
        let mut read = |statement| Ok(sql.query(statement, &[])?.remove(0).0.remove(0));
        Ok((read("PRAGMA journal_mode")?, read("PRAGMA synchronous")?))
    });
    let (journal, synchronous) = settings.await.expect("read");
    assert_eq!(journal, crate::sql::Value::from("wal"));
    // 2 is FULL.
    assert_eq!(synchronous, crate::sql::Value::Int(2));
}

#[tokio::test]
async fn a_temporary_folder_goes_with_its_store() {
    let store = SqliteStore::open_temporary().await.expect("opened");
    let folder = store.engine._folder.as_ref().map(|folder| folder.0.clone());
    let folder = folder.expect("it has one");
    assert!(folder.join("guildgate.db").exists());
    drop(store);
    assert!(!folder.exists());
}

#[test]
fn a_statement_stays_prepared_whatever_is_bound_to_it() {
    let connection = connect(Path::new(":memory:")).expect("opened");
    connection
        .execute_batch(
            "CREATE TABLE tasks (id INTEGER PRIMARY KEY, topic TEXT, state TEXT);
             CREATE INDEX due ON tasks (topic, id) WHERE state = 'pending';
             INSERT INTO tasks (topic, state) VALUES ('a', 'pending'), ('b', 'done');",
        )
        .expect("a schema like the store's");
    let mut due = connection
        .prepare("SELECT id FROM tasks WHERE topic = ?1 AND id <= ?2 AND state = ?3")
        .expect("prepared");
    for (topic, id, state) in [("a", 1, "pending"), ("b", 2, "done"), ("c", 3, "pending")] {
        let found = due.query_map((topic, id, state), |row| row.get::<_, i64>(0));
        assert_eq!(found.expect("run").count(), usize::from(topic != "c"));
    }
    assert_eq!(due.get_status(rusqlite::StatementStatus::RePrepare), 0);
}
