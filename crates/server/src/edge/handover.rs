//! A socket on its way to the shard that will own it.

use std::{fmt, io, net::IpAddr, net::TcpStream, sync::Arc};

use super::{
    codec::Deflate,
    shard::Moving,
    tls::TlsSession,
    transport::{MemorySink, Transport},
};
use crate::front::Permit;

/// An upgraded socket on its way to an edge shard.
pub struct Handover(pub(super) Arrival);

/// Where a socket comes from.
pub(super) enum Arrival {
    /// From its upgrade.
    Upgraded {
        transport: Transport,
        peer: Peer,
        unread: Vec<u8>,
    },
    /// From another shard.
    Moving(Box<Moving>),
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
        Ok(Handover(Arrival::Upgraded {
            transport: Transport::plain(socket)?,
            peer,
            unread,
        }))
    }

    /// A socket under TLS whose upgrade is done.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn tls(
        socket: TcpStream,
        session: TlsSession,
        peer: Peer,
        unread: Vec<u8>,
    ) -> io::Result<Handover> {
        Ok(Handover(Arrival::Upgraded {
            transport: Transport::tls(socket, session)?,
            peer,
            unread,
        }))
    }

    /// No socket: `unread` is all that the client will ever say, and `sink` counts what it is
    /// told. For measuring connections beyond the number of files a process may open.
    #[must_use]
    pub fn memory(sink: Arc<MemorySink>, peer: Peer, unread: Vec<u8>) -> Handover {
        Handover(Arrival::Upgraded {
            transport: Transport::Memory(sink),
            peer,
            unread,
        })
    }

    pub(super) fn moving(moving: Moving) -> Handover {
        Handover(Arrival::Moving(Box::new(moving)))
    }
}

impl fmt::Debug for Handover {
    /// Without the bytes that came with it, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Arrival::Upgraded { .. } => "Handover(Upgraded)",
            Arrival::Moving(_) => "Handover(Moving)",
        })
    }
}
