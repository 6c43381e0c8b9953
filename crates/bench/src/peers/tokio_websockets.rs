//! tokio-websockets, a task a client, fed by a broadcast channel.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_websockets::{Message, ServerBuilder};

#[tokio::main(flavor = "current_thread")]
pub async fn run(address: SocketAddr, text: &str) -> Result<()> {
    let listener = TcpListener::bind(address).await.context("listening")?;
    let (sender, _) = broadcast::channel::<Message>(1024);
    let (message, orders) = (Message::text(text.to_owned()), sender.clone());
    super::orders(move |count| {
        for _ in 0..count {
            // Nobody there is no fault.
            let _ = orders.send(message.clone());
        }
    });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut receiver = sender.subscribe();
        tokio::spawn(async move {
            let Ok((_, mut client)) = ServerBuilder::new().accept(socket).await else {
                return;
            };
            loop {
                let message = tokio::select! {
                    message = receiver.recv() => message,
                    heard = client.next() => match heard {
                        Some(Ok(_)) => continue,
                        Some(Err(_)) | None => return,
                    },
                };
                let Ok(message) = message else { return };
                if client.send(message).await.is_err() {
                    return;
                }
            }
        });
    }
}
