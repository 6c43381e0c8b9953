//! The one writer: a thread that commits all that has queued up in one transaction.
//!
//! A commit costs a flush of the disk, whatever is in it. While one is under way operations
//! queue up, and the next commit takes them all, so that the busier the store is the less an
//! operation costs. Each has a savepoint, so that a failed one leaves the others alone; none is
//! answered before the commit.

use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::session::{Session, failure};
use crate::{StoreError, sql::Sql};

/// How many operations may wait; more wait to be queued.
const QUEUE_MAX: usize = 4_096;

/// How many operations one commit takes; it bounds what the first of them waits for.
const GROUP_MAX: usize = 512;

/// The writer's queue, and the thread behind it.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    feed: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Writer> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (signal, feed) = watch::channel(0);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serve(&connection, jobs, &signal))?;
        Ok(Writer {
            queue: Some(queue),
            feed,
            thread: Some(thread),
        })
    }

    pub(super) fn feed_signal(&self) -> watch::Receiver<u64> {
        self.feed.clone()
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Operation {
            attempted,
            operation,
            result: None,
            reply,
        };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue
            .send(Box::new(job))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    /// What is queued is still done; the file is closed when this returns.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database's writer had panicked");
        }
    }
}

/// One operation in the queue.
trait Job: Send {
    /// Runs it inside a transaction.
    fn run(&mut self, connection: &Connection) -> Ran;

    /// Answers it, now that the transaction has ended.
    fn answer(self: Box<Self>, end: &End);
}

/// What an operation left in the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    /// What it wrote is to be kept.
    Kept,
    /// So it is, and it added to the feed.
    KeptAndFed,
    /// It failed; what it wrote is to be undone.
    Failed,
}

/// How a transaction ended.
enum End {
    /// Durable.
    Committed,
    /// Not known to be, by what SQLite said.
    Lost(String),
}

struct Operation<T, F> {
    attempted: &'static str,
    operation: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Operation<T, F>
where
    T: Send,
    F: Fn(&mut dyn Sql) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) -> Ran {
        let mut session = Session::new(connection, self.attempted);
        let result = (self.operation)(&mut session);
        let ran = match (&result, session.fed) {
            (Err(_), _) => Ran::Failed,
            (Ok(_), true) => Ran::KeptAndFed,
            (Ok(_), false) => Ran::Kept,
        };
        self.result = Some(result);
        ran
    }

    fn answer(self: Box<Self>, end: &End) {
        let Operation {
            attempted,
            result,
            reply,
            ..
        } = *self;
        let answer = match (end, result) {
            (_, Some(Err(error))) => Err(error),
            (End::Committed, Some(ok)) => ok,
            (End::Committed, None) => Err(StoreError::Closed),
            (End::Lost(cause), _) => Err(StoreError::Unavailable {
                attempted,
                source: cause.clone().into(),
            }),
        };
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }
}

fn serve(
    connection: &Connection,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    feed: &watch::Sender<u64>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let mut fed = false;
        let end = match commit(connection, &mut group, &mut fed) {
            Ok(()) => End::Committed,
            Err(error) => {
                abandon(connection);
                End::Lost(error.to_string())
            }
        };
        if fed && matches!(end, End::Committed) {
            feed.send_modify(|count| *count += 1);
        }
        for job in group.drain(..) {
            job.answer(&end);
        }
    }
}

/// Runs a group in one transaction.
fn commit(
    connection: &Connection,
    group: &mut [Box<dyn Job>],
    fed: &mut bool,
) -> rusqlite::Result<()> {
    let run = |statement| {
        connection
            .prepare_cached(statement)
            .and_then(|mut statement| statement.execute([]))
    };
    // At once, so that another process's writer is waited for here and not half-way.
    run("BEGIN IMMEDIATE")?;
    for job in group {
        run("SAVEPOINT operation")?;
        match job.run(connection) {
            Ran::Kept => {}
            Ran::KeptAndFed => *fed = true,
            // A full disk ends the whole transaction, of which SQLite then says nothing more:
            // this fails then, and with it the group.
            Ran::Failed => {
                run("ROLLBACK TO operation")?;
            }
        }
        run("RELEASE operation")?;
    }
    run("COMMIT")?;
    Ok(())
}

/// Leaves a transaction that failed, if SQLite has not done so itself.
fn abandon(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        let error = failure("giving up a transaction", error);
        tracing::error!(%error, "the database's writer is stuck in a transaction");
    }
}

#[cfg(test)]
mod tests;
