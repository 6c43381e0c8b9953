//! The payloads of every opcode, typed, both ways.
//!
//! Source: Discord, "Gateway Events"; wire protocol, the source's list of opcodes.

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{
    Activity, ChannelId, ChannelInfoField, ClientDecodeError, ClientPayload, EncodeError, Identify,
    LARGE_THRESHOLD, NONCE_BYTES_MAX, PAYLOAD_BYTES_MAX, Presence, Properties, REQUEST_PREFIX_MAX,
    REQUEST_USERS_MAX, RequestChannelInfo, RequestMembers, RequestSoundboardSounds, Resume, Status,
    VoiceState,
};
pub use server::{
    ChannelInfo, ChannelInfoEntry, GuildSync, Hello, RateLimited, RateLimitedMeta, ServerPayload,
    SoundboardSounds, VoiceServerUpdate, VoiceStateUpdate,
};
