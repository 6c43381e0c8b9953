//! What the suites share.

use std::sync::Arc;

use guildgate_model::{GuildId, UnixMs, UserId};
use guildgate_store::Store;

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

/// Runs `work` many times at once, spread over the nodes, and answers all the results.
pub async fn race<T, F>(
    nodes: &[Arc<dyn Store>],
    times: usize,
    work: impl Fn(Arc<dyn Store>, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..times)
        .map(|number| {
            let node = Arc::clone(&nodes[number % nodes.len()]);
            tokio::spawn(work(node, number))
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
