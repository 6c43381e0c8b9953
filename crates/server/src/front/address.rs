//! Where a request comes from, when there are proxies between.

use std::net::{IpAddr, SocketAddr};

use ::http::HeaderMap;

/// The address of the client itself, as far as trusted proxies tell it; found in a request's
/// extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Finds the client behind the proxies.
///
/// Each proxy adds, at the end, the address that it was spoken to from. So the list is read from its
/// end, for as long as the one who added an entry is trusted: the first address that is not
/// is the client, and whatever stands before it is the client's own invention.
///
/// `X-Forwarded-For` alone is read. A proxy that writes that one passes any other header on as
/// the client sent it, `Forwarded` (RFC 7239) too, so to read both would let clients choose
/// their address.
pub(super) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusts: impl Fn(IpAddr) -> bool,
) -> ClientAddress {
    let mut client = peer.to_canonical();
    if !trusts(client) {
        return ClientAddress(client);
    }
    let hops: Vec<&str> = values(headers, "x-forwarded-for").collect();
    for hop in hops.into_iter().rev() {
        let Some(address) = address(hop) else { break };
        client = address;
        if !trusts(client) {
            break;
        }
    }
    ClientAddress(client)
}

/// The parts of all headers of this name, each a list.
fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// An address with or without a port, IPv6 in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .map(|address: IpAddr| address.to_canonical())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, headers: &[(&'static str, &str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header"));
        }
        let trusts = |address: IpAddr| address.to_string().starts_with("10.");
        let found = client_address(peer.parse().expect("an address"), &map, trusts);
        assert_eq!(found.0.to_string(), expected, "{peer} {headers:?}");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        check(
            "192.0.2.1",
            &[("x-forwarded-for", "198.51.100.9")],
            "192.0.2.1",
        );
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &[("x-forwarded-for", "192.0.2.7")], "192.0.2.7");
        check(
            "::ffff:10.0.0.1",
            &[("x-forwarded-for", "192.0.2.7:81")],
            "192.0.2.7",
        );
        check(
            "10.0.0.1",
            &[("x-forwarded-for", "2001:db8::1")],
            "2001:db8::1",
        );
    }

    #[test]
    fn a_header_that_the_proxy_only_passes_on_is_not_read() {
        check(
            "10.0.0.1",
            &[
                ("forwarded", "for=203.0.113.66"),
                ("x-forwarded-for", "192.0.2.7"),
            ],
            "192.0.2.7",
        );
        check("10.0.0.1", &[("forwarded", "for=203.0.113.66")], "10.0.0.1");
    }

    #[test]
    fn only_what_trusted_proxies_added_counts() {
        let forged = "203.0.113.66, 192.0.2.7, 10.0.0.2";
        check("10.0.0.1", &[("x-forwarded-for", forged)], "192.0.2.7");
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "203.0.113.66"),
                ("x-forwarded-for", "192.0.2.7"),
            ],
            "192.0.2.7",
        );
        check(
            "10.0.0.1",
            &[("x-forwarded-for", "192.0.2.7, unknown")],
            "10.0.0.1",
        );
    }
}
