//! What each command does.

pub mod check;
pub mod demo;
pub mod serve;
pub mod simulate;
pub mod token;
