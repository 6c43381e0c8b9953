//! What Discord's side says, passed to the guild it is about.

use std::collections::BTreeSet;

use guildgate_model::{GuildData, GuildId, Now, ShardId, UpstreamEvent};

use super::{
    Hub,
    guild::{Guild, Standing},
    links::Unseen,
    ports::{Arrival, Output},
};
use crate::form_session::SessionsInput;

impl Hub {
    pub(super) fn on_upstream(
        &mut self,
        now: Now,
        shard: ShardId,
        event: UpstreamEvent,
        out: &mut Vec<Output>,
    ) {
        match event {
            UpstreamEvent::SessionStarted { bot: _, guilds } => {
                self.on_session_started(now, shard, guilds, out);
            }
            UpstreamEvent::SessionResumed => {
                self.links.session_resumed(shard, now.mono);
                self.at_shard(shard, now, out, Guild::resumed);
            }
            UpstreamEvent::LinkLost => {
                self.links.link_lost(shard, now.wall);
                self.at_shard(shard, now, out, Guild::link_lost);
            }
            UpstreamEvent::GuildAvailable(data) => self.on_available(now, shard, *data, out),
            UpstreamEvent::GuildUnavailable(guild) => self.on_unavailable(now, shard, guild, out),
            UpstreamEvent::GuildLeft(guild) => {
                self.links.arrived(shard, guild, now.mono);
                self.end_guilds(now, &BTreeSet::from([guild]), out);
            }
            about_one => self.on_guild_event(now, about_one, out),
        }
    }

    /// Events about a guild that is known; about any other they are dropped, since its
    /// GUILD_CREATE will say all.
    fn on_guild_event(&mut self, now: Now, event: UpstreamEvent, out: &mut Vec<Output>) {
        let Some(guild) = guild_of(&event) else {
            return;
        };
        self.at_guild(guild, now, out, |guild, turn| match event {
            UpstreamEvent::GuildChanged(data) => guild.changed(*data, turn),
            UpstreamEvent::EmojisChanged { emojis, .. } => {
                let mut data = GuildData::new(guild.id);
                data.emojis = Some(emojis);
                guild.changed(data, turn);
            }
            UpstreamEvent::RoleChanged { role, .. } => guild.role_changed(role, turn),
            UpstreamEvent::RoleRemoved { role, .. } => guild.role_removed(role, turn),
            UpstreamEvent::MemberJoined { member, .. } => guild.member_joined(member, turn),
            UpstreamEvent::MemberChanged { member, .. } => guild.member_said(member, turn),
            UpstreamEvent::MemberLeft { user, .. } => guild.member_left(user, turn),
            UpstreamEvent::Members {
                members, not_found, ..
            } => guild.members_answered(members, not_found, turn),
            UpstreamEvent::InviteCreated { code, .. } => {
                guild.invite_created(&code, turn);
            }
            UpstreamEvent::InviteDeleted { code, .. } => {
                guild.invites_said(|invite| invite.on_deleted(&code), turn);
            }
            UpstreamEvent::SessionStarted { .. }
            | UpstreamEvent::SessionResumed
            | UpstreamEvent::LinkLost
            | UpstreamEvent::GuildAvailable(_)
            | UpstreamEvent::GuildUnavailable(_)
            | UpstreamEvent::GuildLeft(_) => {}
        });
    }

    /// READY. Guilds of the shard that it does not list were left while nobody listened.
    fn on_session_started(
        &mut self,
        now: Now,
        shard: ShardId,
        listed: Vec<GuildId>,
        out: &mut Vec<Output>,
    ) {
        let listed: BTreeSet<GuildId> = listed.into_iter().collect();
        let left = self.guilds.keys().copied();
        let left = left.filter(|&guild| shard.serves(guild) && !listed.contains(&guild));
        let left = left.collect();
        self.end_guilds(now, &left, out);
        let is_unseen = |guild: &GuildId| !self.guilds.contains_key(guild);
        let unseen = listed.into_iter().filter(is_unseen).collect();
        self.links.session_started(shard, unseen, now.mono);
        self.at_shard(shard, now, out, Guild::session_started);
    }

