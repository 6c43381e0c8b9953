//! TLS from a certificate and a key in files, loaded again when they change.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::tls_stream::TlsStream;
use crate::edge::TlsSession;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no such file, or it may not be read.
    #[error("`{setting}` is {path:?}: check that it exists and may be read")]
    Missing {
        /// The key of the configuration that names it.
        setting: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificates cannot be read.
    #[error("`tls.certificate` is {path:?}: expected a PEM file with certificates")]
    Certificate {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// The file has no certificate.
    #[error(
        "`tls.certificate` is {0:?}, which has no certificate: expected a PEM file with the \
         certificate and those between it and a known authority"
    )]
    NoCertificate(PathBuf),
    /// The key cannot be read.
    #[error("`tls.key` is {path:?}: expected a PEM file with the certificate's private key")]
    Key {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// Key and certificate do not fit each other, or the key is of an unknown kind.
    #[error(
        "`tls.key` is {key:?}, and does not fit `tls.certificate`, {certificate:?}: name the key \
         that the certificate was made with"
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("cannot set TLS up")]
    Setup(#[source] rustls::Error),
}

/// TLS for the accept loop. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.current.certificate)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Loads certificate and key.
    ///
    /// # Errors
    /// [`TlsError`] says which file is wrong and how.
    pub fn load(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let stamp = Stamp::of(certificate, key);
        let current = Arc::new(Current {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            pair: RwLock::new((stamp, Arc::new(load(certificate, key)?))),
        });
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls {
            config: Arc::new(config),
            current,
        })
    }

    /// Loads the files again whenever they have changed, until `stop`. Files that do not do
    /// leave what was loaded before, and say so in the log.
    pub async fn watch(self, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {
                    let current = Arc::clone(&self.current);
                    // Files are read on a thread that may wait for a disk.
                    if tokio::task::spawn_blocking(move || current.refresh()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Shakes hands with whoever is at the other end.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream> {
        let session = TlsSession::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        TlsStream::accept(socket, session).await
    }
}

/// The pair of files, and what they held when last they did.
#[derive(Debug)]
struct Current {
    certificate: PathBuf,
    key: PathBuf,
    pair: RwLock<(Stamp, Arc<CertifiedKey>)>,
}

impl Current {
    fn refresh(&self) {
        let stamp = Stamp::of(&self.certificate, &self.key);
        if self.read().0 == stamp {
            return;
        }
        let mut pair = self.pair.write().unwrap_or_else(PoisonError::into_inner);
        match load(&self.certificate, &self.key) {
            Ok(loaded) => {
                tracing::info!(certificate = ?self.certificate, "loaded a new certificate");
                *pair = (stamp, Arc::new(loaded));
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the certificate has changed and cannot be loaded; the old one stays in use"
                );
                pair.0 = stamp;
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, (Stamp, Arc<CertifiedKey>)> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.read().1))
    }
}

/// When both files were written; none for a file that cannot be seen just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([Option<SystemTime>; 2]);

impl Stamp {
    fn of(certificate: &Path, key: &Path) -> Stamp {
        Stamp([certificate, key].map(|path| {
            std::fs::metadata(path)
                .and_then(|data| data.modified())
                .ok()
        }))
    }
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let unreadable = |source| match source {
        pem::Error::Io(source) => TlsError::Missing {
            setting: "tls.certificate",
            path: certificate.to_owned(),
            source,
        },
        source => TlsError::Certificate {
            path: certificate.to_owned(),
            source,
        },
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| match source {
        pem::Error::Io(source) => TlsError::Missing {
            setting: "tls.key",
            path: key.to_owned(),
            source,
        },
        source => TlsError::Key {
            path: key.to_owned(),
            source,
        },
    })?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|source| {
        TlsError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        }
    })
}

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
