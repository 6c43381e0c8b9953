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
