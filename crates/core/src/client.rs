//! One client: who it is, where it is connected, what it may do next.

mod ports;

pub use ports::{Answer, Ask, Input, Output, Refusal};
