//! The hot functions, each called once on what it meets in life.

mod clients;
mod discord;
mod hub;

use anyhow::{Result, bail};

/// Every case: its name, and a function that prepares it and runs it counted.
pub const ALL: &[(&str, fn())] = &[
    ("encode_count", clients::encode_count),
    ("encode_privilege", clients::encode_privilege),
    ("write_frame_basic", clients::write_frame_basic),
    ("write_frame_session", clients::write_frame_session),
    ("decode_connect_guild", clients::decode_connect_guild),
    ("decode_heartbeat_reply", clients::decode_heartbeat_reply),
    ("unmask_4000_bytes", clients::unmask_long),
    ("read_frame_19_bytes", clients::read_frame_short),
    ("read_frame_4000_bytes", clients::read_frame_long),
    ("fan_out_basic_1000", clients::fan_out_basic),
    ("fan_out_sessions_1000", clients::fan_out_sessions),
    ("discord_member_add", discord::member_add),
    (
        "discord_unwanted_member_update",
        discord::unwanted_member_update,
    ),
    ("discord_role_update", discord::role_update),
    ("discord_skipped_event", discord::skipped_event),
    ("discord_guild_create_100k", discord::guild_create),
    ("hub_role_of_1000_changes", hub::role_changes),
    ("hub_member_changes", hub::member_changes),
    ("hub_stranger_joins", hub::stranger_joins),
];

/// Prepares a case and runs it.
///
/// # Errors
/// If there is none of that name.
pub fn run(name: &str) -> Result<()> {
    match ALL.iter().find(|(known, _)| *known == name) {
        Some((_, case)) => {
            case();
            Ok(())
        }
        None => bail!("no case called {name}"),
    }
}
