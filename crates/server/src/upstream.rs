//! The driver of Discord's side: dials, reads, writes and waits for the shards' machines, which
//! decide everything. What they say happened goes on, in order, through one bounded channel.
//!
//! While the channel is full nothing is read, but heartbeats go on. It knows no guild.

mod arrivals;
mod budget;
mod config;
mod driver;
mod error;
mod handle;
mod note;
mod queue;
pub mod rest;
mod socket;
mod supervisor;
#[cfg(test)]
mod tests;

pub use self::{
    arrivals::{Arrivals, Arrived, Departures, NobodyTakes, arrivals},
    budget::{IdentifyBudget, MemoryBudget, Reservation, StoreBudget},
    config::{ShardCount, UpstreamConfig},
    error::{SendError, UpstreamError},
    handle::UpstreamHandle,
    note::{UpstreamStats, UpstreamStatus},
    supervisor::{Upstream, UpstreamParts},
};
