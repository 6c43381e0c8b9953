//! The floor: a thread that waits in epoll and sends to every socket in turn.

use std::{
    io::{self, Write},
    net::TcpListener,
    sync::{Arc, mpsc},
};

use mio::{Events, Poll, Token, Waker, net::TcpStream};

use crate::node::count_frame;

/// The loop, from outside.
pub struct Bare {
    batches: mpsc::Sender<Vec<u8>>,
    waker: Arc<Waker>,
}

impl Bare {
    /// Takes `sockets` from the listener.
    pub fn start(listener: &TcpListener, sockets: usize) -> io::Result<Bare> {
        let mut poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(usize::MAX))?);
        let mut streams = Vec::new();
        for number in 0..sockets {
            let (socket, _) = listener.accept()?;
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let mut stream = TcpStream::from_std(socket);
            let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(number), interest)?;
            streams.push(stream);
        }
        let (batches, received) = mpsc::channel::<Vec<u8>>();
        std::thread::Builder::new()
            .name("bare".to_owned())
            .spawn(move || {
                let mut events = Events::with_capacity(1024);
                while poll.poll(&mut events, None).is_ok() {
                    for batch in received.try_iter() {
                        for stream in &mut streams {
                            if stream.write(&batch).ok() != Some(batch.len()) {
                                eprintln!("the bare loop met a full socket");
                            }
                        }
                    }
                }
            })?;
        Ok(Bare { batches, waker })
    }

    /// The same frames that the edge is told to send, in one write a socket.
    pub fn broadcast(&self, first: u64, events: usize) {
        let batch = (first..first + events as u64)
            .flat_map(count_frame)
            .collect();
        if self.batches.send(batch).is_ok()
            && let Err(error) = self.waker.wake()
        {
            eprintln!("the bare loop cannot be woken: {error}");
        }
    }
}
