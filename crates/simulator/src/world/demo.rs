//! The built-in world: the same on every start, so that documents can name its ids.

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};

use super::{
    Channel, ChannelKind, Emoji, Guild, Invite, Member, Role, RoleSource, User, UserKind, World,
    bits, created_at,
};
use crate::rng::hash_text;

/// The ids of the demo world that documents, tests and tours may name.
pub mod demo_ids {
    use guildgate_model::{GuildId, RoleId, UserId};

    /// The bot's user, and its application.
    pub const BOT: UserId = UserId(1_180_000_000_000_000_001);

    /// "Rustaceans' Rest", where most happens. The bot administers it.
    pub const REST: GuildId = GuildId(1_190_000_000_000_000_000);
    /// "Pixel Foundry". The bot may give roles there, below its own.
    pub const FOUNDRY: GuildId = GuildId(1_195_000_000_000_000_000);
    /// "Night Owls": small, and the bot may do nothing there.
    pub const OWLS: GuildId = GuildId(1_200_000_000_000_000_000);

    /// "olga", who owns Rustaceans' Rest.
    pub const OLGA: UserId = UserId(1_001_000_000_000_000_001);
    /// "mia", a manager in Rustaceans' Rest by the role [`ROLE_MANAGER`]. Nothing moves her.
    pub const MIA: UserId = UserId(1_001_000_000_000_000_002);
    /// "max", another manager, by the same role. Nothing moves him.
    pub const MAX: UserId = UserId(1_001_000_000_000_000_003);
    /// "ada", an applicant: a member without a role. Nothing moves her.
    pub const ADA: UserId = UserId(1_001_000_000_000_000_004);
    /// "ben", another applicant. Nothing moves him.
    pub const BEN: UserId = UserId(1_001_000_000_000_000_005);
    /// "ivy", an administrator by the role [`ROLE_ADMIN`]. Nothing moves her.
    pub const IVY: UserId = UserId(1_001_000_000_000_000_006);
    /// "robin", whose helper role comes and goes while the demo moves.
    pub const ROBIN: UserId = UserId(1_001_000_000_000_000_007);

    /// "Admin": ADMINISTRATOR.
    pub const ROLE_ADMIN: RoleId = RoleId(1_190_000_000_000_000_101);
    /// "Manager": MANAGE_GUILD.
    pub const ROLE_MANAGER: RoleId = RoleId(1_190_000_000_000_000_102);
    /// "Moderator": kick, ban, time out.
    pub const ROLE_MODERATOR: RoleId = RoleId(1_190_000_000_000_000_103);
    /// "Helper": manages messages and threads; given to and taken from [`ROBIN`].
    pub const ROLE_HELPER: RoleId = RoleId(1_190_000_000_000_000_104);
    /// "Regular": no more than its colour.
    pub const ROLE_REGULAR: RoleId = RoleId(1_190_000_000_000_000_105);
    /// "Newcomer": as little.
    pub const ROLE_NEWCOMER: RoleId = RoleId(1_190_000_000_000_000_106);
    /// "Staff": what an accepted applicant is given.
    pub const ROLE_STAFF: RoleId = RoleId(1_190_000_000_000_000_107);

    /// The invite of Rustaceans' Rest; its vanity code is `rustaceans`.
    pub const INVITE: &str = "crabs-welcome";
    /// The text channel of Rustaceans' Rest.
    pub const CHANNEL: u64 = 1_190_000_000_000_000_001;
    /// The voice channel of Rustaceans' Rest.
    pub const VOICE: u64 = 1_190_000_000_000_000_002;
}

use demo_ids::{ADA, BEN, BOT, FOUNDRY, IVY, MAX, MIA, OLGA, OWLS, REST, ROBIN};

impl World {
    /// The built-in world: three guilds and some forty people, the same on every start. Its
    /// ids are in [`demo_ids`].
    #[must_use]
    pub fn demo() -> World {
        let mut world = World::empty(BOT, "guildgate");
        for (id, name, shown) in NAMED {
            world.put_user(User {
                global_name: Some(shown.into()),
                avatar: Some(hash_text(id.0).into()),
                ..User::person(id, name)
            });
        }
        // One account with a discriminator, as some bots still have.
        let helper_bot = User {
            kind: UserKind::Bot,
            discriminator: "4821".into(),
            ..User::person(HELPER_BOT, "Ferris")
        };
        world.put_user(helper_bot);
        for (index, name) in CROWD.iter().enumerate() {
            world.put_user(User {
                avatar: Some(hash_text(index as u64).into()),
                ..User::person(extra(index), name)
            });
        }
        world.put_guild(rustaceans_rest(), Permissions::ADMINISTRATOR);
        world.put_guild(pixel_foundry(), bits(&[1, 2, 4, 10, 28, 40]));
        world.put_guild(night_owls(), bits(&[10, 11]));
        world
    }
}

