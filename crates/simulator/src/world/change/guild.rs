//! Changes of a guild's furniture: itself, roles, emojis, invites, channels.

use guildgate_model::{EmojiId, GuildId, Permissions, RoleId, UnixMs, UserId};
use serde_json::json;

use super::{Applied, ChangeError, Effect, GuildEdit, RoleEdit};
use crate::{
    event::Event,
    gateway::intents,
    rng,
    world::{Channel, Emoji, Guild, Invite, Role, RoleSource, World, bits, view},
};

impl World {
    pub(super) fn create_role(
        &mut self,
        wall: UnixMs,
        id: GuildId,
        edit: RoleEdit,
    ) -> Result<Applied, ChangeError> {
        let new = RoleId(self.new_id(wall));
        let guild = self.the_guild(id)?;
        let everyone = guild
            .role(id.everyone())
            .map_or(Permissions::NONE, |role| role.permissions);
        let mut role = Role {
            id: new,
            name: "new role".into(),
            permissions: everyone,
            color: 0,
            hoist: false,
            position: 1,
            source: RoleSource::Guild,
            mentionable: false,
        };
        edit_role(&mut role, edit);
        let event = role_event("GUILD_ROLE_CREATE", id, &role);
        guild.put_role(role);
        Ok(Applied {
            id: Some(new.0),
            ..Applied::send(event)
        })
    }

    pub(super) fn edit_role(
        &mut self,
        id: GuildId,
        role: RoleId,
        edit: RoleEdit,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        let unknown = ChangeError::UnknownRole { guild: id, role };
        let before = guild.role(role).cloned().ok_or(unknown)?;
        let mut after = before.clone();
        edit_role(&mut after, edit);
        if after == before {
            return Ok(Applied::nothing());
        }
        let event = role_event("GUILD_ROLE_UPDATE", id, &after);
        guild.put_role(after);
        Ok(Applied::send(event))
    }

    pub(super) fn delete_role(
        &mut self,
        id: GuildId,
        role: RoleId,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        if role == id.everyone() {
            return Err(ChangeError::Everyone);
        }
        let index = guild
            .roles
            .binary_search_by_key(&role, |known| known.id)
            .map_err(|_| ChangeError::UnknownRole { guild: id, role })?;
        guild.roles.remove(index);
        let gone = json!({ "guild_id": id, "role_id": role });
        let event = Event::guild("GUILD_ROLE_DELETE", id, intents::GUILDS, &gone);
        let mut applied = Applied::send(event);
        if let Some(guild) = self.guild(id) {
            applied.effects.extend(self.holders_told(guild, role));
        }
        Ok(applied)
    }

    pub(super) fn edit_guild(
        &mut self,
        id: GuildId,
        edit: GuildEdit,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        if let Some(owner) = edit.owner
            && !guild.members.contains(owner)
        {
            return Err(ChangeError::UnknownMember {
                guild: id,
                user: owner,
            });
        }
        let before = view::value(&view::guild(guild));
        apply_guild_edit(guild, edit);
        let after = view::value(&view::guild(guild));
        if before == after {
            return Ok(Applied::nothing());
        }
        let event = Event::guild("GUILD_UPDATE", id, intents::GUILDS, &view::guild(guild));
        Ok(Applied::send(event))
    }

    pub(super) fn create_emoji(
        &mut self,
        wall: UnixMs,
        id: GuildId,
        name: Box<str>,
        animated: bool,
    ) -> Result<Applied, ChangeError> {
        let new = self.new_id(wall);
        let guild = self.the_guild(id)?;
        guild.emojis.push(Emoji {
            id: EmojiId(new),
            name,
            animated,
        });
        guild.emojis.sort_by_key(|emoji| emoji.id);
        Ok(Applied {
            id: Some(new),
            ..Applied::send(emojis_event(guild))
        })
    }

    pub(super) fn rename_emoji(
        &mut self,
        id: GuildId,
        emoji: EmojiId,
        name: Box<str>,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        let found = guild.emojis.iter_mut().find(|known| known.id == emoji);
        found.ok_or(ChangeError::UnknownEmoji(emoji))?.name = name;
        Ok(Applied::send(emojis_event(guild)))
    }

    pub(super) fn delete_emoji(
        &mut self,
        id: GuildId,
        emoji: EmojiId,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        let found = guild.emojis.iter().position(|known| known.id == emoji);
        guild
            .emojis
            .remove(found.ok_or(ChangeError::UnknownEmoji(emoji))?);
        Ok(Applied::send(emojis_event(guild)))
    }

    pub(super) fn create_invite(
        &mut self,
        wall: UnixMs,
        channel: u64,
        code: Option<Box<str>>,
        inviter: Option<UserId>,
        (max_age, max_uses): (u32, u32),
    ) -> Result<Applied, ChangeError> {
        let id = match self.channel(channel) {
            Some((guild, _)) => guild.id,
            None => return Err(ChangeError::UnknownChannel(channel)),
        };
        let made_up = || rng::hash_text(channel ^ self.serial)[..8].into();
        let code: Box<str> = code.clone().unwrap_or_else(made_up);
        if self.invite(&code).is_some() {
            return Err(ChangeError::CodeTaken(code));
        }
        self.serial += 1;
        let invite = Invite {
            code: code.clone(),
            channel,
            inviter,
            max_age,
            max_uses,
            uses: 0,
            created_at: wall,
        };
        let data = json!({
            "guild_id": id, "channel_id": view::Id(channel), "code": code, "type": 0,
            "inviter": inviter.map(|user| view::value(&view::user(&self.user(user)))),
            "max_age": max_age, "max_uses": max_uses, "uses": 0, "temporary": false,
            "created_at": view::Iso(wall), "expires_at": view::expiry(&invite).map(view::Iso),
        });
        self.the_guild(id)?.invites.push(invite);
        let effects = self.invite_event("INVITE_CREATE", id, &data);
        Ok(Applied {
            effects,
            id: None,
            code: Some(code),
        })
    }

