use std::collections::VecDeque;

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};

use super::*;

mod hostile;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/edge_loopback/tls")
        .join(name)
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file("cert.pem")).expect("PEM")
}

fn session() -> TlsSession {
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the defaults hold")
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .expect("a pair");
    TlsSession::new(Arc::new(config)).expect("a session")
}

fn client_config(version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    config
}

/// A socket that does not block, between the two.
struct Wire {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
    /// Most that it takes for a client that does not read.
    room: usize,
    /// Most that it moves at once.
    at_once: usize,
    hung_up: bool,
    /// Whether it takes nothing for good.
    broken: bool,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.to_server.is_empty() && !self.hung_up {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = buffer.len().min(self.at_once);
        self.to_server.read(&mut buffer[..len])
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = self.room - self.to_client.len();
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = bytes.len().min(room).min(self.at_once);
        self.to_client.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A session, and a client of it.
struct Pair {
    session: TlsSession,
    wire: Wire,
    client: ClientConnection,
    /// What the client has opened.
    heard: Vec<u8>,
}

impl Pair {
    /// Before the handshake.
    fn new(config: ClientConfig) -> Pair {
        let name = ServerName::try_from("localhost").expect("a name");
        Pair {
            session: session(),
            wire: Wire {
                to_server: VecDeque::new(),
                to_client: Vec::new(),
                room: 1 << 20,
                at_once: usize::MAX,
                hung_up: false,
                broken: false,
            },
            client: ClientConnection::new(Arc::new(config), name).expect("a client"),
            heard: Vec::new(),
        }
    }

    /// With a handshake that is done.
    fn shaken(version: &'static SupportedProtocolVersion) -> Pair {
        let mut pair = Pair::new(client_config(version));
        pair.shake();
        pair
    }

    fn shake(&mut self) {
        loop {
            self.client_sends();
            match self.session.handshake(&mut self.wire) {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            self.client_hears();
        }
        self.client_hears();
        assert!(!self.client.is_handshaking());
        assert_idle(&self.session);
    }

    /// Puts on the wire what the client has to send.
    fn client_sends(&mut self) {
        while self.client.wants_write() {
            self.client
                .write_tls(&mut self.wire.to_server)
                .expect("memory");
        }
    }

    fn client_says(&mut self, bytes: &[u8]) {
        self.client.set_buffer_limit(None);
        self.client.writer().write_all(bytes).expect("memory");
        self.client_sends();
    }

    /// Lets the client take all that is on the wire.
    fn client_hears(&mut self) -> rustls::IoState {
        let mut wire = &self.wire.to_client[..];
        while !wire.is_empty() {
            self.client.read_tls(&mut wire).expect("memory");
            let state = self.client.process_new_packets().expect("sound records");
            let before = self.heard.len();
            self.heard
                .resize(before + state.plaintext_bytes_to_read(), 0);
            self.client
                .reader()
                .read_exact(&mut self.heard[before..])
                .expect("it is there");
        }
        self.wire.to_client.clear();
        self.client.process_new_packets().expect("sound records")
    }

    /// All that can be read now, in bites of the given size.
    fn read(&mut self, bite: usize) -> Vec<u8> {
        let mut read = Vec::new();
        let mut buffer = vec![0; bite];
        loop {
            match self.session.read(&mut self.wire, &mut buffer) {
                Ok(0) => panic!("it has ended"),
                Ok(len) => read.extend_from_slice(&buffer[..len]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    return read;
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.session
            .write(&mut self.wire, bytes)
            .expect("the wire holds")
    }
}

fn assert_idle(session: &TlsSession) {
    let kept = [&session.partial, &session.opened, &session.sealed];
    assert_eq!(
        kept.map(Vec::capacity),
        [0; 3],
        "an idle session keeps nothing"
    );
}

/// Bytes that differ from place to place.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7) as u8).collect()
}

#[test]
fn what_is_said_is_heard_on_both_sides() {
    for version in BOTH {
        let mut pair = Pair::shaken(version);
        for len in [1, 100, 16_384, 16_385, 100_000] {
            pair.client_says(&text(len));
            assert!(pair.read(16 * 1024) == text(len), "{len} bytes");
            assert_eq!(pair.write(&text(len)), len);
            pair.client_hears();
            assert!(pair.heard == text(len), "{len} bytes");
            pair.heard.clear();
            assert_idle(&pair.session);
        }
    }
}

#[test]
fn a_client_that_dribbles_is_heard() {
    for version in BOTH {
        let mut pair = Pair::new(client_config(version));
        pair.wire.at_once = 1;
        pair.shake();
        pair.client_says(&text(5_000));
        let mut read = Vec::new();
        // Each byte comes alone, and the session is asked between any two.
        for byte in std::mem::take(&mut pair.wire.to_server) {
            assert!(read.is_empty(), "a record opens with its last byte");
            pair.wire.to_server.push_back(byte);
            read = pair.read(64);
        }
        assert!(read == text(5_000));
        assert_idle(&pair.session);
    }
}

#[test]
fn a_hello_in_many_records_is_understood() {
    for version in BOTH {
        let mut config = client_config(version);
        config.max_fragment_size = Some(32);
        let mut pair = Pair::new(config);
        pair.wire.at_once = 50;
        pair.shake();
        pair.client_says(&text(1_000));
        assert!(pair.read(16 * 1024) == text(1_000));
    }
}

#[test]
fn what_comes_behind_the_handshake_is_kept_for_the_reader() {
    for version in BOTH {
        let mut pair = Pair::new(client_config(version));
        // It waits in the client until the handshake is over, and goes out with its end.
        pair.client.writer().write_all(b"early").expect("memory");
        loop {
            pair.client_sends();
            match pair.session.handshake(&mut pair.wire) {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            pair.client_hears();
        }
        pair.client_hears();
        pair.client_sends();
        assert_eq!(pair.read(2), b"early");
        assert_idle(&pair.session);
    }
}

#[test]
fn what_waits_for_a_client_that_does_not_read_is_bounded_and_complete() {
    for version in BOTH {
        let mut pair = Pair::shaken(version);
        pair.wire.room = 10_000;
        let all = text(1 << 20);
        let mut taken = pair.write(&all);
        assert!(pair.session.has_unsent());
        assert!(pair.session.sealed.len() <= SEALED_AT_ONCE_MAX + ROOM_BESIDE);
        let more = pair.session.write(&mut pair.wire, &all[taken..]);
        assert_eq!(
            more.expect_err("it waits").kind(),
            ErrorKind::WouldBlock,
            "nothing is sealed while sealed bytes wait"
        );
        // It is heard all the same.
        pair.client_says(b"still here");
        assert_eq!(pair.read(64), b"still here");
        while taken < all.len() || pair.session.has_unsent() {
            pair.client_hears();
            match pair.session.write(&mut pair.wire, &all[taken..]) {
                Ok(len) => taken += len,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        pair.client_hears();
        assert!(pair.heard == all);
        assert_idle(&pair.session);
    }
}

#[test]
fn keys_change_when_the_client_wants_it() {
    let mut pair = Pair::shaken(&TLS13);
    for round in 0..100 {
        pair.client.refresh_traffic_keys().expect("TLS 1.3");
        pair.client_says(b"under new keys");
        assert_eq!(pair.read(64), b"under new keys", "round {round}");
        pair.write(b"mine too");
        pair.client_hears();
        assert_eq!(
            std::mem::take(&mut pair.heard),
            b"mine too",
            "round {round}"
        );
    }
}

#[test]
fn an_end_is_said_and_heard() {
    for version in BOTH {
        let mut pair = Pair::shaken(version);
        pair.write(b"last words");
        pair.session.finish(&mut pair.wire).expect("memory");
        pair.session.finish(&mut pair.wire).expect("said once");
        let state = pair.client_hears();
        assert!(state.peer_has_closed());
        assert_eq!(pair.heard, b"last words");
        // The client may go on, and end in its own time.
        pair.client_says(b"good bye");
        pair.client.send_close_notify();
        pair.client_sends();
        let mut buffer = [0; 64];
        let len = pair.session.read(&mut pair.wire, &mut buffer);
        assert_eq!(&buffer[..len.expect("it is there")], b"good bye");
        for _ in 0..2 {
            let end = pair.session.read(&mut pair.wire, &mut buffer);
            assert_eq!(end.expect("an end is none of an error"), 0);
        }
        assert_idle(&pair.session);
    }
}

#[test]
fn an_end_waits_behind_what_is_not_sent() {
    let mut pair = Pair::shaken(&TLS13);
    pair.wire.room = 100;
    let taken = pair.write(&text(5_000));
    assert_eq!(taken, 5_000);
    while let Err(error) = pair.session.finish(&mut pair.wire) {
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        pair.client_hears();
    }
    assert!(pair.client_hears().peer_has_closed());
    assert!(pair.heard == text(5_000));
}

#[test]
fn who_ended_may_still_be_told_something() {
    for version in BOTH {
        let mut pair = Pair::shaken(version);
        pair.client.send_close_notify();
        pair.client_sends();
        let end = pair.session.read(&mut pair.wire, &mut [0; 8]);
        assert_eq!(end.expect("an end"), 0);
        pair.write(b"so long");
        pair.client_hears();
        assert_eq!(pair.heard, b"so long");
    }
}

#[test]
fn hanging_up_in_the_middle_of_a_record_is_an_end() {
    for version in BOTH {
        let mut pair = Pair::shaken(version);
        pair.client_says(&text(1_000));
        pair.wire.to_server.truncate(500);
        pair.wire.hung_up = true;
        let end = pair.session.read(&mut pair.wire, &mut [0; 8]);
        assert_eq!(end.expect("an end"), 0);
        assert_eq!(pair.write(b"to whom it may concern"), 22);
    }
    let mut pair = Pair::new(client_config(&TLS13));
    pair.client_sends();
    pair.wire.to_server.truncate(50);
    pair.wire.hung_up = true;
    let end = pair.session.handshake(&mut pair.wire);
    assert_eq!(
        end.expect_err("no handshake").kind(),
        ErrorKind::UnexpectedEof
    );
}

#[test]
fn a_socket_that_fails_does_not_disturb_what_is_sealed() {
    let mut pair = Pair::shaken(&TLS13);
    pair.write(b"one");
    pair.wire.broken = true;
    for _ in 0..2 {
        let failed = pair.session.write(&mut pair.wire, b"two");
        assert_eq!(
            failed.expect_err("the socket is broken").kind(),
            ErrorKind::BrokenPipe
        );
    }
    pair.wire.broken = false;
    pair.write(b"three");
    pair.client_hears();
    assert_eq!(pair.heard, b"onetwothree");
}
