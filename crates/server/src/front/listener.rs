//! The accept loop.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ::http::Request;
use axum::Router;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Front, NotAdmitted, Permit, Tls,
    http::{Doors, answer},
    patient::Patient,
};

/// Accepts sockets until `stop`, and answers each until it ends or is handed to the edge.
/// From `drain` on no client is taken in, but the rest is still answered, so that whoever
/// watches the node can see it go.
///
/// Returns once the last answer is out, or has had its time.
pub async fn serve(
    front: Arc<Front>,
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    drain: CancellationToken,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                after_failed_accept(&error).await;
                continue;
            }
        };
        let permit = match admit(&front, peer) {
            Ok(permit) => permit,
            Err(reason) => {
                refuse(&socket, tls.is_some(), reason);
                continue;
            }
        };
        let connection = Connection {
            front: Arc::clone(&front),
            router: router.clone(),
            peer: peer.ip(),
            drain: drain.clone(),
            stop: stop.clone(),
            _permit: permit,
        };
        let tls = tls.clone();
        connections.spawn(async move {
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "a socket was gone before it was served");
                return;
            }
            match tls {
                None => connection.serve(socket).await,
                Some(tls) => connection.serve_tls(socket, &tls).await,
            }
        });
    }
    connections.close();
    let within = front.config.answer_within;
    if tokio::time::timeout(within, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "some HTTP connections do not take their answers, and are left behind"
        );
    }
}

/// One socket, until it ends or is upgraded.
struct Connection {
    front: Arc<Front>,
    router: Router,
    peer: IpAddr,
    drain: CancellationToken,
    stop: CancellationToken,
    _permit: Permit,
}

impl Connection {
    async fn serve_tls(self, socket: TcpStream, tls: &Tls) {
        let within = self.front.config.header_within;
        match tokio::time::timeout(within, tls.accept(socket)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "a TLS handshake failed");
            }
            Err(_late) => tracing::debug!(peer = %self.peer, "a TLS handshake took too long"),
        }
    }

    async fn serve<T>(self, socket: T)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let doors = if self.drain.is_cancelled() {
                Doors::Closed
            } else {
                Doors::Open
            };
            let front = Arc::clone(&self.front);
            let answer = answer(front, self.router.clone(), self.peer, doors, request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let socket = Patient::new(socket, self.front.config.taken_within);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.front.config.header_within)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer, %error, "an HTTP connection ended early");
        }
    }
}

fn admit(front: &Front, peer: SocketAddr) -> Result<Permit, NotAdmitted> {
    if front.trusts(peer.ip()) {
        front.plain.admit_anyone()
    } else {
        front.plain.admit(peer.ip())
    }
}

/// Tells a socket that it is one too many, without a task or a buffer for it. Best effort:
/// what the kernel does not take at once is not said, and under TLS nothing can be.
fn refuse(socket: &TcpStream, tls: bool, reason: NotAdmitted) {
    tracing::debug!(%reason, "a socket was refused");
    if tls {
        return;
    }
    let answer: &[u8] = match reason {
        NotAdmitted::Address => {
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        }
        NotAdmitted::Node => {
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        }
    };
    if let Err(error) = socket.try_write(answer) {
        tracing::trace!(%error, "a refused socket took no answer");
    }
}

/// A peer that left again is nothing; a process without files or memory to spare needs a
/// moment before the next try can end better.
async fn after_failed_accept(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::error!(%error, "cannot accept a connection; raise the limit on open files if it says so");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// After an accept that failed for want of something.
const PAUSE: Duration = Duration::from_millis(100);
/// Largest request line and headers together, bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;
