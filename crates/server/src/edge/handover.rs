//! A socket on its way to the shard that will own it.

use std::{fmt, io, net::IpAddr, net::TcpStream, sync::Arc};

use rustls::ServerConnection;

use super::{
    codec::Deflate,
    transport::{MemorySink, Transport},
};
use crate::front::Permit;

/// An upgraded socket on its way to an edge shard.
pub struct Handover {
    pub(super) transport: Transport,
    pub(super) peer: Peer,
    pub(super) unread: Vec<u8>,
}

/// Who is at the other end, and what was agreed with them.
#[derive(Debug)]
pub struct Peer {
    /// Their address, behind trusted proxies.
    pub address: IpAddr,
    /// Whether permessage-deflate was agreed.
    pub deflate: Deflate,
    /// Their place in the limits, given back when the socket is gone.
    pub permit: Option<Permit>,
}

impl Peer {
    /// Somebody at `address`, plain and outside all limits.
    #[must_use]
    pub fn at(address: IpAddr) -> Peer {
        Peer {
            address,
            deflate: Deflate::Off,
            permit: None,
        }
    }
}

impl Handover {
    /// A plain socket whose upgrade is done; `unread` is what came in behind the request.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn plain(socket: TcpStream, peer: Peer, unread: Vec<u8>) -> io::Result<Handover> {
        Ok(Handover {
            transport: Transport::plain(socket)?,
            peer,
            unread,
        })
    }

    /// A socket under TLS whose upgrade is done.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn tls(
        socket: TcpStream,
        session: ServerConnection,
        peer: Peer,
        unread: Vec<u8>,
    ) -> io::Result<Handover> {
        Ok(Handover {
            transport: Transport::tls(socket, session)?,
            peer,
            unread,
        })
    }

    /// No socket: `unread` is all that the client will ever say, and `sink` counts what it is
    /// told. For measuring connections beyond the number of files a process may open.
    #[must_use]
    pub fn memory(sink: Arc<MemorySink>, peer: Peer, unread: Vec<u8>) -> Handover {
        Handover {
            transport: Transport::Memory(sink),
            peer,
            unread,
        }
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover")
            .field("transport", &self.transport)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
