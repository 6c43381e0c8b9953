//! Which events a session asks for.

use std::{
    fmt,
    ops::{BitAnd, BitOr},
};

use serde::{Deserialize, Serialize};

/// A set of intents. Unknown bits are kept, so that a newer one can be asked for by number.
///
/// Source: Discord, "Gateway Intents".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intents(pub u64);

/// One intent: its bit, its name, and whether Discord wants it switched on by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentInfo {
    /// The set of this intent alone.
    pub intent: Intents,
    /// Its name in Discord's documents.
    pub name: &'static str,
    /// Who may ask for it.
    pub privilege: Privilege,
}

/// Whether an intent must be switched on for the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Any bot may ask for it.
    None,
    /// The application's settings must allow it; large ones need Discord's review.
    Privileged {
        /// What the switch is called on the application's "Bot" page.
        switch: &'static str,
    },
}

macro_rules! intents {
    ($($(#[$doc:meta])* $name:ident = $bit:literal $(, privileged: $switch:literal)?;)+) => {
        impl Intents {
            $($(#[$doc])* pub const $name: Intents = Intents(1 << $bit);)+

            /// Every documented intent, by bit.
            pub const TABLE: &'static [IntentInfo] = &[$(IntentInfo {
                intent: Intents::$name,
                name: stringify!($name),
                privilege: intents!(@privilege $($switch)?),
            }),+];
        }
    };
    (@privilege) => { Privilege::None };
    (@privilege $switch:literal) => { Privilege::Privileged { switch: $switch } };
}

intents! {
    /// Guilds, roles, channels, threads, stages.
    GUILDS = 0;
    /// Members joining, changing, leaving.
    GUILD_MEMBERS = 1, privileged: "Server Members Intent";
    /// Bans and the audit log.
    GUILD_MODERATION = 2;
    /// Emojis, stickers, sounds.
    GUILD_EXPRESSIONS = 3;
    /// Integrations.
    GUILD_INTEGRATIONS = 4;
    /// Webhooks.
    GUILD_WEBHOOKS = 5;
    /// Invites made and deleted.
    GUILD_INVITES = 6;
    /// Who is in which voice channel.
    GUILD_VOICE_STATES = 7;
    /// Who is online, and what they do.
    GUILD_PRESENCES = 8, privileged: "Presence Intent";
    /// Messages in guilds.
    GUILD_MESSAGES = 9;
    /// Reactions in guilds.
    GUILD_MESSAGE_REACTIONS = 10;
    /// Who is typing in guilds.
    GUILD_MESSAGE_TYPING = 11;
    /// Direct messages.
    DIRECT_MESSAGES = 12;
    /// Reactions in direct messages.
    DIRECT_MESSAGE_REACTIONS = 13;
    /// Who is typing in direct messages.
    DIRECT_MESSAGE_TYPING = 14;
    /// What messages say.
    MESSAGE_CONTENT = 15, privileged: "Message Content Intent";
    /// Scheduled events.
    GUILD_SCHEDULED_EVENTS = 16;
    /// Rules of the automatic moderation.
    AUTO_MODERATION_CONFIGURATION = 20;
    /// What the automatic moderation did.
    AUTO_MODERATION_EXECUTION = 21;
    /// Votes in guilds.
    GUILD_MESSAGE_POLLS = 24;
    /// Votes in direct messages.
    DIRECT_MESSAGE_POLLS = 25;
}

impl Intents {
    /// No intent.
    pub const NONE: Intents = Intents(0);
    /// Every documented intent.
    pub const ALL: Intents = Intents(53_608_447);
    /// Every documented intent that any bot may ask for.
    pub const UNPRIVILEGED: Intents = Intents(53_575_421);
    /// The privileged ones.
    pub const PRIVILEGED: Intents = Intents(Self::ALL.0 & !Self::UNPRIVILEGED.0);
    /// What this gateway lives on: guilds, their roles, emojis, invites and members.
    pub const GATEWAY: Intents = Intents(
        Self::GUILDS.0 | Self::GUILD_MEMBERS.0 | Self::GUILD_EXPRESSIONS.0 | Self::GUILD_INVITES.0,
    );

    /// Whether every bit of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Intents) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set without those of `other`.
    #[must_use]
    pub const fn without(self, other: Intents) -> Intents {
        Intents(self.0 & !other.0)
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The documented intents of this set, by bit.
    pub fn iter(self) -> impl Iterator<Item = &'static IntentInfo> {
        Self::TABLE
            .iter()
            .filter(move |info| self.contains(info.intent))
    }

    /// The intent of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Intents> {
        Self::TABLE
            .iter()
            .find(|info| info.name.eq_ignore_ascii_case(name))
            .map(|info| info.intent)
    }
}

impl BitOr for Intents {
    type Output = Intents;

    fn bitor(self, other: Intents) -> Intents {
        Intents(self.0 | other.0)
    }
}

impl BitAnd for Intents {
    type Output = Intents;

    fn bitand(self, other: Intents) -> Intents {
        Intents(self.0 & other.0)
    }
}

impl fmt::Display for Intents {
    /// Their names, with what has no name as a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for info in self.iter() {
            write!(f, "{separator}{}", info.name)?;
            separator = " | ";
        }
        let rest = self.without(Intents::ALL);
        if !rest.is_empty() {
            write!(f, "{separator}{:#x}", rest.0)?;
        } else if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Intents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intents({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_adds_up_to_the_documented_sums() {
        let sum = |wanted: fn(&IntentInfo) -> bool| {
            Intents::TABLE
                .iter()
                .filter(|info| wanted(info))
                .fold(Intents::NONE, |sum, info| sum | info.intent)
        };
        assert_eq!(sum(|_| true), Intents::ALL);
        assert_eq!(
            sum(|info| info.privilege == Privilege::None),
            Intents::UNPRIVILEGED
        );
    }

    #[test]
    fn a_set_is_shown_by_name() {
        let set = Intents::GUILDS | Intents::GUILD_MEMBERS | Intents(1 << 40);
        assert_eq!(set.to_string(), "GUILDS | GUILD_MEMBERS | 0x10000000000");
        assert_eq!(Intents::NONE.to_string(), "none");
        assert_eq!(
            Intents::named("guild_invites"),
            Some(Intents::GUILD_INVITES)
        );
    }
}
