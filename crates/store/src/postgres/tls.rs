//! TLS to PostgreSQL, and how far the server's certificate is checked.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// How far a server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Not at all: who only listens learns nothing, who stands between learns all.
    Nothing,
    /// It is of a trusted authority, whoever's it is.
    Authority,
    /// It is of a trusted authority, and the host's own.
    AuthorityAndHost,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("sslrootcert is {path:?}, which holds no certificate that can be read: {reason}")]
    Authorities { path: PathBuf, reason: String },
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
    #[error(transparent)]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// Makes TLS connections, all alike.
#[derive(Clone)]
pub(super) struct Connector(tokio_rustls::TlsConnector);

impl Connector {
    /// Trusts the authorities in the PEM file at `authorities`, or those that browsers trust.
    ///
    /// # Errors
    /// Where the file has no certificate.
    pub(super) fn new(check: Check, authorities: Option<PathBuf>) -> Result<Self, SetupError> {
        let provider = Arc::new(ring::default_provider());
        let any_host = |authority| AnyHost {
            provider: Arc::clone(&provider),
            authority,
        };
        let verifier: Arc<dyn ServerCertVerifier> = match check {
            Check::Nothing => Arc::new(any_host(None)),
            Check::Authority => Arc::new(any_host(Some(verifier(&provider, authorities)?))),
            Check::AuthorityAndHost => verifier(&provider, authorities)?,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Connector(Arc::new(config).into()))
    }
}

fn verifier(
    provider: &Arc<CryptoProvider>,
    authorities: Option<PathBuf>,
) -> Result<Arc<WebPkiServerVerifier>, SetupError> {
    let roots = match authorities {
        None => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => read(&path).map_err(|reason| SetupError::Authorities { path, reason })?,
    };
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(builder.build()?)
}

fn read(path: &std::path::Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("it has no BEGIN CERTIFICATE".to_owned());
    }
    Ok(roots)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Connector {
    type Stream = Stream<S>;
    type TlsConnect = ToHost;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<ToHost, InvalidDnsNameError> {
        // A Unix socket has no host, and no TLS is asked for there.
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(ToHost {
            connector: self.0.clone(),
            name: ServerName::try_from(host)?.to_owned(),
        })
    }
}

/// One connection that is to be made.
pub(super) struct ToHost {
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for ToHost {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Stream) })
    }
}

/// A connection.
pub(super) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Takes a certificate whatever host it is for, as long as the server holds its key.
#[derive(Debug)]
struct AnyHost {
    provider: Arc<CryptoProvider>,
    /// Who says whether its authority is trusted; none where anybody's is taken.
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is the last thing that is looked at.
        match authority.verify_server_cert(certificate, between, host, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}

/// What can be done about a connection that was not made.
pub(super) fn hint(error: &(dyn std::error::Error + 'static)) -> &'static str {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => return HINT_HOST,
            Some(rustls::Error::InvalidCertificate(_)) => return HINT_CERTIFICATE,
            _ => {}
        }
        if error.to_string() == "server does not support TLS" {
            return HINT_OFF;
        }
        next = error.source();
    }
    HINT
}

const HINT: &str = "check that PostgreSQL runs there, and the name, password and database";
const HINT_OFF: &str = "switch TLS on there (ssl = on), or use sslmode=prefer in database_url, over \
     a network or tunnel that is safe without";
const HINT_CERTIFICATE: &str = "name a PEM file with the certificate of the server's authority as \
     sslrootcert in database_url, and see that the server's own is in date and no authority itself \
     (basicConstraints CA:FALSE)";
const HINT_HOST: &str = "its certificate is for other hosts: dial it by a name in the certificate, or \
     use sslmode=verify-ca in database_url";
