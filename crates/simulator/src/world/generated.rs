//! Worlds of any size, for measuring.

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};

use super::{
    Channel, ChannelKind, Crowd, Emoji, Guild, Invite, Members, Overwrite, Role, RoleSource, World,
    bits, demo_ids,
};
use crate::rng::{Rng, hash_text};

/// How large a generated world is. The defaults make a GUILD_CREATE of about 100 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// How many guilds.
    pub guilds: u32,
    /// How many members each, of whom none costs memory until changed.
    pub members: u32,
    /// How many roles each, besides @everyone.
    pub roles: u32,
    /// How many custom emojis each.
    pub emojis: u32,
    /// How many channels each, with their exceptions.
    pub channels: u32,
    /// The same seed gives the same world.
    pub seed: u64,
}

impl Default for Generated {
    fn default() -> Generated {
        Generated {
            guilds: 2_500,
            members: 1_000,
            roles: 60,
            emojis: 50,
            channels: 145,
            seed: 1,
        }
    }
}

impl Generated {
    /// The `index`th guild of such a world.
    #[must_use]
    pub fn guild_id(index: u32) -> GuildId {
        GuildId(1_100_000_000_000_000_000 + u64::from(index) * (1 << 22))
    }

    /// The `number`th member of the guild with this `index`.
    #[must_use]
    pub fn user_id(index: u32, number: u32) -> UserId {
        UserId(FIRST_USER + u64::from(index) + u64::from(number) * Crowd::STEP)
    }
}

impl World {
    /// A world of `size`, the same for the same seed. Its bot is [`demo_ids::BOT`] and
    /// administers every guild; ids follow from [`Generated::guild_id`] and
    /// [`Generated::user_id`], and the first member of a guild owns it.
    #[must_use]
    pub fn generated(size: &Generated) -> World {
        let mut world = World::empty(demo_ids::BOT, "guildgate");
        let mut rng = Rng::new(size.seed);
        for index in 0..size.guilds {
            world.put_guild(guild(index, size, &mut rng), Permissions::ADMINISTRATOR);
        }
        world
    }
}

fn guild(index: u32, size: &Generated, rng: &mut Rng) -> Guild {
    let id = Generated::guild_id(index);
    let mut guild = Guild::new(id, &format!("Guild {index}"), Generated::user_id(index, 0));
    guild.icon = Some(hash_text(rng.next()).into());
    guild.premium_tier = u8::try_from(rng.below(4)).unwrap_or(0);
    guild
        .roles
        .extend((1..=size.roles).map(|number| role(id, number, size.roles, rng)));
    guild.emojis = (0..size.emojis).map(|number| emoji(id, number)).collect();
    let roles: Vec<RoleId> = guild.roles.iter().map(|role| role.id).collect();
    guild
        .channels
        .extend((2..=size.channels).map(|number| channel(id, number, &roles, rng)));
    guild.invites.push(Invite {
        code: format!("guild-{index}").into(),
        channel: id.0 + 1,
        inviter: Some(guild.owner),
        max_age: 0,
        max_uses: 0,
        uses: 0,
        created_at: guild.joined_at,
    });
    guild.members = Members::of_crowd(Crowd {
        first: guild.owner,
        count: size.members.max(1),
        roles: roles.into_iter().skip(1).collect(),
        joined_from: UnixMs(guild.joined_at.0),
    });
    guild
}

fn role(guild: GuildId, number: u32, of: u32, rng: &mut Rng) -> Role {
    let permissions = match number {
        n if n == of => Permissions::ADMINISTRATOR,
        n if n + 1 == of => Permissions::MANAGE_GUILD,
        _ => Permissions(rng.next() & bits(&[6, 11, 13, 14, 15, 17, 18, 26, 34, 37]).0),
    };
    Role {
        id: RoleId(guild.0 + 1_000 + u64::from(number)),
        name: format!("role {number}").into(),
        permissions,
        color: u32::try_from(rng.next() & 0xFF_FFFF).unwrap_or(0),
        hoist: number.is_multiple_of(5),
        position: number,
        source: RoleSource::Guild,
        mentionable: number.is_multiple_of(3),
    }
}

fn emoji(guild: GuildId, number: u32) -> Emoji {
    Emoji {
        id: EmojiId(guild.0 + 100_000 + u64::from(number)),
        name: format!("emoji_{number}").into(),
        animated: number.is_multiple_of(4),
    }
}

fn channel(guild: GuildId, number: u32, roles: &[RoleId], rng: &mut Rng) -> Channel {
    let overwrite = |_| {
        rng.pick(roles).map(|&role| Overwrite {
            role,
            allow: bits(&[10, 11]),
            deny: bits(&[12, 17]),
        })
    };
    let mut overwrites: Vec<Overwrite> = (0..4).filter_map(overwrite).collect();
    overwrites.sort_by_key(|overwrite| overwrite.role);
    overwrites.dedup_by_key(|overwrite| overwrite.role);
    Channel {
        id: guild.0 + u64::from(number),
        name: format!("channel-{number}").into(),
        kind: if number.is_multiple_of(7) {
            ChannelKind::Voice
        } else {
            ChannelKind::Text
        },
        position: number,
        parent: None,
        topic: number
            .is_multiple_of(2)
            .then(|| format!("What channel {number} is for, in a sentence or so.").into()),
        overwrites: overwrites.into(),
        status: None,
    }
}

const FIRST_USER: u64 = 300_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guild_create_of_the_default_size_is_about_100_kib() {
        let world = World::generated(&Generated {
            guilds: 1,
            ..Generated::default()
        });
        let guild = world
            .guild(Generated::guild_id(0))
            .expect("the first guild");
        let nobody = super::super::view::MemberList {
            world: &world,
            guild,
            users: &[],
        };
        let shown = super::super::view::guild_create(guild, 50, nobody, Vec::new());
        let bytes = serde_json::to_string(&shown).expect("it serializes").len();
        assert!((90_000..115_000).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn the_same_seed_gives_the_same_world() {
        let size = Generated {
            guilds: 3,
            members: 10,
            ..Generated::default()
        };
        let shown = |world: &World| -> Vec<serde_json::Value> {
            world
                .guilds()
                .map(|guild| super::super::view::value(&super::super::view::guild(guild)))
                .collect()
        };
        assert_eq!(
            shown(&World::generated(&size)),
            shown(&World::generated(&size))
        );
        let other = World::generated(&Generated {
            seed: 2,
            ..size.clone()
        });
        assert_ne!(shown(&World::generated(&size)), shown(&other));
    }

    #[test]
    fn a_million_members_own_their_guild_and_the_bot_is_one_more() {
        let size = Generated {
            guilds: 1,
            members: 1_000_000,
            roles: 5,
            emojis: 1,
            channels: 2,
            seed: 1,
        };
        let world = World::generated(&size);
        let guild = world.guild(Generated::guild_id(0)).expect("the guild");
        assert_eq!(guild.members.count(), 1_000_001);
        assert!(guild.members.contains(Generated::user_id(0, 999_999)));
        assert_eq!(guild.owner, Generated::user_id(0, 0));
    }
}
