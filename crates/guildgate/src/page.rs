//! The page, held in the binary.

use guildgate_server::api::{Asset, Assets};

/// Every file of `console/` and of the client library that it uses.
pub const ASSETS: Assets = include!(concat!(env!("OUT_DIR"), "/assets.rs"));
