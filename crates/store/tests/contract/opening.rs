//! Opening, migrating, and what a person is told when that fails.

use std::sync::Arc;

use guildgate_model::TokenKind;
use guildgate_store::{
    NewToken, Page, SqliteStore, Store, StoreError, TokenFilter, Tokens, Uses, open,
    testing::Database,
};

use crate::support::{NOW, contract, race};

/// Runs a statement on the database behind the store's back.
pub async fn tamper(database: &Database, statement: &str) {
    let location = database.location();
    if location.starts_with("postgres://") {
        let (client, connection) = tokio_postgres::connect(location, tokio_postgres::NoTls)
            .await
            .expect("connected");
        let driver = tokio::spawn(connection);
        client.batch_execute(statement).await.expect("done");
        drop(client);
        driver.await.expect("no panic").expect("closed well");
    } else {
        let connection = rusqlite::Connection::open(location).expect("opened");
        connection.execute_batch(statement).expect("done");
    }
}

/// The last part of its address: the file's name, or the database's.
fn name(database: &Database) -> String {
    let name = database.location().rsplit('/').next();
    name.expect("a part").to_owned()
}

/// An error with its causes, as a person is shown it.
fn chain(error: &StoreError) -> String {
    let mut told = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        told = format!("{told}: {source}");
        next = source.source();
    }
    told
}

contract! {
    async fn nodes_that_start_at_once_make_the_tables_once(database) {
        let database = Arc::new(database);
        let starts: Vec<_> = (0..6)
            .map(|_| {
                let database = Arc::clone(&database);
                tokio::spawn(async move { open(database.location()).await })
            })
            .collect();
        for start in starts {
            let store = start.await.expect("no panic").expect("opened");
            store.ping().await.expect("it answers");
        }
    }

    async fn what_is_stored_is_there_after_a_restart(database) {
        let new = NewToken {
            kind: TokenKind::User,
            owner: Some(1),
            uses: Uses::OfKind,
            expires_at: None,
        };
        let before = database.open().await;
        let (record, _) = before.issue_token(new, NOW).await.expect("issued");
        drop(before);
        let after = database.open().await;
        let listed = after
            .list_tokens(TokenFilter::default(), Page::first(9))
            .await
            .expect("listed");
        assert_eq!(listed.items, [record]);
    }

    async fn a_newer_database_is_refused_and_left_alone(database) {
        drop(database.open().await);
        tamper(
            &database,
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
            VALUES (99, 'from_the_future', '2030-01-01T00:00:00Z', '1')",
        )
        .await;
        match open(database.location()).await.map(drop) {
            Err(error @ StoreError::Newer { database: 99, .. }) => {
                let told = error.to_string();
                assert!(told.contains("run the newer release"), "{told}");
                assert!(told.contains(&name(&database)), "{told}");
            }
            other => panic!("must be refused: {other:?}"),
        }
    }

    async fn tables_that_somebody_else_changed_are_refused(database) {
        drop(database.open().await);
        tamper(
            &database,
            "UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1",
        )
        .await;
        let refused = open(database.location()).await.map(drop);
        let Err(error @ StoreError::Migrate { .. }) = refused else {
            panic!("must be refused: {refused:?}");
        };
        let told = chain(&error);
        assert!(told.contains(&name(&database)), "{told}");
        assert!(told.contains("start again"), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }

    async fn a_row_that_makes_no_sense_is_an_error_and_no_panic(database) {
        let store = database.open().await;
        tamper(
            &database,
            "INSERT INTO tokens (hash, kind, created_at) VALUES ('', 'nonsense', 1)"
                .replace(
                    "''",
                    if database.location().starts_with("postgres") {
                        "''"
                    } else {
                        "x''"
                    },
                )
                .as_str(),
        )
        .await;
        let listed = store
            .list_tokens(TokenFilter::default(), Page::first(9))
            .await;
        assert!(
            matches!(listed, Err(StoreError::Corrupt { .. })),
            "{listed:?}"
        );
    }

    async fn a_store_tells_its_version(database) {
        let version = database.open().await.version().await.expect("answered");
        let engine = if database.location().starts_with("postgres") {
            "PostgreSQL 1"
        } else {
            "SQLite 3."
        };
        assert!(
            version.starts_with(engine) && version.ends_with(", schema 3"),
            "{version}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_when_its_connections_to_postgres_are_cut() {
    let database = Database::postgres().await;
    let nodes = [database.open().await];
    let pings = async || {
        let answers = race(&nodes, 30, |node, _| async move { node.ping().await }).await;
        answers
            .into_iter()
            .filter_map(Result::err)
            .collect::<Vec<_>>()
    };
    let failed = pings().await;
    assert!(failed.is_empty(), "{failed:?}");
    tamper(
        &database,
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    let failed = pings().await;
    assert!(
        failed.is_empty(),
        "what was not begun is begun anew: {failed:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_its_name() {
    let database = Database::sqlite();
    let path = std::path::Path::new(database.location());
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
    std::fs::write(path, "dear diary, this is not a database at all".repeat(99)).expect("written");
    let error = open(database.location())
        .await
        .map(drop)
        .expect_err("refused");
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    let told = chain(&error);
    assert!(told.contains("guildgate.db"), "{told}");
    assert_eq!(told.matches("not a database").count(), 1, "{told}");
}

#[tokio::test]
async fn a_database_out_of_reach_is_told_without_its_password() {
    let error = open("postgres://me:hunter2@127.0.0.1:1/nothing")
        .await
        .map(drop)
        .expect_err("nobody listens there");
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    assert!(
        !format!("{error:?} {error}").contains("hunter2"),
        "{error:?}"
    );
    let told = chain(&error);
    assert_eq!(told.matches("error connecting").count(), 1, "{told}");
    assert!(told.contains("refused"), "{told}");
}

#[tokio::test]
async fn a_password_with_signs_that_part_an_address_is_not_told() {
    for location in [
        "postgres://me:a?hunter2=b@127.0.0.1:1/d",
        "postgres://me:a#hunter2@127.0.0.1:1/d",
        "postgres://me:a/hunter2@127.0.0.1:1/d",
        "postgres://me:a:hunter2@127.0.0.1:1/d",
        "postgres://me:a@hunter2@127.0.0.1:1/d",
    ] {
        let error = open(location).await.map(drop).expect_err("no address");
        let told = format!("{error:?} {}", chain(&error));
        assert!(!told.contains("hunter2"), "{location}: {told}");
    }
}

#[tokio::test]
async fn a_temporary_database_is_like_any_other() {
    let store = SqliteStore::open_temporary().await.expect("opened");
    store.ping().await.expect("it answers");
    let other = open("sqlite::memory:").await.expect("opened");
    let new = NewToken {
        kind: TokenKind::User,
        owner: None,
        uses: Uses::OfKind,
        expires_at: None,
    };
    store.issue_token(new, NOW).await.expect("issued");
    let listed = other
        .list_tokens(TokenFilter::default(), Page::first(1))
        .await
        .expect("listed");
    assert!(listed.items.is_empty(), "each is its own");
}
