//! What the suites share.

use std::{sync::Arc, time::Duration};

use guildgate_model::{GuildId, UnixMs, UserId};
use guildgate_store::Store;
use tokio::{sync::Semaphore, time::timeout};

/// Longest wait for anything; a test that gets there has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many race at once: more than a pool has connections, and not so many that on a slow
/// machine the last of them gives up waiting for one.
const RACERS: usize = 40;

/// The moment at which most tests happen.
pub const NOW: UnixMs = UnixMs(1_700_000_000_000);
/// A guild. Past what a signed 64-bit number holds, as every id may be.
pub const GUILD: GuildId = GuildId(u64::MAX - 1);
/// A user.
pub const USER: UserId = UserId(u64::MAX - 2);
/// Another user.
pub const OTHER: UserId = UserId(11);

/// `NOW` and so many milliseconds.
pub fn later(ms: i64) -> UnixMs {
    UnixMs(NOW.0 + ms)
}

/// What happens in the end, and not never.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen"),
    }
}

/// Runs `work` many times, [`RACERS`] at once, spread over the nodes, and answers all the
/// results.
pub async fn race<T, F>(
    nodes: &[Arc<dyn Store>],
    times: usize,
    work: impl Fn(Arc<dyn Store>, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(RACERS));
    let tasks: Vec<_> = (0..times)
        .map(|number| {
            let places = Arc::clone(&places);
            let work = work(Arc::clone(&nodes[number % nodes.len()]), number);
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("it is not closed");
                work.await
            })
        })
        .collect();
    let mut results = Vec::with_capacity(times);
    for task in tasks {
        results.push(task.await.expect("a racer ends well"));
    }
    results
}

/// Tests that every engine must pass, each under its own name with the engine's behind it. The
/// body is given an empty [`Database`](guildgate_store::testing::Database).
macro_rules! contract {
    ($($(#[$doc:meta])* async fn $name:ident($database:ident) $body:block)+) => {$(
        $(#[$doc])*
        async fn $name($database: guildgate_store::testing::Database) $body

        mod $name {
            use guildgate_store::testing::Database;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Database::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use contract;
