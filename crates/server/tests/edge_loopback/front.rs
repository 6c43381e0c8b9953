//! The HTTP side: from a request to a client of a shard.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

use axum::{Router, routing::get};
use guildgate_core::client::Answer;
use guildgate_server::{
    edge::Edges,
    front::{
        AdmissionLimits, DeflateOffer, Front, FrontConfig, FrontThreads, Loopback, Origins, Tls,
        serve,
    },
};
use tokio::{
    runtime::{self, Runtime},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Client, PATIENCE, World, limits};

/// An accept loop in front of shards, on threads of its own as a node's is.
pub struct Site {
    pub address: SocketAddr,
    drain: CancellationToken,
    stop: CancellationToken,
    services: Runtime,
    _threads: FrontThreads,
    loop_: JoinHandle<()>,
}

impl Site {
    fn new(config: FrontConfig, edges: &Edges) -> Site {
        Site::with(config, edges, None)
    }

    pub fn with(config: FrontConfig, edges: &Edges, tls: Option<Tls>) -> Site {
        let router = Router::new()
            .route("/", get(async || "the page"))
            .route("/large", get(async || vec![b'x'; 1 << 20]))
            .route("/slow", get(std::future::pending::<String>));
        Site::of(router, config, edges, tls)
    }

    fn of(router: Router, config: FrontConfig, edges: &Edges, tls: Option<Tls>) -> Site {
        let services = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(SERVICES)
            .enable_all()
            .build()
            .expect("a runtime");
        let threads = FrontThreads::start().expect("threads can be started");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let loop_ = threads.handle().spawn(serve(
            Front::new(config, edges.clone(), services.handle().clone()),
            threads.watch(listener).expect("a listener"),
            tls,
            router,
            drain.clone(),
            stop.clone(),
        ));
        Site {
            address,
            drain,
            stop,
            services,
            _threads: threads,
            loop_,
        }
    }

    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("loopback");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// What is answered to a request with these further headers.
    fn ask(&self, path: &str, headers: &str) -> (TcpStream, String) {
        let mut stream = self.dial();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("loopback");
        let head = read_head(&mut stream);
        (stream, head)
    }

    fn upgrade(&self, path: &str, headers: &str) -> (TcpStream, String) {
        self.ask(path, &format!("{UPGRADE}{headers}"))
    }

    pub fn end(self) {
        self.stop.cancel();
        self.services
            .block_on(async { tokio::time::timeout(PATIENCE, self.loop_).await })
            .expect("the loop ends")
            .expect("without a panic");
    }
}

/// The name of the threads that answer what is asked of pages.
const SERVICES: &str = "services";

pub const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Reads to the end of the headers, and not a byte further.
pub fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => break,
            Err(error) => panic!("no answer: {error}"),
        }
    }
    String::from_utf8(head).expect("headers are ASCII")
}

/// All that comes before the end, which may be a reset: the server need not have read all.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => said,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => said,
        Err(error) => panic!("the socket does not end: {error}"),
    }
}

pub fn status(head: &str) -> u16 {
    head.split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status in {head:?}"))
}

