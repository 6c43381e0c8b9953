//! The same under TLS.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use guildgate_core::client::{Answer, Ask};
use guildgate_server::front::{FrontConfig, Tls, TlsError};
use guildgate_wire::Limits;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::{
    fanout::{hears_the_beginning_and_why, until_slow},
    front::{Site, UPGRADE, read_head, read_to_end, status},
    support::{Client, PATIENCE, World, certain, frame, limits},
};

/// A certificate for "localhost" that nobody else trusts, good for a hundred years.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/edge_loopback/tls")
        .join(name)
}

fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file("cert.pem")).expect("PEM");
    roots.add(certificate).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a session")
}

fn socket(site: &Site) -> TcpStream {
    let socket = TcpStream::connect(site.address).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket.set_nodelay(true).expect("a socket");
    socket
}

/// A client that has asked for something.
fn ask<S: Read + Write>(
    socket: S,
    version: &'static SupportedProtocolVersion,
    request: &str,
) -> StreamOwned<ClientConnection, S> {
    let mut stream = StreamOwned::new(client(&[version]), socket);
    stream
        .write_all(request.as_bytes())
        .expect("the handshake holds");
    stream
}

fn upgrade() -> String {
    format!("GET / HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}\r\n")
}

fn dial_over<S: Read + Write + 'static>(
    socket: S,
    version: &'static SupportedProtocolVersion,
) -> Client {
    let mut stream = ask(socket, version, &upgrade());
    assert_eq!(status(&read_head(&mut stream)), 101);
    Client::over(Box::new(stream))
}

fn dial(site: &Site) -> Client {
    dial_over(socket(site), &TLS13)
}

fn site(world: &World) -> Site {
    let tls = Tls::load(&file("cert.pem"), &file("key.pem")).expect("a sound pair");
    Site::with(FrontConfig::default(), &world.edges, Some(tls))
}

