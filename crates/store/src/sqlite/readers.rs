//! A few connections that read while the writer writes.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::session::Session;
use crate::{StoreError, sql::Sql};

/// How many operations read at once; more wait their turn.
const READERS: usize = 4;

/// How much of the file each keeps in memory. They would keep the same pages, each for itself,
/// and the kernel keeps them once.
const READER_CACHE_KIB: i64 = 1024;

/// A few connections that read while the writer writes.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(
        connect: impl Fn() -> Result<Connection, StoreError>,
    ) -> Result<Readers, StoreError> {
        let idle = (0..READERS)
            .map(|_| {
                let connection = connect()?;
                connection
                    .pragma_update(None, "query_only", true)
                    .and_then(|()| connection.pragma_update(None, "cache_size", -READER_CACHE_KIB))
                    .map_err(|error| super::session::failure("opening a reader", error))?;
                Ok(connection)
            })
            .collect::<Result<Vec<Connection>, StoreError>>()?;
        Ok(Readers {
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(READERS)),
        })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let read = tokio::task::spawn_blocking(move || {
            let connection = idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()
                .ok_or(StoreError::Closed)?;
            let result = operation(&mut Session::new(&connection, attempted));
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            // Only now: whoever gets the permit must find a connection.
            drop(permit);
            result
        });
        read.await.map_err(|_| StoreError::Closed)?
    }
}
