//! A load generator that speaks the clients' protocol, and what it measures with.
//!
//! It knows a server by its public face alone: the WebSocket, the HTTP API, /proc. Where it
//! drives events it does so through the simulator's REST.

mod clock;
pub mod control;
pub mod engine;
pub mod peers;
pub mod plot;
pub mod process;
pub mod report;
pub mod scenario;
pub mod spawn;
mod weight;
