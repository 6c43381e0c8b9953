//! Hearing from other nodes that the feed has grown, at once. A safety net stays below: whoever
//! reads the feed asks for it now and then, too.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::{sync::watch, task::AbortHandle};
use tokio_postgres::{AsyncMessage, Client, Connection, Error, Socket};

use super::{address::Address, tls::Stream};

/// How long after the connection was lost another is tried.
const RETRY: Duration = Duration::from_secs(1);

/// A node's name among those that share a database, for the time that it runs.
#[derive(Clone, Copy)]
pub(super) struct Node(u64);

impl Node {
    pub(super) fn new() -> Node {
        Node(rand::random())
    }

    fn name(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Commits a transaction that has added to the feed, and tells the others of it in the same
    /// breath. The transaction that follows is empty, for whoever still holds the one before.
    pub(super) fn commit(self) -> String {
        format!("NOTIFY guildgate_feed, '{}'; COMMIT AND CHAIN", self.name())
    }
}

/// The connection that listens; it ends with this.
pub(super) struct Listener(AbortHandle);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listener {
    /// Listens from now on, if the database lets us: else it is tried again by and by.
    pub(super) async fn start(address: Address, own: Node, signal: watch::Sender<u64>) -> Listener {
        let first = connect(&address).await;
        let task = tokio::spawn(async move {
            let mut connected = first;
            loop {
                let ended = match connected {
                    Ok(connection) => hear(connection, own, &signal).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = ended {
                    let error = crate::error::cause(&error);
                    tracing::debug!(%error, "does not hear of other nodes' changes at once");
                }
                tokio::time::sleep(RETRY).await;
                connected = connect(&address).await;
                // What was said meanwhile was not heard.
                signal.send_modify(|count| *count += 1);
            }
        });
        Listener(task.abort_handle())
    }
}

type Connected = (Client, Connection<Socket, Stream<Socket>>);

async fn connect(address: &Address) -> Result<Connected, Error> {
    let (client, mut connection) = address.config.connect(address.connector.clone()).await?;
    {
        let mut listening = pin!(client.batch_execute("LISTEN guildgate_feed"));
        // The statement moves only as the connection does.
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(done) = listening.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                match connection.poll_message(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await?;
    }
    Ok((client, connection))
}

/// Passes on what other nodes say, until the connection ends.
async fn hear(
    (_client, mut connection): Connected,
    own: Node,
    signal: &watch::Sender<u64>,
) -> Result<(), Error> {
    let own = own.name();
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message? {
            AsyncMessage::Notification(said) if said.payload() != own => {
                signal.send_modify(|count| *count += 1);
            }
            _ => {}
        }
    }
    Ok(())
}