#[test]
fn both_addresses_upgrade_and_the_page_stays_a_page() {
    let mut world = World::new(2, limits());
    let site = Site::new(FrontConfig::default(), &world.edges);
    for path in ["/", "/gateway"] {
        let (stream, head) = site.upgrade(path, "");
        assert_eq!(status(&head), 101, "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let mut client = Client::new(stream);
        world.let_in_basic(&mut client);
        client.expect_alive();
    }
    let (mut page, head) = site.ask("/", "Connection: close\r\n");
    assert_eq!(status(&head), 200);
    let mut body = String::new();
    page.read_to_string(&mut body).expect("a body");
    assert_eq!(body, "the page");
    let (_, head) = site.ask("/gateway", "");
    assert_eq!(status(&head), 426);
    assert!(head.contains("application/problem+json"), "{head}");
    assert!(head.to_lowercase().contains("upgrade: websocket"), "{head}");
    site.end();
    world.end();
}

#[test]
fn what_comes_behind_the_request_is_not_lost() {
    let mut world = World::new(1, limits());
    let site = Site::new(FrontConfig::default(), &world.edges);
    let mut stream = site.dial();
    let mut bytes = format!("GET / HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n").into_bytes();
    bytes.extend(crate::support::frame(
        0x81,
        br#"{"op":1,"d":{"token":null,"uid":null}}"#,
    ));
    stream.write_all(&bytes).expect("loopback");
    assert_eq!(status(&read_head(&mut stream)), 101);
    let mut client = Client::new(stream);
    client.expect_op(0);
    let (id, _) = world.question();
    world.answer(id, Answer::Basic);
    client.expect_op(2);
    site.end();
    world.end();
}

#[test]
fn strangers_pages_are_turned_away() {
    let world = World::new(1, limits());
    let config = FrontConfig {
        origins: Origins::These(vec!["https://example.org".to_owned()]),
        ..FrontConfig::default()
    };
    let site = Site::new(config, &world.edges);
    let (_, head) = site.upgrade("/", "Origin: https://example.com\r\n");
    assert_eq!(status(&head), 403);
    let (_, head) = site.upgrade("/", "Origin: https://example.org\r\n");
    assert_eq!(status(&head), 101);
    site.end();
    world.end();
}

#[test]
fn limits_hold_and_places_are_given_back() {
    let mut world = World::new(1, limits());
    let config = FrontConfig {
        upgraded: AdmissionLimits {
            connections: 3,
            connections_per_ip: 2,
            loopback: Loopback::Limited,
        },
        trusted_proxies: vec!["127.0.0.1".parse().expect("a range")],
        ..FrontConfig::default()
    };
    let site = Site::new(config, &world.edges);
    let from = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let (first, head) = site.upgrade("/", &from("192.0.2.1"));
    assert_eq!(status(&head), 101);
    let (_second, head) = site.upgrade("/", &from("192.0.2.1"));
    assert_eq!(status(&head), 101);
    let (_, head) = site.upgrade("/", &from("192.0.2.1"));
    assert_eq!(status(&head), 429);
    assert!(head.to_lowercase().contains("retry-after:"), "{head}");
    let (_third, head) = site.upgrade("/", &from("192.0.2.2"));
    assert_eq!(status(&head), 101);
    let (_, head) = site.upgrade("/", &from("192.0.2.3"));
    assert_eq!(status(&head), 503);
    assert!(head.to_lowercase().contains("retry-after:"), "{head}");
    drop(first);
    world
        .hear_until(|said| matches!(said, guildgate_server::edge::FromEdge::Gone(_)).then_some(()));
    let (_, head) = site.upgrade("/", &from("192.0.2.1"));
    assert_eq!(status(&head), 101, "the place is free again");
    site.end();
    world.end();
}

#[test]
fn a_draining_node_takes_nobody_in_and_still_answers() {
    let world = World::new(1, limits());
    let site = Site::new(FrontConfig::default(), &world.edges);
    site.drain.cancel();
    let (_, head) = site.upgrade("/", "");
    assert_eq!(status(&head), 503);
    let (_, head) = site.ask("/", "");
    assert_eq!(status(&head), 200);
    site.end();
    world.end();
}

#[test]
fn strangers_who_dawdle_are_let_go() {
    let world = World::new(1, limits());
    let config = FrontConfig {
        header_within: Duration::from_millis(200),
        ..FrontConfig::default()
    };
    let site = Site::new(config, &world.edges);
    let mut silent = site.dial();
    let mut half = site.dial();
    half.write_all(b"GET / HTTP/1.1\r\nHost:")
        .expect("loopback");
    for stream in [&mut silent, &mut half] {
        let said = read_to_end(stream);
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.contains("408"), "{said}");
    }
    site.end();
    world.end();
}

