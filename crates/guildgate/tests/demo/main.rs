//! The binary as a user runs it: `guildgate demo` and what its greeting invites to.
//!
//! Every wait is for something that happens, with a bound that only a failure meets.

mod client;
mod gateway;
mod http;
mod process;

mod applications;
mod authentication;
mod crash;
mod degradation;
mod guild;
mod operation;
mod refusals;
mod secured;
mod simulation;
mod survival;
mod two_nodes;
