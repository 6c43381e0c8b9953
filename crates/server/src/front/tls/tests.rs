use std::{fs, io::Write};

use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use tokio::net::TcpListener;

use super::*;

/// A certificate and its key, in a folder that goes with this.
struct Files(PathBuf);

impl Files {
    fn new() -> Files {
        let name = format!("guildgate-test-{:016x}", rand::random::<u64>());
        let files = Files(std::env::temp_dir().join(name));
        fs::create_dir(&files.0).expect("a folder");
        files.put(&fixture("cert.pem"), &fixture("key.pem"), 1);
        files
    }

    /// Writes both, and says when that was.
    fn put(&self, certificate: &[u8], key: &[u8], hour: u32) {
        for (path, bytes) in [(self.certificate(), certificate), (self.key(), key)] {
            let mut file = fs::File::create(path).expect("a file");
            file.write_all(bytes).expect("a disk");
            let when = SystemTime::UNIX_EPOCH + Duration::from_hours(hour.into());
            file.set_modified(when).expect("a time");
        }
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    fn load(&self) -> Tls {
        Tls::load(&self.certificate(), &self.key()).expect("a sound pair")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{:?} is left behind: {error}", self.0);
        }
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge_loopback/tls");
    fs::read(folder.join(name)).expect("a file of the repository")
}

/// The certificate that a new client is shown, by its file's name.
async fn shown(tls: &Tls) -> &'static str {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let client = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).expect("loopback");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut session = ClientConnection::new(client(), name).expect("a client");
        while session.is_handshaking() {
            session.complete_io(&mut socket).expect("a handshake");
        }
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        session.peer_certificates().expect("one is shown")[0].clone()
    });
    let (socket, _) = listener.accept().await.expect("loopback");
    tls.accept(socket).await.expect("a handshake");
    let certificate = client.await.expect("no panic");
    ["cert.pem", "renewed-cert.pem"]
        .into_iter()
        .find(|name| certificate_of(name) == certificate)
        .expect("it is one of ours")
}

fn certificate_of(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&fixture(name)).expect("PEM")
}

fn client() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for name in ["cert.pem", "renewed-cert.pem"] {
        roots.add(certificate_of(name)).expect("a certificate");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the defaults hold")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_a_bad_one_is_not() {
    let files = Files::new();
    let tls = files.load();
    assert_eq!(shown(&tls).await, "cert.pem");
    let bad: [(&[u8], &[u8]); 3] = [
        (b"no PEM", &fixture("key.pem")),
        (&fixture("renewed-cert.pem"), &fixture("key.pem")),
        (&fixture("renewed-cert.pem"), b""),
    ];
    for (hour, (certificate, key)) in (2..).zip(bad) {
        files.put(certificate, key, hour);
        tls.current.refresh();
        assert_eq!(shown(&tls).await, "cert.pem");
    }
    files.put(&fixture("renewed-cert.pem"), &fixture("renewed-key.pem"), 9);
    tls.current.refresh();
    assert_eq!(shown(&tls).await, "renewed-cert.pem");
}

#[tokio::test]
async fn files_are_looked_at_now_and_then() {
    let files = Files::new();
    let tls = files.load();
    tokio::time::pause();
    let stop = CancellationToken::new();
    let watch = tokio::spawn(tls.clone().watch(stop.clone()));
    files.put(&fixture("renewed-cert.pem"), &fixture("renewed-key.pem"), 9);
    let old = Stamp([Some(SystemTime::UNIX_EPOCH + Duration::from_hours(1)); 2]);
    while tls.current.read().0 == old {
        tokio::time::advance(LOOK_EVERY).await;
    }
    stop.cancel();
    watch.await.expect("no panic");
    tokio::time::resume();
    assert_eq!(shown(&tls).await, "renewed-cert.pem");
}
