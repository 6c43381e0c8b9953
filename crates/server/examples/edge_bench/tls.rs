//! TLS with the tests' certificate.

use std::{error::Error, io, net::TcpStream, path::Path, sync::Arc};

use guildgate_server::edge::{Handover, TlsSession};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

const CERTIFICATE: &str = "tests/edge_loopback/tls/cert.pem";
const KEY: &str = "tests/edge_loopback/tls/key.pem";

pub fn server() -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chain = vec![CertificateDer::from_pem_file(folder.join(CERTIFICATE))?];
    let key = PrivateKeyDer::from_pem_file(folder.join(KEY))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// Shakes hands, and gives the socket on.
pub fn accept(
    config: &Arc<ServerConfig>,
    mut socket: TcpStream,
    unread: Vec<u8>,
) -> Result<Handover, Box<dyn Error>> {
    let mut session = TlsSession::new(Arc::clone(config))?;
    session.handshake(&mut socket)?;
    Ok(Handover::tls(socket, session, crate::node::peer(), unread)?)
}

pub fn connect(socket: &mut TcpStream) -> Result<ClientConnection, Box<dyn Error>> {
    thread_local! {
        static CONFIG: Arc<ClientConfig> = client().expect("the certificate is sound");
    }
    let name = ServerName::try_from("localhost")?;
    let mut session = ClientConnection::new(CONFIG.with(Arc::clone), name)?;
    while session.is_handshaking() {
        session.complete_io(socket)?;
    }
    Ok(session)
}

fn client() -> io::Result<Arc<ClientConfig>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(CERTIFICATE);
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(path).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
