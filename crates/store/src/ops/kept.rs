//! Clients' sessions between two processes, over SQL.

use async_trait::async_trait;
use guildgate_model::UnixMs;

use crate::{
    KeptSessions, StoreError,
    engine::{Engine, SqlStore},
    sql::params,
};

#[async_trait]
impl<E: Engine> KeptSessions for SqlStore<E> {
    async fn keep_sessions(
        &self,
        chunks: Vec<Vec<u8>>,
        saved_at: UnixMs,
    ) -> Result<(), StoreError> {
        self.engine
            .write("keeping the clients' sessions", move |sql| {
                for chunk in &chunks {
                    sql.execute(
                        "INSERT INTO kept_sessions (data, saved_at) VALUES ($1, $2)",
                        params![chunk.as_slice(), saved_at],
                    )?;
                }
                Ok(())
            })
            .await
    }

    async fn take_sessions(&self, since: UnixMs) -> Result<Vec<Vec<u8>>, StoreError> {
        self.engine
            .write("taking the clients' sessions", move |sql| {
                let rows = sql.query(
                    "DELETE FROM kept_sessions RETURNING data, saved_at",
                    params![],
                )?;
                let mut chunks = Vec::new();
                for row in &rows {
                    if row.time(1)? >= since {
                        chunks.push(row.blob(0)?.to_vec());
                    }
                }
                Ok(chunks)
            })
            .await
    }
}