fn rustaceans_rest() -> Guild {
    let mut guild = Guild::new(REST, "Rustaceans' Rest", OLGA);
    guild.icon = Some(hash_text(1).into());
    guild.banner = Some(hash_text(2).into());
    guild.description = Some("A quiet place to talk about Rust after work.".into());
    guild.vanity = Some("rustaceans".into());
    guild.premium_tier = 3;
    guild.verification_level = 2;
    guild.features = [
        "COMMUNITY",
        "VANITY_URL",
        "BANNER",
        "INVITE_SPLASH",
        "ANIMATED_ICON",
    ]
    .map(Into::into)
    .into();
    for (id, name, permissions, color, position) in [
        (
            demo_ids::ROLE_NEWCOMER,
            "Newcomer",
            Permissions::NONE,
            0x95_A5A6,
            1,
        ),
        (
            demo_ids::ROLE_REGULAR,
            "Regular",
            Permissions::NONE,
            0x34_98DB,
            2,
        ),
        (
            demo_ids::ROLE_HELPER,
            "Helper",
            bits(&[13, 34]),
            0x2E_CC71,
            3,
        ),
        (
            demo_ids::ROLE_STAFF,
            "Staff",
            bits(&[13, 34, 19]),
            0x1A_BC9C,
            4,
        ),
        (
            demo_ids::ROLE_MODERATOR,
            "Moderator",
            bits(&[1, 2, 13, 40, 7]),
            0xE6_7E22,
            5,
        ),
        (
            demo_ids::ROLE_MANAGER,
            "Manager",
            Permissions::MANAGE_GUILD | bits(&[7, 28]),
            0x9B_59B6,
            6,
        ),
        (
            demo_ids::ROLE_ADMIN,
            "Admin",
            Permissions::ADMINISTRATOR,
            0xE7_4C3C,
            7,
        ),
    ] {
        guild.put_role(plain_role(id, name, permissions, color, position));
    }
    guild.emojis = emojis(
        REST,
        &[
            "ferris",
            "crab_rave",
            "borrowed",
            "unsafe_ok",
            "lgtm",
            "ship_it",
            "segfault",
            "zero_cost",
        ],
    );
    guild.put_channel(plain_channel(
        demo_ids::VOICE,
        "Quiet room",
        ChannelKind::Voice,
        1,
    ));
    guild.put_channel(plain_channel(
        REST.0 + 3,
        "announcements",
        ChannelKind::Text,
        2,
    ));
    guild.put_channel(plain_channel(
        REST.0 + 4,
        "applications",
        ChannelKind::Text,
        3,
    ));
    guild
        .invites
        .push(plain_invite(demo_ids::INVITE, demo_ids::CHANNEL, MIA));
    let member = |user, roles: &[RoleId]| Member {
        roles: roles.into(),
        ..Member::new(user, JOINED)
    };
    for one in [
        member(IVY, &[demo_ids::ROLE_ADMIN]),
        member(MIA, &[demo_ids::ROLE_MANAGER, demo_ids::ROLE_REGULAR]),
        member(MAX, &[demo_ids::ROLE_MANAGER]),
        member(ROBIN, &[demo_ids::ROLE_REGULAR]),
        member(ADA, &[]),
        member(BEN, &[]),
        member(HELPER_BOT, &[demo_ids::ROLE_HELPER]),
    ] {
        guild.members.insert(one);
    }
    for index in 0..CROWD.len() {
        let role = match index % 6 {
            0 => demo_ids::ROLE_MODERATOR,
            1 | 2 => demo_ids::ROLE_REGULAR,
            _ => demo_ids::ROLE_NEWCOMER,
        };
        let mut one = member(extra(index), &[role]);
        one.joined_at = UnixMs(JOINED.0 + index as i64 * 86_400_000);
        guild.members.insert(one);
    }
    guild
}

