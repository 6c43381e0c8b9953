//! PostgreSQL: a pool of connections, a transaction an operation.

mod address;
mod listen;
mod migrate;
mod session;
mod tls;

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use tokio::{runtime::Handle, sync::watch};

use self::{
    address::Address,
    listen::{Listener, Node},
    session::{Fault, Session},
};
use crate::{
    StoreError,
    engine::{Engine, SqlStore},
    error::cause,
    sql::Sql,
};

/// How many connections a process opens for operations; more operations wait their turn. One
/// more listens. PostgreSQL's own default is to take 100 in all.
const CONNECTIONS_MAX: usize = 16;

/// How long to wait for a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// How often an operation is begun anew when the database asks for it.
const TRIES_MAX: u32 = 5;

/// How long a node that made a version of a document waits before it goes on, where another
/// waits for its turn. That one comes too late, and must read what is new before it tries again:
/// a node that always has a next patch at hand would be first every time.
const GIVE_WAY: Duration = Duration::from_millis(40);

/// What every connection sets. A commit that is answered must be on the disk whatever the
/// server's own setting; nothing here takes so long but what waits for the dead.
const SETTINGS: &str = "-c synchronous_commit=on -c statement_timeout=30000 \
     -c idle_in_transaction_session_timeout=30000";

/// The store in a PostgreSQL database, which several nodes may share.
pub type PostgresStore = SqlStore<Postgres>;

/// The PostgreSQL engine.
pub struct Postgres {
    pool: Pool,
    signal: watch::Sender<u64>,
    node: Node,
    _listener: Listener,
}

impl PostgresStore {
    /// Opens the database at `url` (`postgres://USER:PASSWORD@HOST/DATABASE`, or a list of
    /// `key=value`), and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Location`], [`StoreError::Open`], [`StoreError::Newer`] or
    /// [`StoreError::Migrate`].
    pub async fn open(url: &str) -> Result<PostgresStore, StoreError> {
        let address = Address::read(url)?;
        let refused = |error: &(dyn std::error::Error + 'static)| StoreError::Open {
            what: address.what.clone(),
            hint: tls::hint(error),
            source: cause(error),
        };
        let manager = Manager::from_config(
            address.config.clone(),
            address.connector.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(CONNECT_WAIT),
                create: Some(CONNECT_WAIT),
                recycle: Some(CONNECT_WAIT),
            })
            .build()
            .map_err(|error| refused(&error))?;
        // Tells a wrong password apart from tables that cannot be made.
        drop(pool.get().await.map_err(|error| refused(&error))?);
        migrate::migrate(&address).await?;
        let (signal, node) = (watch::channel(0).0, Node::new());
        Ok(SqlStore::new(Postgres {
            pool,
            _listener: Listener::start(address, node, signal.clone()).await,
            signal,
            node,
        }))
    }
}

impl Engine for Postgres {
    async fn write<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let signal = self.signal.clone();
        let commit = self.node.commit();
        let done = self.on_connection(attempted, move |handle, connection| {
            let done = session::transact(handle, connection, attempted, &commit, &operation)?;
            if done.fed {
                signal.send_modify(|count| *count += 1);
            }
            Ok(done)
        });
        let done = done.await?;
        if done.outran {
            tokio::time::sleep(GIVE_WAY).await;
        }
        Ok(done.result)
    }

    async fn read<T: Send + 'static>(
        &self,
        attempted: &'static str,
        operation: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_connection(attempted, move |handle, connection| {
            let mut session = Session::new(handle, &*connection, attempted);
            let result = operation(&mut session);
            session.outcome(result)
        })
        .await
    }

    fn feed_signal(&self) -> watch::Receiver<u64> {
        self.signal.subscribe()
    }

    const NAME: &'static str = "PostgreSQL";
    const VERSION_QUERY: &'static str = "SELECT current_setting('server_version')";

    fn schema_known() -> i32 {
        migrate::known()
    }
}

impl Postgres {
    /// Runs `work` on a connection and a thread that may wait for it, again where the fault
    /// says that this is safe and may help. Operations are plain functions, so that both
    /// engines share them; here each waits for its answers on a thread of the blocking pool, of
    /// which no more are busy than there are connections.
    async fn on_connection<T: Send + 'static>(
        &self,
        attempted: &'static str,
        work: impl Fn(&Handle, &mut Object) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut work = work;
        let mut tries = 1;
        loop {
            let mut connection = self
                .pool
                .get()
                .await
                .map_err(|error| unreachable_pool(attempted, error))?;
            let handle = Handle::current();
            let ran = tokio::task::spawn_blocking(move || {
                let result = work(&handle, &mut connection);
                (work, result)
            });
            let (back, result) = ran.await.map_err(|_| StoreError::Closed)?;
            work = back;
            match result {
                Ok(result) => return Ok(result),
                Err(Fault::Again(_)) if tries < TRIES_MAX => tries += 1,
                Err(Fault::Again(error) | Fault::Final(error)) => return Err(error),
            }
        }
    }
}

fn unreachable_pool(attempted: &'static str, error: PoolError) -> StoreError {
    match error {
        PoolError::Closed => StoreError::Closed,
        error => StoreError::Unavailable {
            attempted,
            source: cause(&error),
        },
    }
}
