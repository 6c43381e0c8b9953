//! The frames that are golden, each as the code makes it.

pub mod client;
pub mod events;
pub mod server;