    pub(super) fn delete_invite(&mut self, code: &str) -> Result<Applied, ChangeError> {
        let found = match self.invite(code) {
            Some((guild, Some(invite))) => Some((guild.id, invite.channel)),
            Some((_, None)) | None => None,
        };
        let (id, channel) = found.ok_or_else(|| ChangeError::UnknownInvite(code.into()))?;
        self.the_guild(id)?
            .invites
            .retain(|invite| &*invite.code != code);
        let data = json!({ "guild_id": id, "channel_id": view::Id(channel), "code": code });
        let effects = self.invite_event("INVITE_DELETE", id, &data);
        Ok(Applied {
            effects,
            ..Applied::default()
        })
    }

    /// Invites are told only to bots that may manage channels.
    fn invite_event(
        &self,
        name: &'static str,
        id: GuildId,
        data: &serde_json::Value,
    ) -> Vec<Effect> {
        let may = self
            .guild(id)
            .is_some_and(|guild| self.bot_holds(guild, bits(&[4])));
        may.then(|| Effect::Send(Event::guild(name, id, intents::GUILD_INVITES, data)))
            .into_iter()
            .collect()
    }

    pub(super) fn put_channel(
        &mut self,
        wall: UnixMs,
        id: GuildId,
        mut channel: Channel,
    ) -> Result<Applied, ChangeError> {
        let new = self.new_id(wall);
        let guild = self.the_guild(id)?;
        let name = match guild.channel(channel.id) {
            Some(known) if *known == channel => return Ok(Applied::nothing()),
            Some(_) => "CHANNEL_UPDATE",
            None => {
                channel.id = new;
                "CHANNEL_CREATE"
            }
        };
        let event = Event::guild(name, id, intents::GUILDS, &view::channel(id, &channel));
        let made = channel.id;
        guild.put_channel(channel);
        Ok(Applied {
            id: Some(made),
            ..Applied::send(event)
        })
    }

    pub(super) fn delete_channel(&mut self, channel: u64) -> Result<Applied, ChangeError> {
        let id = match self.channel(channel) {
            Some((guild, _)) => guild.id,
            None => return Err(ChangeError::UnknownChannel(channel)),
        };
        let guild = self.the_guild(id)?;
        let found = guild.channels.iter().position(|known| known.id == channel);
        let gone = guild
            .channels
            .remove(found.ok_or(ChangeError::UnknownChannel(channel))?);
        let event = Event::guild(
            "CHANNEL_DELETE",
            id,
            intents::GUILDS,
            &view::channel(id, &gone),
        );
        Ok(Applied::send(event))
    }
}

fn edit_role(role: &mut Role, edit: RoleEdit) {
    let RoleEdit {
        name,
        permissions,
        color,
        hoist,
        position,
        mentionable,
    } = edit;
    role.name = name.unwrap_or_else(|| role.name.clone());
    role.permissions = permissions.unwrap_or(role.permissions);
    role.color = color.unwrap_or(role.color);
    role.hoist = hoist.unwrap_or(role.hoist);
    role.position = position.unwrap_or(role.position);
    role.mentionable = mentionable.unwrap_or(role.mentionable);
}

fn apply_guild_edit(guild: &mut Guild, edit: GuildEdit) {
    guild.name = edit.name.unwrap_or_else(|| guild.name.clone());
    guild.owner = edit.owner.unwrap_or(guild.owner);
    for (field, new) in [
        (&mut guild.icon, edit.icon),
        (&mut guild.banner, edit.banner),
        (&mut guild.description, edit.description),
        (&mut guild.vanity, edit.vanity),
    ] {
        if let Some(new) = new {
            *field = new;
        }
    }
    guild.premium_tier = edit.premium_tier.unwrap_or(guild.premium_tier);
    guild.verification_level = edit.verification_level.unwrap_or(guild.verification_level);
    guild.mfa_level = edit.mfa_level.unwrap_or(guild.mfa_level);
    guild.nsfw_level = edit.nsfw_level.unwrap_or(guild.nsfw_level);
}

fn role_event(name: &'static str, guild: GuildId, role: &Role) -> Event {
    let data = json!({ "guild_id": guild, "role": view::role(role) });
    Event::guild(name, guild, intents::GUILDS, &data)
}

fn emojis_event(guild: &Guild) -> Event {
    let emojis: Vec<_> = guild.emojis.iter().map(view::emoji).collect();
    let data = json!({ "guild_id": guild.id, "emojis": emojis });
    Event::guild(
        "GUILD_EMOJIS_UPDATE",
        guild.id,
        intents::GUILD_EXPRESSIONS,
        &data,
    )
}
