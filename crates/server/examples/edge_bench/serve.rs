//! The edge as a server of its own, told to send by lines on standard input: the way in which
//! `guildgate-load peers` tells the servers that it measures.

use std::{
    error::Error,
    io::{BufRead, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
};

use guildgate_server::edge::Handover;
use guildgate_wire::Limits;

use crate::node::{self, Node};

/// Takes whoever comes, and tells all of them as many events as each line says.
pub fn run(port: u16) -> Result<(), Box<dyn Error>> {
    let node = Arc::new(Node::start(Limits::default())?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let taking = Arc::clone(&node);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            if let Err(error) = socket.map_err(Into::into).and_then(|s| take(&taking, s)) {
                eprintln!("a client was not taken in: {error}");
            }
        }
    });
    let mut next = FIRST;
    for line in std::io::stdin().lock().lines() {
        let events: usize = line?.trim().parse()?;
        node.broadcast(next, events);
        next += events as u64;
    }
    Ok(())
}

fn take(node: &Node, mut socket: TcpStream) -> Result<(), Box<dyn Error>> {
    let unread = upgrade(&mut socket)?;
    node.take(Handover::plain(socket, node::peer(), unread)?);
    Ok(())
}

/// Answers the load generator's upgrade, whose key is always the same; what came behind it.
fn upgrade(socket: &mut TcpStream) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut request = Vec::new();
    let mut chunk = [0; 512];
    let end = loop {
        let length = socket.read(&mut chunk)?;
        if length == 0 {
            return Err("it left before its upgrade".into());
        }
        request.extend_from_slice(&chunk[..length]);
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    socket.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )?;
    Ok(request.split_off(end))
}

/// As many digits as the other servers' text has.
const FIRST: u64 = 10_001;
