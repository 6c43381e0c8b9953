//! The HTTP side: accepts sockets, answers requests, and hands upgraded ones to the edge.
//!
//! Every wait on a stranger has an end here: TLS handshakes, headers, bodies, answers that
//! nobody takes and idle connections are timed, and sockets are counted by address and in all before anything is
//! read from them.

mod address;
mod admission;
mod http;
mod listener;
mod patient;
mod threads;
mod tls;
mod tls_stream;
mod upgrade;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::{config::AddressRange, edge::Edges};

pub use address::ClientAddress;
pub use admission::{Admission, AdmissionLimits, Loopback, NotAdmitted, Permit};
pub use listener::serve;
pub use threads::FrontThreads;
pub use tls::{Tls, TlsError};
pub use upgrade::Origins;

/// What the HTTP side goes by.
#[derive(Debug, Clone)]
pub struct FrontConfig {
    /// Which pages may connect.
    pub origins: Origins,
    /// Whose word on a client's address is taken.
    pub trusted_proxies: Vec<AddressRange>,
    /// Bounds on upgraded sockets.
    pub upgraded: AdmissionLimits,
    /// Bounds on sockets that are not upgraded yet, by the address they come from; proxies
    /// that are trusted have only the first.
    pub plain: AdmissionLimits,
    /// Whether permessage-deflate is agreed to.
    pub deflate: DeflateOffer,
    /// How long a TLS handshake, the headers of one request, and the time between two
    /// requests may each take.
    pub header_within: Duration,
    /// How long a request may take from its headers to the answer.
    pub answer_within: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub taken_within: Duration,
}

/// What a client that offers permessage-deflate is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeflateOffer {
    /// Agreed, without context takeover on either side.
    Accept,
    /// Not agreed.
    Decline,
}

impl Default for FrontConfig {
    fn default() -> FrontConfig {
        FrontConfig {
            origins: Origins::Any,
            trusted_proxies: Vec::new(),
            upgraded: AdmissionLimits {
                connections: 100_000,
                connections_per_ip: 100,
                loopback: Loopback::Exempt,
            },
            // Room for all who come back at once after a restart, each for a moment.
            plain: AdmissionLimits {
                connections: 16_384,
                connections_per_ip: 256,
                loopback: Loopback::Exempt,
            },
            deflate: DeflateOffer::Decline,
            header_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(30),
            taken_within: Duration::from_secs(30),
        }
    }
}

/// The HTTP side's state, shared by all its connections.
#[derive(Debug)]
pub struct Front {
    config: FrontConfig,
    edges: Edges,
    services: Handle,
    upgraded: Arc<Admission>,
    plain: Arc<Admission>,
}

impl Front {
    /// Nothing accepted yet; upgraded sockets will go to `edges`, and what is asked of pages and
    /// the API is answered on `services`.
    #[must_use]
    pub fn new(config: FrontConfig, edges: Edges, services: Handle) -> Arc<Front> {
        Arc::new(Front {
            upgraded: Admission::new(config.upgraded.clone()),
            plain: Admission::new(config.plain.clone()),
            config,
            edges,
            services,
        })
    }

    /// Upgraded sockets open now, for the metrics.
    #[must_use]
    pub fn upgraded_open(&self) -> u32 {
        self.upgraded.open()
    }

    /// Sockets open now that are not upgraded, for the metrics.
    #[must_use]
    pub fn plain_open(&self) -> u32 {
        self.plain.open()
    }

    fn trusts(&self, proxy: IpAddr) -> bool {
        self.config
            .trusted_proxies
            .iter()
            .any(|range| range.contains(proxy))
    }
}