#[test]
fn who_would_wait_too_long_is_told_so() {
    let world = World::new(1, limits());
    let config = FrontConfig {
        answer_within: Duration::from_millis(200),
        ..FrontConfig::default()
    };
    let site = Site::new(config, &world.edges);
    let (_, head) = site.ask("/slow", "");
    assert_eq!(status(&head), 503);
    site.end();
    world.end();
}

#[test]
fn pages_are_answered_away_from_where_strangers_are_heard() {
    let world = World::new(1, limits());
    let answerer = async || thread::current().name().unwrap_or_default().to_owned();
    let router = Router::new().route("/", get(answerer));
    let site = Site::of(router, FrontConfig::default(), &world.edges, None);
    let (mut page, head) = site.ask("/", "Connection: close\r\n");
    assert_eq!(status(&head), 200);
    assert_eq!(read_to_end(&mut page), SERVICES.as_bytes());
    site.end();
    world.end();
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_given_up() {
    /// Tells when it is dropped.
    struct Held(Sender<&'static str>);
    impl Drop for Held {
        fn drop(&mut self) {
            // The test may have failed meanwhile.
            let _ = self.0.send("given up");
        }
    }
    let world = World::new(1, limits());
    let (tell, told) = channel();
    let answer = async move || {
        let held = Held(tell.clone());
        tell.send("begun").expect("the test listens");
        std::future::pending::<()>().await;
        drop(held);
    };
    let router = Router::new().route("/", get(answer));
    let site = Site::of(router, FrontConfig::default(), &world.edges, None);
    let mut stream = site.dial();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("loopback");
    assert_eq!(told.recv_timeout(PATIENCE), Ok("begun"));
    drop(stream);
    assert_eq!(told.recv_timeout(PATIENCE), Ok("given up"));
    site.end();
    world.end();
}

#[test]
fn a_client_that_asks_and_asks_and_never_reads_is_let_go() {
    let world = World::new(1, limits());
    let config = FrontConfig {
        taken_within: Duration::from_millis(200),
        ..FrontConfig::default()
    };
    let site = Site::new(config, &world.edges);
    let mut stream = site.dial();
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    // The socket is full in both directions long before that; then it must be closed.
    let requests = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    let mut sent = 0;
    let ended = loop {
        match stream.write_all(&requests) {
            Ok(()) => sent += requests.len(),
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
fn headers_that_never_end_are_refused() {
    let world = World::new(1, limits());
    let site = Site::new(FrontConfig::default(), &world.edges);
    let mut stream = site.dial();
    let mut sent = 0;
    let line = format!("X-Padding: {}\r\n", "x".repeat(1000));
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .expect("loopback");
    while stream.write_all(line.as_bytes()).is_ok() {
        sent += line.len();
        assert!(sent < 64 << 20, "the server reads on and on");
    }
    site.end();
    world.end();
}

#[test]
fn sockets_beyond_the_limit_are_refused_before_anything_is_read() {
    let world = World::new(1, limits());
    let config = FrontConfig {
        plain: AdmissionLimits {
            connections: 1,
            connections_per_ip: 1,
            loopback: Loopback::Exempt,
        },
        ..FrontConfig::default()
    };
    let site = Site::new(config, &world.edges);
    let (_held, head) = site.ask("/", "");
    assert_eq!(status(&head), 200, "one is served, and kept alive");
    let mut refused = site.dial();
    assert_eq!(status(&read_head(&mut refused)), 503);
    site.end();
    world.end();
}

#[test]
fn deflate_is_agreed_to_only_if_it_is_switched_on() {
    let world = World::new(1, limits());
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    for (deflate, agreed) in [(DeflateOffer::Accept, true), (DeflateOffer::Decline, false)] {
        let config = FrontConfig {
            deflate,
            ..FrontConfig::default()
        };
        let site = Site::new(config, &world.edges);
        let (_, head) = site.upgrade("/", offer);
        assert_eq!(head.contains("permessage-deflate"), agreed, "{head}");
        site.end();
    }
    world.end();
}
