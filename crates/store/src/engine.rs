//! A database that runs operations, and the store that is made of it.

use std::future::Future;

use tokio::sync::watch;

use crate::{StoreError, ops::LastUsed, sql::Sql};

/// A database that runs operations in transactions.
pub trait Engine: Send + Sync + 'static {
    /// Runs `operation` in a transaction of its own, answered once it is durable. Nothing of it
    /// is kept if it fails. It may be run more than once, where a database asks to try again.
    ///
    /// `attempted` says what is being done, for the error.
    fn write<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Runs `operation`, which only reads. Sees every write that was answered before. Its
    /// statements need not see the same moment.
    fn read<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Told of every commit of this process that added to the feed.
    fn feed_signal(&self) -> watch::Receiver<u64>;

    /// The engine's name.
    const NAME: &'static str;

    /// A query for the engine's version, as one text.
    const VERSION_QUERY: &'static str;

    /// The newest schema that this binary knows.
    fn schema_known() -> i32;
}

/// The store on an engine.
pub struct SqlStore<E> {
    pub(crate) engine: E,
    pub(crate) last_used: LastUsed,
}

impl<E: Engine> SqlStore<E> {
    pub(crate) fn new(engine: E) -> SqlStore<E> {
        SqlStore {
            engine,
            last_used: LastUsed::default(),
        }
    }
}

impl<E: Engine> std::fmt::Debug for SqlStore<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqlStore({})", E::NAME)
    }
}
