//! Discord's own JSON shapes of a world's things.
//!
//! Source: Discord, "Guild", "User", "Emoji", "Invite", "Channel", "Voice" resources.

mod guild;

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::{Value, json};

use super::{
    Channel, Emoji, Guild, Invite, Member, Role, RoleSource, User, UserKind, VoiceState, World,
};
pub(crate) use guild::{guild, guild_create};

use crate::iso;

/// A time as Discord writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Iso(pub(crate) UnixMs);

impl Serialize for Iso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&iso::format(self.0))
    }
}

/// An id without a type of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) u64);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
pub(crate) struct UserView<'a> {
    id: UserId,
    username: &'a str,
    discriminator: &'a str,
    global_name: Option<&'a str>,
    avatar: Option<&'a str>,
    avatar_decoration_data: Option<()>,
    collectibles: Option<()>,
    primary_guild: Option<()>,
    bot: bool,
    public_flags: u32,
}

pub(crate) fn user(user: &User) -> UserView<'_> {
    UserView {
        id: user.id,
        username: &user.name,
        discriminator: &user.discriminator,
        global_name: user.global_name.as_deref(),
        avatar: user.avatar.as_deref(),
        avatar_decoration_data: None,
        collectibles: None,
        primary_guild: None,
        bot: user.kind == UserKind::Bot,
        public_flags: 0,
    }
}

/// A member; `user` is absent where the place says whose it is.
#[derive(Serialize)]
pub(crate) struct MemberView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    guild_id: Option<GuildId>,
    user: UserView<'a>,
    nick: Option<&'a str>,
    avatar: Option<()>,
    banner: Option<()>,
    roles: Vec<RoleId>,
    joined_at: Iso,
    premium_since: Option<()>,
    deaf: bool,
    mute: bool,
    flags: u32,
    pending: bool,
    communication_disabled_until: Option<Iso>,
}

/// Whether a member's view names its guild: in events it does, elsewhere not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Inside,
    Event,
}

pub(crate) fn member<'a>(
    guild: &Guild,
    member: &'a Member,
    of: &'a User,
    place: Place,
) -> MemberView<'a> {
    MemberView {
        guild_id: (place == Place::Event).then_some(guild.id),
        user: user(of),
        nick: member.nick.as_deref(),
        avatar: None,
        banner: None,
        roles: guild.roles_of(member),
        joined_at: Iso(member.joined_at),
        premium_since: None,
        deaf: false,
        mute: false,
        flags: 0,
        pending: false,
        communication_disabled_until: member.timed_out_until.map(Iso),
    }
}

/// Members of a guild, shown one by one as they are written, so that a thousand of them are
/// never held twice.
#[derive(Clone, Copy)]
pub(crate) struct MemberList<'a> {
    pub(crate) world: &'a World,
    pub(crate) guild: &'a Guild,
    pub(crate) users: &'a [UserId],
}

impl Serialize for MemberList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for &id in self.users {
            if let Some(found) = self.guild.members.find(id) {
                let user = self.world.user(id);
                list.serialize_element(&member(self.guild, &found, &user, Place::Inside))?;
            }
        }
        list.end()
    }
}

/// One member as JSON, or none if the user is not in the guild.
pub(crate) fn member_of(world: &World, guild: &Guild, id: UserId, place: Place) -> Option<Value> {
    let found = guild.members.find(id)?;
    Some(value(&member(guild, &found, &world.user(id), place)))
}

#[derive(Serialize)]
pub(crate) struct RoleView<'a> {
    id: RoleId,
    name: &'a str,
    description: Option<()>,
    permissions: Permissions,
    position: u32,
    color: u32,
    colors: RoleColors,
    hoist: bool,
    managed: bool,
    mentionable: bool,
    icon: Option<()>,
    unicode_emoji: Option<()>,
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<RoleTags>,
}

#[derive(Serialize)]
struct RoleColors {
    primary_color: u32,
    secondary_color: Option<u32>,
    tertiary_color: Option<u32>,
}

#[derive(Serialize)]
struct RoleTags {
    bot_id: UserId,
}

pub(crate) fn role(role: &Role) -> RoleView<'_> {
    let tags = match role.source {
        RoleSource::Guild => None,
        RoleSource::Bot(bot_id) => Some(RoleTags { bot_id }),
    };
    RoleView {
        id: role.id,
        name: &role.name,
        description: None,
        permissions: role.permissions,
        position: role.position,
        color: role.color,
        colors: RoleColors {
            primary_color: role.color,
            secondary_color: None,
            tertiary_color: None,
        },
        hoist: role.hoist,
        managed: tags.is_some(),
        mentionable: role.mentionable,
        icon: None,
        unicode_emoji: None,
        flags: 0,
        tags,
    }
}

#[derive(Serialize)]
pub(crate) struct EmojiView<'a> {
    id: EmojiId,
    name: &'a str,
    roles: [RoleId; 0],
    require_colons: bool,
    managed: bool,
    animated: bool,
    available: bool,
}

