//! The hub's rules, one by one, and all together against a naive model.

mod counts;
mod discord_suite;
mod doors;
mod editing;
mod freshness;
mod invites;
mod model;
mod property;
mod retained;
mod rig;
mod rights;
mod saved;
