//! The owner of all guild state on a node.

mod ports;

pub use ports::{Audience, Input, MemberEvents, Output};
