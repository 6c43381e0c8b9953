//! TLS by the gateway itself, as its configuration turns it on.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::{
    gateway::{Folder, PATIENCE, until},
    process::Process,
};

/// A certificate for "localhost" that nobody trusts, and its key.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../server/tests/edge_loopback/tls")
        .join(name)
}

/// What is said in answer to a request, up to what the caller waits for, or to the end.
fn ask(address: SocketAddr, path: &str, headers: &str, awaited: &str) -> String {
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
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut stream = StreamOwned::new(session, socket);
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("a handshake");
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&said);
        if text.contains(awaited) {
            return text.into_owned();
        }
        match stream.read(&mut buffer).expect("an end that was announced") {
            0 => return text.into_owned(),
            len => said.extend_from_slice(&buffer[..len]),
        }
    }
}

async fn asked(
    address: SocketAddr,
    path: &'static str,
    headers: &'static str,
    awaited: &'static str,
) -> String {
    tokio::task::spawn_blocking(move || ask(address, path, headers, awaited))
        .await
        .expect("no panic")
}

#[tokio::test]
async fn pages_and_sockets_are_served_under_tls() {
    let data = Folder::new();
    let simulator = Process::simulate().await;
    let gateway = Process::start_with(&data, &simulator.url("/api/v10"), |command| {
        command
            .env("GUILDGATE_TLS__CERTIFICATE", file("cert.pem"))
            .env("GUILDGATE_TLS__KEY", file("key.pem"))
    })
    .await;
    until("readiness", async || {
        asked(gateway.address, "/readyz", "Connection: close\r\n", "\0")
            .await
            .starts_with("HTTP/1.1 200")
    })
    .await;
    let page = asked(gateway.address, "/", "Connection: close\r\n", "\0").await;
    assert!(page.contains("</html>"), "{page}");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let hello = r#"{"op":0"#;
    let said = asked(gateway.address, "/gateway", upgrade, hello).await;
    assert!(
        said.starts_with("HTTP/1.1 101") && said.contains(hello),
        "{said}"
    );
    gateway.terminate().await;
}