pub(crate) fn emoji(emoji: &Emoji) -> EmojiView<'_> {
    EmojiView {
        id: emoji.id,
        name: &emoji.name,
        roles: [],
        require_colons: true,
        managed: false,
        animated: emoji.animated,
        available: true,
    }
}

#[derive(Serialize)]
pub(crate) struct ChannelView<'a> {
    id: Id,
    guild_id: GuildId,
    #[serde(rename = "type")]
    kind: u8,
    name: &'a str,
    position: u32,
    parent_id: Option<Id>,
    topic: Option<&'a str>,
    nsfw: bool,
    flags: u32,
    last_message_id: Option<()>,
    rate_limit_per_user: u32,
    permission_overwrites: Vec<OverwriteView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bitrate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_limit: Option<u32>,
}

#[derive(Serialize)]
struct OverwriteView {
    id: RoleId,
    #[serde(rename = "type")]
    kind: u8,
    allow: Permissions,
    deny: Permissions,
}

pub(crate) fn channel(guild: GuildId, channel: &Channel) -> ChannelView<'_> {
    let voice = channel.kind == super::ChannelKind::Voice;
    let overwrite = |overwrite: &super::Overwrite| OverwriteView {
        id: overwrite.role,
        kind: 0,
        allow: overwrite.allow,
        deny: overwrite.deny,
    };
    ChannelView {
        id: Id(channel.id),
        guild_id: guild,
        kind: channel.kind.number(),
        name: &channel.name,
        position: channel.position,
        parent_id: channel.parent.map(Id),
        topic: channel.topic.as_deref(),
        nsfw: false,
        flags: 0,
        last_message_id: None,
        rate_limit_per_user: 0,
        permission_overwrites: channel.overwrites.iter().map(overwrite).collect(),
        bitrate: voice.then_some(64_000),
        user_limit: voice.then_some(0),
    }
}

pub(crate) fn voice_state(guild: &Guild, state: &VoiceState, channel: Option<u64>) -> Value {
    json!({
        "guild_id": guild.id, "channel_id": channel.map(Id), "user_id": state.user,
        "session_id": state.session, "deaf": false, "mute": false,
        "self_deaf": state.self_deaf, "self_mute": state.self_mute, "self_video": false,
        "suppress": false, "request_to_speak_timestamp": null,
    })
}

/// An invite as REST shows it.
pub(crate) fn invite(world: &World, guild: &Guild, invite: &Invite) -> Value {
    let mut shown = invite_target(guild, invite.channel);
    shown["code"] = json!(invite.code);
    shown["inviter"] = json!(invite.inviter.map(|id| value(&user(&world.user(id)))));
    shown["uses"] = json!(invite.uses);
    shown["max_uses"] = json!(invite.max_uses);
    shown["max_age"] = json!(invite.max_age);
    shown["temporary"] = json!(false);
    shown["created_at"] = json!(Iso(invite.created_at));
    shown["expires_at"] = json!(expiry(invite).map(Iso));
    shown
}

/// Where an invite or a vanity code leads.
pub(crate) fn invite_target(guild: &Guild, channel: u64) -> Value {
    let found = guild.channel(channel).or(guild.channels.first());
    json!({
        "type": 0,
        "guild": {
            "id": guild.id, "name": guild.name, "icon": guild.icon, "banner": guild.banner,
            "splash": null, "description": guild.description, "features": guild.features,
            "verification_level": guild.verification_level, "nsfw_level": guild.nsfw_level,
            "vanity_url_code": guild.vanity, "premium_subscription_count": 0,
        },
        "guild_id": guild.id,
        "channel": found.map(|one| json!({"id": Id(one.id), "name": one.name, "type": one.kind.number()})),
    })
}

/// When an invite runs out.
pub(crate) fn expiry(invite: &Invite) -> Option<UnixMs> {
    (invite.max_age > 0).then(|| UnixMs(invite.created_at.0 + i64::from(invite.max_age) * 1_000))
}

/// The application as REST shows it.
pub(crate) fn application(world: &World) -> Value {
    let about = world.application();
    let bot = world.user(world.bot());
    json!({
        "id": Id(about.id), "name": about.name, "icon": null, "description": "",
        "bot_public": false, "bot_require_code_grant": false, "verify_key": "0".repeat(64),
        "flags": flags(about.privileged_intents), "summary": "", "hook": true, "tags": [],
        "bot": user(&bot), "team": null,
        "owner": {
            "id": Id(about.id + 1), "username": "simulator.owner", "discriminator": "0",
            "global_name": null, "avatar": null, "public_flags": 0,
        },
        "approximate_guild_count": world.guild_count(),
    })
}

/// An application's flags: which privileged intents are on for a bot below the review
/// threshold.
///
/// Source: Discord, "Application: Application Flags".
pub(crate) fn flags(privileged_intents: u64) -> u32 {
    [(1 << 8, 1 << 13), (1 << 1, 1 << 15), (1 << 15, 1 << 19)]
        .iter()
        .filter(|(intent, _)| privileged_intents & intent != 0)
        .map(|(_, flag)| flag)
        .sum()
}

pub(crate) fn value(view: &impl Serialize) -> Value {
    serde_json::to_value(view).expect("maps with text keys always serialize")
}
