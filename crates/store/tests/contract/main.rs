//! What every store does, tried on each engine.

mod discord;
mod documents;
mod feed;
mod inbox;
mod invites;
mod kept;
mod listen;
mod opening;
mod outbox;
mod submissions;
mod support;
mod tls;
mod tokens;