/// A socket that sends one byte at a time.
struct Dribble(TcpStream);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Dribble {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn everything_works_under_tls_a_resume_on_another_shard_too() {
    let mut world = World::new(2, limits());
    let site = site(&world);
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
    let site = site(&world);
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
fn a_client_that_dribbles_is_heard_in_both_versions() {
    let mut world = World::new(1, limits());
    let site = site(&world);
    for version in [&TLS12, &TLS13] {
        let mut client = dial_over(Dribble(socket(&site)), version);
        world.let_in_basic(&mut client);
        world.join(&mut client);
        client.expect_alive();
    }
    site.end();
    world.end();
}

#[test]
fn what_comes_behind_the_request_is_not_lost_under_tls() {
    let mut world = World::new(1, limits());
    let site = site(&world);
    let mut socket = socket(&site);
    let mut session = client(&[&TLS13]);
    while session.is_handshaking() {
        session.complete_io(&mut socket).expect("a handshake");
    }
    // With the request come a text and some of the next record, whose rest comes much later.
    let hello = frame(0x81, br#"{"op":1,"d":{"token":null,"uid":null}}"#);
    let join = br#"{"op":6,"cmd":"CONNECT_GUILD","d":{"gid":"77","token":"gggg_x"}}"#;
    let mut bytes = Vec::new();
    for part in [[upgrade().as_bytes(), &hello].concat(), frame(0x81, join)] {
        session.writer().write_all(&part).expect("memory");
        session.write_tls(&mut bytes).expect("memory");
    }
    let (now, later) = bytes.split_at(bytes.len() - 40);
    socket.write_all(now).expect("loopback");
    let rest = socket.try_clone().expect("a socket");
    let mut stream = StreamOwned::new(session, socket);
    assert_eq!(status(&read_head(&mut stream)), 101);
    let mut client = Client::over(Box::new(stream));
    client.expect_op(0);
    let (id, _) = world.question();
    world.answer(id, Answer::Basic);
    client.expect_op(2);
    (&rest).write_all(later).expect("loopback");
    let (_, ask) = world.question();
    assert!(matches!(ask, Ask::ConnectGuild { .. }), "{ask:?}");
    site.end();
    world.end();
}

#[test]
fn a_message_in_many_records_arrives() {
    let mut world = World::new(
        1,
        Limits {
            frame_bytes_max: 64 * 1024,
            ..limits()
        },
    );
    let site = site(&world);
    let mut client = dial(&site);
    world.let_in(&mut client, 5);
    let spaces = " ".repeat(50_000);
    client.send(&format!(
        r#"{{"op":6,{spaces}"cmd":"CONNECT_GUILD","d":{{"gid":"77","token":"gggg_x"}}}}"#
    ));
    let (_, ask) = world.question();
    assert!(matches!(ask, Ask::ConnectGuild { .. }), "{ask:?}");
    site.end();
    world.end();
}

#[test]
fn a_page_comes_whole_and_ends_as_tls_ends() {
    let world = World::new(1, limits());
    let site = site(&world);
    for version in [&TLS12, &TLS13] {
        let request = "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut stream = ask(socket(&site), version, request);
        assert_eq!(status(&read_head(&mut stream)), 200);
        let mut page = Vec::new();
        stream
            .read_to_end(&mut page)
            .expect("an end that was announced");
        assert!(page == vec![b'x'; 1 << 20], "{} bytes", page.len());
    }
    site.end();
    world.end();
}

#[test]
fn the_edge_ends_as_tls_ends() {
    let world = World::new(1, limits());
    let site = site(&world);
    for version in [&TLS12, &TLS13] {
        let mut stream = ask(socket(&site), version, &upgrade());
        assert_eq!(status(&read_head(&mut stream)), 101);
        stream
            .write_all(&frame(0x81, b"not JSON"))
            .expect("loopback");
        let mut said = Vec::new();
        stream
            .read_to_end(&mut said)
            .expect("an end that was announced");
        let code = said.windows(2).any(|pair| pair == 4002_u16.to_be_bytes());
        assert!(code, "no close frame in {said:?}");
    }
    site.end();
    world.end();
}

#[test]
fn records_that_nobody_sealed_end_the_connection_and_no_other() {
    let mut world = World::new(1, limits());
    let site = site(&world);
    let mut good = dial(&site);
    world.let_in_basic(&mut good);
    for garbage in [&[0x17, 3, 3, 0xff, 0xff][..], &[b'x'; 20_000]] {
        let raw = socket(&site);
        let mut stream = ask(raw.try_clone().expect("a socket"), &TLS13, &upgrade());
        assert_eq!(status(&read_head(&mut stream)), 101);
        (&raw).write_all(garbage).expect("loopback");
        let mut said = Vec::new();
        let end = stream.read_to_end(&mut said);
        assert!(end.is_err(), "an alert or a reset, not {said:?}");
    }
    good.expect_alive();
    site.end();
    world.end();
}

#[test]
fn a_client_that_never_reads_its_pages_is_let_go_under_tls() {
    let world = World::new(1, limits());
    let tls = Tls::load(&file("cert.pem"), &file("key.pem")).expect("a sound pair");
    let config = FrontConfig {
        taken_within: Duration::from_millis(200),
        ..FrontConfig::default()
    };
    let site = Site::with(config, &world.edges, Some(tls));
    let socket = socket(&site);
    socket.set_write_timeout(Some(PATIENCE)).expect("a socket");
    let mut session = client(&[&TLS13]);
    while session.is_handshaking() {
        session.complete_io(&mut &socket).expect("a handshake");
    }
    let requests = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let mut sent = 0;
    let ended = loop {
        session.writer().write_all(&requests).expect("memory");
        match session.write_tls(&mut &socket) {
            Ok(len) => sent += len,
            Err(error) => break error.kind(),
        }
        assert!(sent < 256 << 20, "the server reads on and on");
    };
    assert!(
        matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "the socket stays open: {ended:?}"
    );
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
