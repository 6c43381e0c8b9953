//! The servers, each as a user of that library would write it.

pub mod fastwebsockets;
pub mod send_loop;
pub mod tokio_websockets;

use std::{io::BufRead as _, thread};

/// Calls `send` with every number that comes on standard input, on a thread of its own, and
/// ends the process with it.
fn orders(mut send: impl FnMut(usize) + Send + 'static) {
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line.ok().and_then(|line| line.trim().parse().ok()) {
                Some(count) => send(count),
                None => break,
            }
        }
        std::process::exit(0);
    });
}
