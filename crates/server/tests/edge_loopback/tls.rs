//! The same under TLS.

use std::{
    io::Write,
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use guildgate_server::front::{FrontConfig, Tls, TlsError};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::{
    fanout::{hears_the_beginning_and_why, until_slow},
    front::{Site, UPGRADE, read_head, read_to_end, status},
    support::{Client, PATIENCE, World, certain, limits},
};

/// A certificate for "localhost" that nobody else trusts, good for a hundred years.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/edge_loopback/tls")
        .join(name)
}

fn dial(site: &Site) -> Client {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file("cert.pem")).expect("PEM");
    roots.add(certificate).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the defaults hold")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let socket = TcpStream::connect(site.address).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut stream = StreamOwned::new(session, socket);
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}\r\n").as_bytes())
        .expect("the handshake holds");
    assert_eq!(status(&read_head(&mut stream)), 101);
    Client::over(Box::new(stream))
}

#[test]
fn everything_works_under_tls_a_resume_on_another_shard_too() {
    let mut world = World::new(2, limits());
    let tls = Tls::load(&file("cert.pem"), &file("key.pem")).expect("a sound pair");
    let site = Site::with(FrontConfig::default(), &world.edges, Some(tls));
    let mut client = dial(&site);
    let (_, session) = world.let_in(&mut client, 5);
    world.join(&mut client);
    world.broadcast(&certain(1, 0));
    assert_eq!(client.expect_op(5)["s"], 1);
    let mut other = dial(&site);
    other.expect_op(0);
    other.send(&format!(
        r#"{{"op":1,"d":{{"token":"gggu_x","uid":"5","resume":{{"session_id":"{session}","seq":1}}}}}}"#
    ));
    let (id, _) = world.question();
    assert_eq!(id.edge, 1, "it came to the other shard");
    world.answer(id, crate::support::full(5));
    assert_eq!(other.expect_op(2)["d"]["resumed"], true);
    client.expect_close(4005);
    // More than the kernel and the library take at once.
    for number in 2..=9 {
        world.broadcast(&certain(number, 1_000_000));
        assert_eq!(other.expect_op(5)["s"], number);
    }
    other.expect_alive();
    other.send("not JSON");
    other.expect_close(4002);
    site.end();
    world.end();
}

#[test]
fn who_reads_late_under_tls_finds_out_why_it_was_closed() {
    let mut world = World::new(1, limits());
    let tls = Tls::load(&file("cert.pem"), &file("key.pem")).expect("a sound pair");
    let site = Site::with(FrontConfig::default(), &world.edges, Some(tls));
    let mut slow = dial(&site);
    world.let_in_basic(&mut slow);
    world.join(&mut slow);
    let (bytes, sent) = until_slow(&world, 250);
    assert!(
        bytes < 900_000,
        "{bytes} bytes were taken for somebody who does not read"
    );
    hears_the_beginning_and_why(&mut slow, sent);
    site.end();
    world.end();
}

#[test]
fn a_socket_that_speaks_no_tls_is_let_go() {
    let world = World::new(1, limits());
    let tls = Tls::load(&file("cert.pem"), &file("key.pem")).expect("a sound pair");
    let config = FrontConfig {
        header_within: Duration::from_millis(200),
        ..FrontConfig::default()
    };
    let site = Site::with(config, &world.edges, Some(tls));
    let mut plain = TcpStream::connect(site.address).expect("loopback");
    plain
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .expect("loopback");
    let mut silent = TcpStream::connect(site.address).expect("loopback");
    for stream in [&mut plain, &mut silent] {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let said = read_to_end(stream);
        assert!(!said.starts_with(b"HTTP/"), "nothing is said in the clear");
    }
    site.end();
    world.end();
}

#[test]
fn files_that_do_not_do_are_named() {
    let none = Tls::load(&file("no-such.pem"), &file("key.pem"));
    assert!(
        matches!(
            none,
            Err(TlsError::Missing {
                setting: "tls.certificate",
                ..
            })
        ),
        "{none:?}"
    );
    let swapped = Tls::load(&file("key.pem"), &file("cert.pem"));
    assert!(
        matches!(swapped, Err(TlsError::NoCertificate(_))),
        "{swapped:?}"
    );
    let keyless = Tls::load(&file("cert.pem"), &file("cert.pem"));
    assert!(matches!(keyless, Err(TlsError::Key { .. })), "{keyless:?}");
}
