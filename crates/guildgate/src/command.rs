//! What each command does.

pub mod check;
pub mod demo;
pub mod discord;
pub mod fault;
pub mod record;
pub mod serve;
pub mod simulate;
pub mod token;
