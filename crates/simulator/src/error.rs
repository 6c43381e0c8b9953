//! Why a simulator cannot start or do as asked.

use std::net::SocketAddr;

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address cannot be listened at.
    #[error(
        "cannot listen at {address}; is another program there already? Choose another address or stop it"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}
