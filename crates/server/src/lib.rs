//! The drivers of a node: sockets, threads, clocks, the database, HTTP. They decide nothing;
//! what a frame, an event or a deadline means is decided in the pure crates.

pub mod api;
pub mod clock;
pub mod config;
#[cfg(test)]
mod docs;
pub mod edge;
pub mod front;
pub mod hub_thread;
pub mod log;
pub mod metrics;
pub mod node;
#[cfg(test)]
mod patience;
pub mod problem;
pub mod services;
pub mod upstream;
