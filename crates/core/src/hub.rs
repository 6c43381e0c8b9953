//! The owner of all guild state on a node.

mod ports;

pub use ports::{Arrival, Audience, Input, MemberEvents, Output};
