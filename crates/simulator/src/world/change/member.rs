//! Changes of people: joining, leaving, roles, names, time-outs, bans, voice.

use guildgate_model::{GuildId, RoleId, UnixMs, UserId};
use serde_json::json;

use super::{Applied, ChangeError, Effect, Join, MemberEdit};
use crate::{
    event::{Audience, Event},
    gateway::intents,
    world::{Guild, Member, VoiceState, World, bits, view},
};

impl World {
    pub(super) fn join(&mut self, wall: UnixMs, join: Join) -> Result<Applied, ChangeError> {
        let Join {
            guild: id,
            user,
            nick,
            roles,
        } = join;
        let guild = self.the_guild(id)?;
        if guild.bans.binary_search(&user).is_ok() {
            return Err(ChangeError::Banned(user));
        }
        if guild.members.contains(user) {
            return Ok(Applied::nothing());
        }
        let member = Member {
            nick,
            roles,
            ..Member::new(user, wall)
        };
        guild.members.insert(member.clone());
        let guild = self.guild(id).ok_or(ChangeError::UnknownGuild(id))?;
        let event = Event::guild(
            "GUILD_MEMBER_ADD",
            id,
            intents::GUILD_MEMBERS,
            &view::member(guild, &member, &self.user(user), view::Place::Event),
        );
        Ok(Applied::send(event))
    }

    pub(super) fn leave(&mut self, id: GuildId, user: UserId) -> Result<Applied, ChangeError> {
        if user == self.bot() {
            return self.remove_bot(id);
        }
        let guild = self.the_guild(id)?;
        if guild.owner == user {
            return Err(ChangeError::Owner(user));
        }
        guild
            .members
            .remove(user)
            .ok_or(ChangeError::UnknownMember { guild: id, user })?;
        let mut applied = self.voice(id, user, None, false, false)?;
        applied
            .effects
            .push(Effect::Send(self.member_remove(id, user)));
        Ok(applied)
    }

    fn member_remove(&self, guild: GuildId, user: UserId) -> Event {
        let data = json!({ "guild_id": guild, "user": view::user(&self.user(user)) });
        Event::guild("GUILD_MEMBER_REMOVE", guild, intents::GUILD_MEMBERS, &data)
    }

    pub(super) fn edit_member(
        &mut self,
        id: GuildId,
        user: UserId,
        edit: MemberEdit,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        let before = match guild.members.find(user) {
            Some(member) => member.into_owned(),
            None => return Err(ChangeError::UnknownMember { guild: id, user }),
        };
        let mut member = before.clone();
        let MemberEdit {
            nick,
            roles,
            timed_out_until,
        } = edit;
        if let Some(nick) = nick {
            member.nick = nick;
        }
        if let Some(roles) = roles {
            let unknown = roles.iter().find(|role| guild.role(**role).is_none());
            if let Some(&role) = unknown {
                return Err(ChangeError::UnknownRole { guild: id, role });
            }
            member.roles = roles;
        }
        if let Some(until) = timed_out_until {
            member.timed_out_until = until;
        }
        if member == before {
            return Ok(Applied::nothing());
        }
        guild.members.insert(member.clone());
        let guild = self.guild(id).ok_or(ChangeError::UnknownGuild(id))?;
        Ok(Applied::send(self.member_update(guild, &member)))
    }

    pub(super) fn ban(&mut self, id: GuildId, user: UserId) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        if guild.owner == user {
            return Err(ChangeError::Owner(user));
        }
        let Err(index) = guild.bans.binary_search(&user) else {
            return Ok(Applied::nothing());
        };
        guild.bans.insert(index, user);
        let was_member = guild.members.contains(user);
        let mut applied = Applied::nothing();
        if was_member {
            applied = self.leave(id, user)?;
        }
        applied
            .effects
            .extend(self.ban_event("GUILD_BAN_ADD", id, user).map(Effect::Send));
        Ok(applied)
    }

    pub(super) fn unban(&mut self, id: GuildId, user: UserId) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        let index = guild
            .bans
            .binary_search(&user)
            .map_err(|_| ChangeError::UnknownBan(user))?;
        guild.bans.remove(index);
        let effects = self
            .ban_event("GUILD_BAN_REMOVE", id, user)
            .map(Effect::Send);
        Ok(Applied {
            effects: effects.into_iter().collect(),
            ..Applied::default()
        })
    }

    /// Bans are told only to bots that may ban or read the audit log.
    fn ban_event(&self, name: &'static str, id: GuildId, user: UserId) -> Option<Event> {
        let guild = self.guild(id)?;
        let may = self.bot_holds(guild, bits(&[2])) || self.bot_holds(guild, bits(&[7]));
        let data = json!({ "guild_id": id, "user": view::user(&self.user(user)) });
        may.then(|| Event::guild(name, id, intents::GUILD_MODERATION, &data))
    }

    pub(super) fn voice(
        &mut self,
        id: GuildId,
        user: UserId,
        channel: Option<u64>,
        self_mute: bool,
        self_deaf: bool,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        let known = guild.voice.binary_search_by_key(&user, |state| state.user);
        let state = match (channel, known) {
            (None, Err(_)) => return Ok(Applied::nothing()),
            (None, Ok(index)) => guild.voice.remove(index),
            (Some(channel), known) => {
                if guild.channel(channel).is_none() {
                    return Err(ChangeError::UnknownChannel(channel));
                }
                let session = crate::rng::hash_text(user.0 ^ id.0).into();
                let state = VoiceState {
                    user,
                    channel,
                    session,
                    self_mute,
                    self_deaf,
                };
                match known {
                    Ok(index) => guild.voice[index] = state.clone(),
                    Err(index) => guild.voice.insert(index, state.clone()),
                }
                state
            }
        };
        let guild = self.guild(id).ok_or(ChangeError::UnknownGuild(id))?;
        let mut shown = view::voice_state(guild, &state, channel);
        if let Some(member) = view::member_of(self, guild, user, view::Place::Inside) {
            shown["member"] = member;
        }
        let event = Event::guild(
            "VOICE_STATE_UPDATE",
            id,
            intents::GUILD_VOICE_STATES,
            &shown,
        );
        Ok(Applied::send(event))
    }

    pub(super) fn rename_user(
        &mut self,
        id: UserId,
        name: Box<str>,
    ) -> Result<Applied, ChangeError> {
        let mut user = self.user(id).into_owned();
        user.name = name;
        self.put_user(user);
        let mut applied = Applied::nothing();
        if id == self.bot() {
            let data = view::value(&view::user(&self.user(id)));
            let event = Event::new("USER_UPDATE", Audience::Everyone, &data);
            applied.effects.push(Effect::Send(event));
        }
        for guild in self.guilds() {
            if let Some(member) = guild.members.find(id) {
                applied
                    .effects
                    .push(Effect::Send(self.member_update(guild, &member)));
            }
        }
        Ok(applied)
    }

    /// GUILD_MEMBER_UPDATE for those who held `role`, up to [`HOLDERS_TOLD_MAX`].
    pub(super) fn holders_told(&self, guild: &Guild, role: RoleId) -> Vec<Effect> {
        let holders = guild
            .members
            .iter()
            .filter(|member| member.roles.contains(&role));
        holders
            .take(HOLDERS_TOLD_MAX)
            .map(|member| Effect::Send(self.member_update(guild, &member)))
            .collect()
    }
}

/// How many holders of a deleted role get their own event; a bound, so that deleting a role
/// that half a million hold does not make half a million events at once.
const HOLDERS_TOLD_MAX: usize = 1_000;
