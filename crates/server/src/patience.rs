//! How long a test waits.

use std::time::Duration;

/// Longest wait for anything, on the slowest machine; a test that gets there has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens in the end, and not never.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen"),
    }
}
