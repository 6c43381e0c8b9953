//! fastwebsockets, a task a client, fed by a broadcast channel.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use fastwebsockets::{Frame, Payload, Role, WebSocket};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

#[tokio::main(flavor = "current_thread")]
pub async fn run(address: SocketAddr, text: &str) -> Result<()> {
    let listener = TcpListener::bind(address).await.context("listening")?;
    let (sender, _) = broadcast::channel::<std::sync::Arc<str>>(1024);
    let (text, orders) = (std::sync::Arc::from(text), sender.clone());
    super::orders(move |count| {
        for _ in 0..count {
            // Nobody there is no fault.
            let _ = orders.send(std::sync::Arc::clone(&text));
        }
    });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut receiver = sender.subscribe();
        tokio::spawn(async move {
            let Ok(socket) = upgrade(socket).await else {
                return;
            };
            // Clients of this run say nothing, so nothing is read: its reads do not survive a
            // `select!`.
            let mut client = WebSocket::after_handshake(socket, Role::Server);
            while let Ok(text) = receiver.recv().await {
                let frame = Frame::text(Payload::Borrowed(text.as_bytes()));
                if client.write_frame(frame).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Answers the load generator's upgrade, whose key is always the same.
async fn upgrade(mut socket: TcpStream) -> Result<TcpStream> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let length = socket.read_buf(&mut request).await?;
        anyhow::ensure!(length > 0, "a client left before its upgrade");
    }
    socket
        .write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )
        .await?;
    Ok(socket)
}