    fn on_available(&mut self, now: Now, shard: ShardId, data: GuildData, out: &mut Vec<Output>) {
        let id = data.id;
        let unseen = self.links.arrived(shard, id, now.mono);
        let said_at = self.links.said_at(shard, now.wall);
        let (guilds, mut turn) = self.split(now, out);
        let arrival = match guilds.get_mut(&id) {
            Some(guild) => guild.available(data, said_at, &mut turn),
            None => {
                let invite = turn.config.invites.get(&id).map(|code| &**code);
                let mut guild = Box::new(Guild::new(id, invite, Standing::Live));
                guild.fill(data, said_at, &mut turn);
                guilds.insert(id, guild);
                match unseen {
                    Unseen::Awaited => Arrival::Backfill,
                    Unseen::Dark => Arrival::Recovered,
                    Unseen::LinkNotUp | Unseen::Unknown => Arrival::Joined,
                }
            }
        };
        out.push(Output::Arrived { guild: id, arrival });
    }

    fn on_unavailable(&mut self, now: Now, shard: ShardId, guild: GuildId, out: &mut Vec<Output>) {
        if self.guilds.contains_key(&guild) {
            self.at_guild(guild, now, out, Guild::unavailable);
        } else {
            self.links.went_dark(shard, guild, now.mono);
        }
    }

    /// The bot is out of these guilds: they are forgotten, and so is who was on them.
    fn end_guilds(&mut self, now: Now, ended: &BTreeSet<GuildId>, out: &mut Vec<Output>) {
        let (guilds, mut turn) = self.split(now, out);
        let mut somebody = false;
        for id in ended {
            if let Some(mut guild) = guilds.remove(id) {
                somebody |= guild.crowd.is_some();
                guild.left(&mut turn);
            }
        }
        if somebody {
            let is_gone = |guild: &mut GuildId| ended.contains(guild);
            self.places.retain(|_, place| {
                place.on.take_if(is_gone);
                place.wants.take_if(is_gone);
                place.on.is_some() || place.wants.is_some()
            });
        }
        for &guild in ended {
            self.feed_sessions(now, SessionsInput::GuildGone(guild), out);
        }
    }

    fn at_shard(
        &mut self,
        shard: ShardId,
        now: Now,
        out: &mut Vec<Output>,
        mut act: impl FnMut(&mut Guild, &mut super::Turn<'_>),
    ) {
        self.at_every_guild(now, out, |guild, turn| {
            if shard.serves(guild.id) {
                act(guild, turn);
            }
        });
    }
}

/// The one guild that an event is about.
fn guild_of(event: &UpstreamEvent) -> Option<GuildId> {
    match event {
        UpstreamEvent::SessionStarted { .. }
        | UpstreamEvent::SessionResumed
        | UpstreamEvent::LinkLost => None,
        UpstreamEvent::GuildAvailable(data) | UpstreamEvent::GuildChanged(data) => Some(data.id),
        UpstreamEvent::GuildUnavailable(guild)
        | UpstreamEvent::GuildLeft(guild)
        | UpstreamEvent::EmojisChanged { guild, .. }
        | UpstreamEvent::RoleChanged { guild, .. }
        | UpstreamEvent::RoleRemoved { guild, .. }
        | UpstreamEvent::MemberJoined { guild, .. }
        | UpstreamEvent::MemberChanged { guild, .. }
        | UpstreamEvent::MemberLeft { guild, .. }
        | UpstreamEvent::Members { guild, .. }
        | UpstreamEvent::InviteCreated { guild, .. }
        | UpstreamEvent::InviteDeleted { guild, .. } => Some(*guild),
    }
}
