//! TLS to PostgreSQL: before the test's own server, which listens on a Unix socket alone, stands
//! somebody who speaks TLS as a PostgreSQL does.

use std::{path::Path, sync::Arc};

use guildgate_store::{StoreError, open, testing::Database};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
};
use tokio_rustls::TlsAcceptor;

/// What a client that wants TLS says first.
///
/// Source: PostgreSQL, "Frontend/Backend Protocol: Message Formats", SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What the server makes of that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ssl {
    On,
    Off,
}

/// A certificate for "localhost" that nobody else trusts, good for a hundred years.
fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/tls");
    folder.join(name).display().to_string()
}

/// Listens before `database`; answers its port.
async fn stand_before(database: &Database, ssl: Ssl) -> u16 {
    let location = database.location();
    let (_, rest) = location.split_once('@').expect("a user");
    let (host, _) = rest.split_once('/').expect("a database");
    let socket = format!("{}/.s.PGSQL.5432", host.replace("%2F", "/"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let certificate = CertificateDer::from_pem_file(file("cert.pem")).expect("PEM");
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the defaults hold")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate goes in the middle.
            tokio::spawn(serve(stream, acceptor.clone(), socket.clone(), ssl));
        }
    });
    port
}

async fn serve(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    socket: String,
    ssl: Ssl,
) -> std::io::Result<()> {
    let mut server = UnixStream::connect(socket).await?;
    let mut first = [0; 8];
    stream.read_exact(&mut first).await?;
    if first != SSL_REQUEST {
        // Without TLS a client says at once who it is.
        server.write_all(&first).await?;
        copy_bidirectional(&mut stream, &mut server).await?;
        return Ok(());
    }
    match ssl {
        Ssl::On => {
            stream.write_all(b"S").await?;
            let mut stream = acceptor.accept(stream).await?;
            copy_bidirectional(&mut stream, &mut server).await?;
        }
        Ssl::Off => {
            stream.write_all(b"N").await?;
            copy_bidirectional(&mut stream, &mut server).await?;
        }
    }
    Ok(())
}

/// Opens the database by way of `host`, with `options`: what is told if it cannot be.
async fn by_way_of(database: &Database, host: &str, options: &str) -> Result<(), String> {
    let name = database.location().rsplit('/').next().expect("its name");
    let location = format!("postgres://postgres@{host}/{name}?{options}");
    match open(&location).await {
        Ok(store) => {
            store.ping().await.expect("it answers");
            Ok(())
        }
        Err(StoreError::Open { hint, source, .. }) => Err(format!("{hint}: {source}")),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_checked_as_far_as_the_address_says() {
    let database = Database::postgres().await;
    let port = stand_before(&database, Ssl::On).await;
    let name = format!("localhost:{port}");
    let number = format!("127.0.0.1:{port}");
    let ours = format!("sslrootcert={}", file("cert.pem"));
    let refused = async |host: &str, options: &str, expected: &str| {
        let told = by_way_of(&database, host, options).await;
        let told = told.expect_err("it must be refused");
        assert!(told.contains(expected), "{host} {options}: {told}");
    };
    for good in ["verify-full", "require", "verify-ca"] {
        let options = format!("sslmode={good}&{ours}");
        assert_eq!(
            by_way_of(&database, &name, &options).await,
            Ok(()),
            "{good}"
        );
        refused(
            &name,
            &format!("sslmode={good}"),
            "sslrootcert in database_url",
        )
        .await;
    }
    // The certificate is for "localhost" alone.
    let options = format!("sslmode=verify-ca&{ours}");
    assert_eq!(by_way_of(&database, &number, &options).await, Ok(()));
    refused(
        &number,
        &format!("sslmode=verify-full&{ours}"),
        "sslmode=verify-ca",
    )
    .await;
    for unchecked in ["sslmode=prefer", "sslmode=disable", ""] {
        assert_eq!(
            by_way_of(&database, &number, unchecked).await,
            Ok(()),
            "{unchecked}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let database = Database::postgres().await;
    let port = stand_before(&database, Ssl::Off).await;
    let host = format!("localhost:{port}");
    assert_eq!(by_way_of(&database, &host, "sslmode=prefer").await, Ok(()));
    let told = by_way_of(&database, &host, "sslmode=require").await;
    let told = told.expect_err("it must be refused");
    assert!(told.contains("ssl = on"), "{told}");
}
