//! What a gateway payload is for: its `op`.

use std::fmt;

/// The kind of a gateway payload.
///
/// The names are those of the community's clients, as the project's protocol text has them;
/// Discord's own page calls some of them otherwise ("Invalid Session", "Voice State Update").
///
/// Source: Discord, "Gateway Opcodes"; wire protocol, the source's list of opcodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opcode {
    /// 0, from Discord: an event.
    Dispatch,
    /// 1, both ways: a sign of life, or the wish for one.
    Heartbeat,
    /// 2, to Discord: begins a session.
    Identify,
    /// 3, to Discord: the bot's status and activities.
    Presence,
    /// 4, to Discord: joins, moves in or leaves a voice channel.
    VoiceState,
    /// 5, to Discord: pings a voice server; never for bots.
    VoicePing,
    /// 6, to Discord: goes on with a session.
    Resume,
    /// 7, from Discord: dial again.
    Reconnect,
    /// 8, to Discord: asks for members of a guild.
    RequestMembers,
    /// 9, from Discord: the session is no good; `d` says whether it may be resumed.
    InvalidateSession,
    /// 10, from Discord: the first payload, with the heartbeat's interval.
    Hello,
    /// 11, from Discord: a heartbeat arrived.
    HeartbeatAck,
    /// 12, to Discord: asks for whole guilds; never for bots.
    GuildSync,
    /// 31, to Discord: asks for guilds' soundboards.
    RequestSoundboardSounds,
    /// 43, to Discord: asks for the voice channels' status of a guild.
    RequestChannelInfo,
    /// Any other number.
    Unknown(u8),
}

/// Who may send a payload of some opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client.
    ToDiscord,
    /// Discord.
    FromDiscord,
    /// Either.
    Both,
}

impl Opcode {
    /// Every opcode that is known, by number.
    pub const ALL: [Opcode; 15] = [
        Opcode::Dispatch,
        Opcode::Heartbeat,
        Opcode::Identify,
        Opcode::Presence,
        Opcode::VoiceState,
        Opcode::VoicePing,
        Opcode::Resume,
        Opcode::Reconnect,
        Opcode::RequestMembers,
        Opcode::InvalidateSession,
        Opcode::Hello,
        Opcode::HeartbeatAck,
        Opcode::GuildSync,
        Opcode::RequestSoundboardSounds,
        Opcode::RequestChannelInfo,
    ];

    /// The opcode with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Opcode {
        match number {
            0 => Opcode::Dispatch,
            1 => Opcode::Heartbeat,
            2 => Opcode::Identify,
            3 => Opcode::Presence,
            4 => Opcode::VoiceState,
            5 => Opcode::VoicePing,
            6 => Opcode::Resume,
            7 => Opcode::Reconnect,
            8 => Opcode::RequestMembers,
            9 => Opcode::InvalidateSession,
            10 => Opcode::Hello,
            11 => Opcode::HeartbeatAck,
            12 => Opcode::GuildSync,
            31 => Opcode::RequestSoundboardSounds,
            43 => Opcode::RequestChannelInfo,
            other => Opcode::Unknown(other),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Opcode::Dispatch => 0,
            Opcode::Heartbeat => 1,
            Opcode::Identify => 2,
            Opcode::Presence => 3,
            Opcode::VoiceState => 4,
            Opcode::VoicePing => 5,
            Opcode::Resume => 6,
            Opcode::Reconnect => 7,
            Opcode::RequestMembers => 8,
            Opcode::InvalidateSession => 9,
            Opcode::Hello => 10,
            Opcode::HeartbeatAck => 11,
            Opcode::GuildSync => 12,
            Opcode::RequestSoundboardSounds => 31,
            Opcode::RequestChannelInfo => 43,
            Opcode::Unknown(number) => number,
        }
    }

    /// Its name, as operators know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Opcode::Dispatch => "DISPATCH",
            Opcode::Heartbeat => "HEARTBEAT",
            Opcode::Identify => "IDENTIFY",
            Opcode::Presence => "PRESENCE",
            Opcode::VoiceState => "VOICE_STATE",
            Opcode::VoicePing => "VOICE_PING",
            Opcode::Resume => "RESUME",
            Opcode::Reconnect => "RECONNECT",
            Opcode::RequestMembers => "REQUEST_MEMBERS",
            Opcode::InvalidateSession => "INVALIDATE_SESSION",
            Opcode::Hello => "HELLO",
            Opcode::HeartbeatAck => "HEARTBEAT_ACK",
            Opcode::GuildSync => "GUILD_SYNC",
            Opcode::RequestSoundboardSounds => "REQUEST_SOUNDBOARD_SOUNDS",
            Opcode::RequestChannelInfo => "REQUEST_CHANNEL_INFO",
            Opcode::Unknown(_) => "UNKNOWN",
        }
    }

    /// Who sends it; nobody knows of an unknown one.
    #[must_use]
    pub const fn direction(self) -> Option<Direction> {
        match self {
            Opcode::Heartbeat => Some(Direction::Both),
            Opcode::Dispatch
            | Opcode::Reconnect
            | Opcode::InvalidateSession
            | Opcode::Hello
            | Opcode::HeartbeatAck => Some(Direction::FromDiscord),
            Opcode::Identify
            | Opcode::Presence
            | Opcode::VoiceState
            | Opcode::VoicePing
            | Opcode::Resume
            | Opcode::RequestMembers
            | Opcode::GuildSync
            | Opcode::RequestSoundboardSounds
            | Opcode::RequestChannelInfo => Some(Direction::ToDiscord),
            Opcode::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_an_opcode_and_comes_back() {
        for number in 0..=u8::MAX {
            assert_eq!(Opcode::from_number(number).number(), number);
        }
        for op in Opcode::ALL {
            assert_eq!(Opcode::from_number(op.number()), op);
            assert!(op.direction().is_some(), "{op} has a sender");
        }
    }
}