fn pixel_foundry() -> Guild {
    let mut guild = Guild::new(FOUNDRY, "Pixel Foundry", IVY);
    guild.icon = Some(hash_text(3).into());
    guild.description = Some("Small sprites, large plans.".into());
    guild.premium_tier = 1;
    let role = |number, name, permissions, position| {
        plain_role(
            RoleId(FOUNDRY.0 + number),
            name,
            permissions,
            0x71_368A,
            position,
        )
    };
    for one in [
        role(101, "Apprentice", Permissions::NONE, 1),
        role(102, "Artist", bits(&[30, 43]), 2),
        role(103, "Animator", bits(&[30, 43]), 3),
        role(104, "Curator", bits(&[13, 34]), 4),
        role(105, "Patron", Permissions::NONE, 5),
        role(106, "Foreman", Permissions::MANAGE_GUILD | bits(&[28]), 6),
    ] {
        guild.put_role(one);
    }
    guild.emojis = emojis(FOUNDRY, &["anvil", "palette", "dither", "one_pixel"]);
    guild
        .invites
        .push(plain_invite("foundry", FOUNDRY.0 + 1, IVY));
    for user in [OLGA, MIA, ADA] {
        guild.members.insert(Member::new(user, JOINED));
    }
    for index in 0..CROWD.len() / 2 {
        guild.members.insert(Member {
            roles: Box::new([RoleId(FOUNDRY.0 + 101 + index as u64 % 5)]),
            ..Member::new(extra(index), JOINED)
        });
    }
    if let Some(foreman) = guild.members.find(MIA).map(|member| member.into_owned()) {
        guild.members.insert(Member {
            roles: Box::new([RoleId(FOUNDRY.0 + 106)]),
            ..foreman
        });
    }
    guild
}

fn night_owls() -> Guild {
    let mut guild = Guild::new(OWLS, "Night Owls", MAX);
    for (number, name, permissions) in [
        (101, "Owlet", Permissions::NONE),
        (102, "Barn owl", Permissions::NONE),
        (103, "Tawny owl", bits(&[13])),
        (104, "Snowy owl", bits(&[13, 34])),
        (105, "Eagle owl", bits(&[1, 40])),
        (106, "Night watch", Permissions::MANAGE_GUILD),
    ] {
        let position = u32::try_from(number - 100).unwrap_or(1);
        guild.put_role(plain_role(
            RoleId(OWLS.0 + number),
            name,
            permissions,
            0,
            position,
        ));
    }
    guild.emojis = emojis(OWLS, &["hoot", "three_am"]);
    for user in [BEN, ROBIN, OLGA] {
        guild.members.insert(Member::new(user, JOINED));
    }
    guild
}

fn plain_role(id: RoleId, name: &str, permissions: Permissions, color: u32, position: u32) -> Role {
    Role {
        id,
        name: name.into(),
        permissions,
        color,
        hoist: position > 3,
        position,
        source: RoleSource::Guild,
        mentionable: false,
    }
}

fn plain_channel(id: u64, name: &str, kind: ChannelKind, position: u32) -> Channel {
    Channel {
        id,
        name: name.into(),
        kind,
        position,
        parent: None,
        topic: None,
        overwrites: Box::default(),
        status: None,
    }
}

fn plain_invite(code: &str, channel: u64, inviter: UserId) -> Invite {
    Invite {
        code: code.into(),
        channel,
        inviter: Some(inviter),
        max_age: 0,
        max_uses: 0,
        uses: 12,
        created_at: created_at(channel),
    }
}

fn emojis(guild: GuildId, names: &[&str]) -> Vec<Emoji> {
    let emoji = |(index, name): (usize, &&str)| Emoji {
        id: EmojiId(guild.0 + 500 + index as u64),
        name: (*name).into(),
        animated: name.contains("rave"),
    };
    names.iter().enumerate().map(emoji).collect()
}

/// The `index`th of the people without a part of their own.
pub(crate) fn extra(index: usize) -> UserId {
    UserId(1_002_000_000_000_000_000 + index as u64)
}

const HELPER_BOT: UserId = UserId(1_001_000_000_000_000_090);

/// 2024-01-05T18:00:00Z.
const JOINED: UnixMs = UnixMs(1_704_477_600_000);

const NAMED: [(UserId, &str, &str); 7] = [
    (OLGA, "olga", "Olga"),
    (MIA, "mia", "Mia"),
    (MAX, "max", "Max"),
    (ADA, "ada", "Ada"),
    (BEN, "ben", "Ben"),
    (IVY, "ivy", "Ivy"),
    (ROBIN, "robin", "Robin"),
];

/// The people without a part of their own; lively motion moves only them and robin.
pub(crate) const CROWD: [&str; 34] = [
    "alder", "basil", "cedar", "dora", "elio", "fern", "gus", "hazel", "ines", "juno", "kai",
    "lena", "milo", "nora", "otis", "petra", "quinn", "rosa", "sami", "tess", "uma", "vito",
    "wren", "xena", "yara", "zane", "arlo", "bess", "cleo", "drew", "edda", "finn", "greta",
    "hugo",
];
