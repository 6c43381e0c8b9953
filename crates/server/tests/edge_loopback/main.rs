//! The edge on loopback: real sockets, and a scripted node behind them.

mod bad_input;
mod deflate;
mod fanout;
mod front;
mod life;
mod peers;
mod restart;
mod resume;
mod support;
mod tls;
