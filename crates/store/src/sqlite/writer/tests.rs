//! What an operation's failure, and the disk's, does to the others in its group.

use std::sync::Arc;

use rusqlite::Connection;

use super::*;
use crate::sql::params;

fn writer() -> Arc<Writer> {
    let connection = Connection::open_in_memory().expect("opened");
    connection
        .execute_batch("CREATE TABLE kept (number INTEGER PRIMARY KEY, filler BLOB NOT NULL)")
        .expect("made");
    Arc::new(Writer::start(connection).expect("started"))
}

fn insert(sql: &mut dyn Sql, number: usize, bytes: usize) -> Result<u64, StoreError> {
    sql.execute(
        "INSERT INTO kept (number, filler) VALUES ($1, $2)",
        params![number as u64, vec![0_u8; bytes].as_slice()],
    )
}

async fn kept(writer: &Writer) -> Vec<i64> {
    let rows = writer.run("reading", |sql| {
        sql.query("SELECT number FROM kept ORDER BY number", params![])
    });
    let rows = rows.await.expect("read");
    rows.iter()
        .map(|row| row.int(0).expect("a number"))
        .collect()
}

/// Runs all at once, so that they are grouped; which of them were answered `Ok`.
async fn run_all(
    writer: &Arc<Writer>,
    count: usize,
    operation: impl Fn(&mut dyn Sql, usize) -> Result<u64, StoreError> + Clone + Send + 'static,
) -> Vec<Result<u64, StoreError>> {
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (writer, operation) = (Arc::clone(writer), operation.clone());
            tokio::spawn(async move {
                writer
                    .run("inserting", move |sql| operation(sql, number))
                    .await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    answers
}

#[tokio::test]
async fn a_failed_operation_leaves_nothing_and_the_others_alone() {
    let writer = writer();
    let answers = run_all(&writer, 60, |sql, number| {
        insert(sql, number, 1)?;
        if number % 3 == 0 {
            // The same again, which the primary key refuses.
            insert(sql, number, 1)
        } else {
            Ok(0)
        }
    })
    .await;
    for (number, answer) in answers.iter().enumerate() {
        let refused = matches!(answer, Err(StoreError::Query { .. }));
        assert_eq!(refused, number % 3 == 0, "{number}: {answer:?}");
    }
    let expected: Vec<i64> = (0..60).filter(|number| number % 3 != 0).collect();
    assert_eq!(kept(&writer).await, expected);
}

#[tokio::test]
async fn a_full_disk_is_told_and_what_was_answered_is_kept() {
    let writer = writer();
    let pages = writer.run("making it small", |sql| {
        sql.query("PRAGMA max_page_count = 40", params![])
    });
    pages.await.expect("set");
    // These have room; of the next, a group that has not fails as a whole.
    let first = run_all(&writer, 5, |sql, number| insert(sql, 100 + number, 9_000)).await;
    assert!(first.iter().all(Result::is_ok), "{first:?}");
    let answers = run_all(&writer, 60, |sql, number| insert(sql, number, 9_000)).await;
    let mut expected = Vec::new();
    for (number, answer) in (0..).zip(&answers) {
        match answer {
            Ok(_) => expected.push(number),
            Err(StoreError::Unavailable { attempted, .. }) => assert_eq!(*attempted, "inserting"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(expected.len() < 60, "the disk was full");
    expected.extend(100..105);
    assert_eq!(kept(&writer).await, expected);
    // And it goes on once there is room.
    writer
        .run("making room", |sql| {
            sql.execute("DELETE FROM kept", params![])
        })
        .await
        .expect("deleted");
    let again = run_all(&writer, 5, |sql, number| insert(sql, number, 100)).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
}

#[tokio::test]
async fn a_writer_that_panicked_says_that_it_is_closed() {
    let writer = writer();
    let lost = writer
        .run::<()>("panicking", |_| panic!("a bug in an operation"))
        .await;
    assert!(matches!(lost, Err(StoreError::Closed)), "{lost:?}");
    let after = writer.run("going on", |_| Ok(())).await;
    assert!(matches!(after, Err(StoreError::Closed)), "{after:?}");
}
