//! Which part of the world a change concerns, and what an outage keeps quiet.

use guildgate_model::{GuildId, UnixMs};
use serde_json::json;

use super::{Applied, Change, ChangeError, Effect};
use crate::{
    event::{Audience, Event},
    gateway::intents,
    world::{Availability, Guild, Member, World, view},
};

impl World {
    /// Lets `change` happen at `wall`.
    ///
    /// # Errors
    /// [`ChangeError`] where the world does not allow it; nothing has changed then.
    pub(crate) fn apply(&mut self, wall: UnixMs, change: Change) -> Result<Applied, ChangeError> {
        let mut applied = self.apply_loudly(wall, change)?;
        let heard = |effect: &Effect| match effect {
            Effect::GuildAppears(_) => true,
            Effect::Send(event) => match event.audience.guild_id() {
                None => true,
                // An outage's own GUILD_DELETE must still be heard.
                Some(id) => {
                    event.dispatch.name == "GUILD_DELETE"
                        || self
                            .guild(id)
                            .is_none_or(|guild| guild.availability == Availability::Up)
                }
            },
        };
        applied.effects.retain(heard);
        Ok(applied)
    }

    fn apply_loudly(&mut self, wall: UnixMs, change: Change) -> Result<Applied, ChangeError> {
        match change {
            Change::Join(join) => self.join(wall, join),
            Change::Leave { guild, user } => self.leave(guild, user),
            Change::EditMember { guild, user, edit } => self.edit_member(guild, user, edit),
            Change::Ban { guild, user } => self.ban(guild, user),
            Change::Unban { guild, user } => self.unban(guild, user),
            Change::Voice {
                guild,
                user,
                channel,
                self_mute,
                self_deaf,
            } => self.voice(guild, user, channel, self_mute, self_deaf),
            Change::RenameUser { user, name } => self.rename_user(user, name),
            Change::CreateRole { guild, edit } => self.create_role(wall, guild, edit),
            Change::EditRole { guild, role, edit } => self.edit_role(guild, role, edit),
            Change::DeleteRole { guild, role } => self.delete_role(guild, role),
            Change::EditGuild { guild, edit } => self.edit_guild(guild, *edit),
            Change::CreateEmoji {
                guild,
                name,
                animated,
            } => self.create_emoji(wall, guild, name, animated),
            Change::RenameEmoji { guild, emoji, name } => self.rename_emoji(guild, emoji, name),
            Change::DeleteEmoji { guild, emoji } => self.delete_emoji(guild, emoji),
            Change::CreateInvite {
                channel,
                code,
                inviter,
                max_age,
                max_uses,
            } => {
                let bounds = (max_age, max_uses);
                self.create_invite(wall, channel, code, inviter, bounds)
            }
            Change::DeleteInvite { code } => self.delete_invite(&code),
            Change::PutChannel { guild, channel } => self.put_channel(wall, guild, *channel),
            Change::DeleteChannel { channel } => self.delete_channel(channel),
            Change::AddGuild(guild) => self.add_guild(wall, *guild),
            Change::RemoveBot(guild) => self.remove_bot(guild),
            Change::SetAvailability {
                guild,
                availability,
            } => self.set_availability(guild, availability),
        }
    }

    fn add_guild(&mut self, wall: UnixMs, mut guild: Guild) -> Result<Applied, ChangeError> {
        if self.guild(guild.id).is_some() {
            return Err(ChangeError::GuildExists(guild.id));
        }
        guild.joined_at = wall;
        let id = guild.id;
        self.put_guild(guild, guildgate_model::Permissions::ADMINISTRATOR);
        Ok(Applied {
            effects: vec![Effect::GuildAppears(id)],
            id: Some(id.0),
            code: None,
        })
    }

    pub(super) fn remove_bot(&mut self, id: GuildId) -> Result<Applied, ChangeError> {
        self.guilds
            .remove(&id)
            .ok_or(ChangeError::UnknownGuild(id))?;
        let gone = json!({ "id": id });
        Ok(Applied::send(Event::guild(
            "GUILD_DELETE",
            id,
            intents::GUILDS,
            &gone,
        )))
    }

    fn set_availability(
        &mut self,
        id: GuildId,
        availability: Availability,
    ) -> Result<Applied, ChangeError> {
        let guild = self.the_guild(id)?;
        if guild.availability == availability {
            return Ok(Applied::nothing());
        }
        guild.availability = availability;
        Ok(match availability {
            Availability::Up => Applied {
                effects: vec![Effect::GuildAppears(id)],
                ..Applied::default()
            },
            Availability::Down => {
                let down = json!({ "id": id, "unavailable": true });
                Applied::send(Event::guild("GUILD_DELETE", id, intents::GUILDS, &down))
            }
        })
    }

    pub(super) fn the_guild(&mut self, id: GuildId) -> Result<&mut Guild, ChangeError> {
        self.guild_mut(id).ok_or(ChangeError::UnknownGuild(id))
    }

    /// GUILD_MEMBER_UPDATE for a member as they are now.
    pub(super) fn member_update(&self, guild: &Guild, member: &Member) -> Event {
        let user = self.user(member.user);
        Event::new(
            "GUILD_MEMBER_UPDATE",
            Audience::Member {
                guild: guild.id,
                user: member.user,
            },
            &view::member(guild, member, &user, view::Place::Event),
        )
    }

    /// Whether the bot holds all of `permissions` in `guild`; some events depend on it.
    pub(super) fn bot_holds(
        &self,
        guild: &Guild,
        permission: guildgate_model::Permissions,
    ) -> bool {
        // A bot cannot be timed out, so that the time does not matter.
        guild
            .permissions_of(self.bot(), UnixMs(i64::MAX))
            .contains(permission)
    }
}
