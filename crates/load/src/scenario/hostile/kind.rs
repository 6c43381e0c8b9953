//! The kinds of attack, by name.

use std::net::SocketAddr;

use anyhow::Result;

use super::{attack::Attack, raw::Raw, upgraded::Upgraded};

/// What attackers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AttackKind {
    /// Connect, and say nothing.
    HalfOpen,
    /// Send a header byte by byte, and never end it.
    EndlessHeaders,
    /// Send a MiB of header; a tenth as many as of the others.
    LongHeaders,
    /// Upgrade, then claim a frame of 2^63 bytes.
    HugeFrames,
    /// Upgrade, then ping without a pause.
    PingFloods,
    /// Upgrade, then send one byte a second.
    ByteASecond,
    /// Upgrade, then say nothing.
    NeverAuthenticating,
}

impl AttackKind {
    /// How a report calls it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            AttackKind::HalfOpen => "half-open sockets",
            AttackKind::EndlessHeaders => "headers that never end",
            AttackKind::LongHeaders => "a MiB of header",
            AttackKind::HugeFrames => "frames of 2^63 bytes",
            AttackKind::PingFloods => "ping floods",
            AttackKind::ByteASecond => "one byte a second",
            AttackKind::NeverAuthenticating => "never authenticating",
        }
    }

    /// How many there are of this kind, where there are `attackers` of the others.
    pub(super) fn count(self, attackers: usize) -> usize {
        match self {
            // Each is longer than the longest header that is read.
            AttackKind::LongHeaders => (attackers / 10).max(1),
            AttackKind::HalfOpen
            | AttackKind::EndlessHeaders
            | AttackKind::HugeFrames
            | AttackKind::PingFloods
            | AttackKind::ByteASecond
            | AttackKind::NeverAuthenticating => attackers,
        }
    }

    /// `count` attackers, not dialled yet.
    ///
    /// # Errors
    /// If the system gives no epoll handle.
    pub(super) fn attack(self, gateway: SocketAddr, count: usize) -> Result<Box<dyn Attack>> {
        Ok(match self {
            AttackKind::HalfOpen => Box::new(Raw::silent(gateway, count)),
            AttackKind::EndlessHeaders => Box::new(Raw::trickling(gateway, count)),
            AttackKind::LongHeaders => Box::new(Raw::long(gateway, count)),
            AttackKind::HugeFrames => Box::new(Upgraded::huge(gateway, count)?),
            AttackKind::PingFloods => Box::new(Upgraded::pings(gateway, count)?),
            AttackKind::ByteASecond => Box::new(Upgraded::byte_by_byte(gateway, count)?),
            AttackKind::NeverAuthenticating => Box::new(Upgraded::mute(gateway, count)?),
        })
    }
}
