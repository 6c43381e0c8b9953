//! What clients are shown of a guild, except its count and its freshness.

use guildgate_model::{GuildData, UserId};

use super::emojis::PackedEmojis;

/// The shown fields of a guild, as small as they can be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) name: Box<str>,
    pub(super) owner: UserId,
    pub(super) icon: Option<Box<str>>,
    pub(super) banner: Option<Box<str>>,
    pub(super) description: Option<Box<str>>,
    pub(super) vanity: Option<Box<str>>,
    pub(super) emojis: PackedEmojis,
    pub(super) premium_tier: u8,
    pub(super) verification_level: u8,
    pub(super) mfa_level: u8,
    pub(super) nsfw: bool,
}

/// Whether a message of Discord's changed what clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Changed,
    Same,
}

impl About {
    /// A guild of which nothing has been said.
    pub(super) fn unknown() -> About {
        About {
            name: Box::default(),
            owner: UserId(0),
            icon: None,
            banner: None,
            description: None,
            vanity: None,
            emojis: PackedEmojis::default(),
            premium_tier: 0,
            verification_level: 0,
            mfa_level: 0,
            nsfw: false,
        }
    }

    /// Takes over what `data` says; what it does not say stays.
    pub(super) fn apply(&mut self, data: &mut GuildData) -> Shown {
        let emojis = data.emojis.take().map(|list| PackedEmojis::pack(&list));
        let changed = [
            put(&mut self.name, data.name.take()),
            put(&mut self.owner, data.owner),
            put(&mut self.icon, data.icon.take()),
            put(&mut self.banner, data.banner.take()),
            put(&mut self.description, data.description.take()),
            put(&mut self.vanity, data.vanity.take()),
            put(&mut self.emojis, emojis),
            put(&mut self.premium_tier, data.premium_tier),
            put(&mut self.verification_level, data.verification_level),
            put(&mut self.mfa_level, data.mfa_level),
            put(&mut self.nsfw, data.nsfw),
        ];
        if changed.contains(&Shown::Changed) {
            Shown::Changed
        } else {
            Shown::Same
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = [&self.icon, &self.banner, &self.description, &self.vanity];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        self.name.len() + texts + self.emojis.heap_bytes()
    }
}

/// Puts what was said, if anything was, into its place.
pub(super) fn put<T: PartialEq>(place: &mut T, said: Option<T>) -> Shown {
    match said {
        Some(value) if *place != value => {
            *place = value;
            Shown::Changed
        }
        Some(_) | None => Shown::Same,
    }
}
