//! How many sockets the node and each address may hold.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Bounds on open sockets.
///
/// Source: wire protocol, "Close codes", last paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Most sockets on the node.
    pub connections: u32,
    /// Most sockets from one address; an IPv6 address counts by its /64.
    pub connections_per_ip: u32,
    /// Whether loopback addresses are held to `connections_per_ip` too.
    pub loopback: Loopback,
}

/// How addresses of this machine itself are held to the limit of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// They are not: a proxy without `trusted_proxies`, or a developer.
    Exempt,
    /// Like any other.
    Limited,
}

/// Why a socket is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The address has all it may have.
    #[error("too many connections from one address")]
    Address,
    /// The node has all it may have.
    #[error("too many connections on this node")]
    Node,
}

/// Counts open sockets.
///
/// The counts by address are spread over several locks, each held for one look-up, so that
/// accepting on many cores does not queue up.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    open: AtomicU32,
    addresses: [Mutex<HashMap<IpAddr, u32>>; LOCKS],
    hasher: RandomState,
}

const LOCKS: usize = 16;

/// One socket's place in the limits; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    key: Option<IpAddr>,
}

impl Admission {
    /// Nothing open yet.
    #[must_use]
    pub fn new(limits: AdmissionLimits) -> Arc<Admission> {
        Arc::new(Admission {
            limits,
            open: AtomicU32::new(0),
            addresses: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        })
    }

    /// Lets a socket from `address` in, if there is room.
    ///
    /// # Errors
    /// [`NotAdmitted`] says which limit is reached.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, NotAdmitted> {
        // From here on a refusal gives the place on the node back by dropping the permit.
        let mut permit = self.admit_anyone()?;
        let address = address.to_canonical();
        if address.is_loopback() && self.limits.loopback == Loopback::Exempt {
            return Ok(permit);
        }
        let key = network(address);
        let mut counts = self.counts(key);
        let count = counts.entry(key).or_default();
        if *count >= self.limits.connections_per_ip {
            if *count == 0 {
                counts.remove(&key);
            }
            return Err(NotAdmitted::Address);
        }
        *count += 1;
        permit.key = Some(key);
        Ok(permit)
    }

    /// Lets a socket in that stands for many addresses, as a proxy's does, if there is room.
    ///
    /// # Errors
    /// [`NotAdmitted::Node`].
    pub fn admit_anyone(self: &Arc<Self>) -> Result<Permit, NotAdmitted> {
        let room = self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < self.limits.connections).then_some(open + 1)
            });
        if room.is_err() {
            return Err(NotAdmitted::Node);
        }
        Ok(Permit {
            admission: Arc::clone(self),
            key: None,
        })
    }

    /// Sockets open now.
    #[must_use]
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::Acquire)
    }

    fn counts(&self, key: IpAddr) -> std::sync::MutexGuard<'_, HashMap<IpAddr, u32>> {
        let lock = self.hasher.hash_one(key) as usize % LOCKS;
        self.addresses[lock]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.open.fetch_sub(1, Ordering::AcqRel);
        let Some(key) = self.key else { return };
        let mut counts = self.admission.counts(key);
        if let Some(count) = counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&key);
            }
        }
    }
}

/// What is counted as one address: one household or server has a whole IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: u32, connections_per_ip: u32, loopback: Loopback) -> Arc<Admission> {
        Admission::new(AdmissionLimits {
            connections,
            connections_per_ip,
            loopback,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_its_own_limit_and_gets_its_places_back() {
        let admission = admission(10, 2, Loopback::Exempt);
        let first = admission.admit(ip("192.0.2.1")).expect("room");
        let _second = admission.admit(ip("::ffff:192.0.2.1")).expect("room");
        assert_eq!(
            admission.admit(ip("192.0.2.1")).err(),
            Some(NotAdmitted::Address)
        );
        assert!(admission.admit(ip("192.0.2.2")).is_ok(), "another address");
        assert_eq!(admission.open(), 2, "a refusal holds no place");
        drop(first);
        assert!(admission.admit(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = admission(10, 1, Loopback::Exempt);
        let _first = admission.admit(ip("2001:db8:0:1::1")).expect("room");
        assert!(admission.admit(ip("2001:db8:0:1:ffff::2")).is_err());
        assert!(admission.admit(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn loopback_is_exempt_unless_set() {
        let exempt = admission(10, 1, Loopback::Exempt);
        let _held: Vec<_> = (0..3).map(|_| exempt.admit(ip("127.0.0.1"))).collect();
        assert_eq!(exempt.open(), 3);
        let limited = admission(10, 1, Loopback::Limited);
        let _held = limited.admit(ip("::1")).expect("room");
        assert!(limited.admit(ip("::1")).is_err());
    }

    #[test]
    fn the_node_has_a_limit_that_holds_for_everyone() {
        let admission = admission(2, 10, Loopback::Exempt);
        let held: Vec<_> = (0..2).map(|_| admission.admit(ip("127.0.0.1"))).collect();
        assert_eq!(
            admission.admit(ip("192.0.2.1")).err(),
            Some(NotAdmitted::Node)
        );
        drop(held);
        assert_eq!(admission.open(), 0);
    }
}
