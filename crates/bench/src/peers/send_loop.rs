//! The floor: a thread that waits in epoll, and sends the same bytes to every socket in turn.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
};

use anyhow::{Context as _, Result};
use mio::{Events, Interest, Poll, Token, Waker, net::TcpStream};

pub fn run(address: SocketAddr, text: &str) -> Result<()> {
    let listener = TcpListener::bind(address).context("listening")?;
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WOKEN)?;
    let registry = poll.registry().try_clone()?;
    let (news, heard) = mpsc::channel();
    let waker = std::sync::Arc::new(waker);
    let (accepted, wake) = (news.clone(), std::sync::Arc::clone(&waker));
    std::thread::spawn(move || -> Result<()> {
        for number in 0.. {
            let (mut socket, _) = listener.accept()?;
            upgrade(&mut socket)?;
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let mut socket = TcpStream::from_std(socket);
            registry.register(&mut socket, Token(number), Interest::READABLE)?;
            accepted.send(News::Socket(socket))?;
            wake.wake()?;
        }
        Ok(())
    });
    super::orders(move |count| {
        if news.send(News::Send(count)).is_err() || waker.wake().is_err() {
            std::process::exit(1);
        }
    });
    let frame = frame(text)?;
    let mut sockets = Vec::new();
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for news in heard.try_iter() {
            match news {
                News::Socket(socket) => sockets.push(socket),
                News::Send(count) => {
                    let batch = frame.repeat(count);
                    for socket in &mut sockets {
                        // One that has gone is not the loop's concern.
                        let _ = socket.write(&batch);
                    }
                }
            }
        }
    }
}

enum News {
    Socket(TcpStream),
    Send(usize),
}

/// Answers the load generator's upgrade, whose key is always the same.
fn upgrade(socket: &mut std::net::TcpStream) -> Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 512];
    while !request.ends_with(b"\r\n\r\n") {
        let length = socket.read(&mut chunk)?;
        anyhow::ensure!(length > 0, "a client left before its upgrade");
        request.extend_from_slice(&chunk[..length]);
    }
    socket.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )?;
    Ok(())
}

fn frame(text: &str) -> Result<Vec<u8>> {
    let length = u16::try_from(text.len()).context("the text is too long")?;
    let mut frame = vec![0x81];
    match u8::try_from(length) {
        Ok(short @ 0..=125) => frame.push(short),
        Ok(_) | Err(_) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    Ok(frame)
}

const WOKEN: Token = Token(usize::MAX);
