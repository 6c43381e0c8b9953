//! What goes out to those who are on a guild: counts, snapshots, and each user's own rights.

use std::sync::Arc;

use guildgate_model::{ApplicationId, GuildId, Mono, Permissions, UserId};
use guildgate_wire::{EventFrame, EventName, Lane};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    super::{
        ports::{Audience, MemberEvents, Output},
        timers::Timer,
        turn::Turn,
    },
    Guild,
};
use crate::ClientId;

impl Guild {
    /// The guild as clients are shown it, encoded; kept until it changes.
    pub(in crate::hub) fn json(&mut self, member_events: MemberEvents) -> Arc<RawValue> {
        if let Some(json) = self.told_json() {
            return Arc::clone(json);
        }
        let json: Arc<RawValue> = self
            .with_view(member_events, |view| serde_json::value::to_raw_value(view))
            .expect("a guild's view is plain JSON")
            .into();
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.told.guild_json = Some(Arc::clone(&json));
        }
        json
    }

    /// The count changed: tells it now, or when the interval since the last one is over.
    pub(super) fn count_changed(&mut self, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        crowd.told.guild_json = None;
        if crowd.connections() == 0 {
            return;
        }
        let free_at = crowd
            .told
            .count_at
            .map(|at| at + turn.config.count_interval);
        match free_at {
            Some(at) if at > turn.now.mono => {
                turn.hold_back(&mut crowd.told.count_held_since, Timer::Count(self.id), at);
            }
            Some(_) | None => self.tell_count(turn),
        }
    }

    /// The interval is over.
    pub(in crate::hub) fn count_due(&mut self, turn: &mut Turn<'_>) {
        self.tell_count(turn);
    }

    /// A shown field changed: tells it now, or when the interval since the last one is over.
    pub(in crate::hub) fn shown_changed(&mut self, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        crowd.told.guild_json = None;
        if crowd.connections() == 0 {
            return;
        }
        let free_at = crowd
            .told
            .snapshot_at
            .map(|at| at + turn.config.snapshot_interval);
        match free_at {
            Some(at) if at > turn.now.mono => {
                let since = &mut crowd.told.snapshot_held_since;
                turn.hold_back(since, Timer::Snapshot(self.id), at);
            }
            Some(_) | None => self.snapshot_due(turn),
        }
    }

    /// Tells everybody the guild as it is now.
    pub(in crate::hub) fn snapshot_due(&mut self, turn: &mut Turn<'_>) {
        turn.timers.clear(Timer::Snapshot(self.id));
        let member_events = turn.member_events;
        let crowd = self.crowd.as_deref_mut();
        let held_since = crowd.and_then(|crowd| crowd.told.snapshot_held_since.take());
        self.address_late(Audience::All, held_since, turn, |guild| {
            EventFrame::guild_update(guild.id, &guild.json(member_events))
        });
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.told.snapshot_at = Some(turn.now.mono);
        }
        self.snapshot_given();
    }

    /// GUILD_RESYNC to those without a user. A GUILD_UPDATE that waits is void: users get
    /// theirs once their member is known.
    pub(super) fn resync_basic(&mut self, turn: &mut Turn<'_>) {
        turn.timers.clear(Timer::Snapshot(self.id));
        self.drop_json();
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.told.snapshot_held_since = None;
        }
        let member_events = turn.member_events;
        self.address(Audience::Basic, turn, |guild| {
            EventFrame::guild_resync(guild.id, &guild.json(member_events), None)
        });
        self.snapshot_given();
    }

    /// GUILD_RESYNC to one user.
    pub(super) fn resync_user(&mut self, user: UserId, turn: &mut Turn<'_>) {
        let json = self.json(turn.member_events);
        if let Some(watcher) = self.crowd.as_deref().and_then(|crowd| crowd.watcher(user))
            && !watcher.clients.is_empty()
        {
            let event = EventFrame::guild_resync(self.id, &json, watcher.view().as_ref());
            turn.tell(&watcher.clients, &event);
        }
        self.snapshot_given();
    }

    /// GUILD_RESYNC to one of a user's clients.
    pub(super) fn resync_client(&mut self, client: ClientId, user: UserId, turn: &mut Turn<'_>) {
        let json = self.json(turn.member_events);
        let watcher = self.crowd.as_deref().and_then(|crowd| crowd.watcher(user));
        let view = watcher.and_then(|watcher| watcher.view());
        let event = EventFrame::guild_resync(self.id, &json, view.as_ref());
        turn.tell(&[client], &event);
        self.snapshot_given();
    }

    /// GUILD_PRIVILEGE_UPDATE to one user on all their connections.
    pub(super) fn tell_privilege(
        &self,
        user: UserId,
        tag: &str,
        permissions: Permissions,
        turn: &mut Turn<'_>,
    ) {
        if let Some(watcher) = self.crowd.as_deref().and_then(|crowd| crowd.watcher(user))
            && !watcher.clients.is_empty()
        {
            let event = EventFrame::privilege(self.id, user, tag, permissions);
            turn.tell(&watcher.clients, &event);
        }
    }

    /// APPLICATION_SUBMITTED to those who manage the guild.
    pub(in crate::hub) fn submitted(&self, id: ApplicationId, user: UserId, turn: &mut Turn<'_>) {
        #[derive(Serialize)]
        struct Data {
            gid: GuildId,
            id: ApplicationId,
            uid: UserId,
        }
        let managers = self.crowd.as_deref().map(|crowd| crowd.managers());
        let managers = managers.unwrap_or_default();
        if !managers.is_empty() {
            let data = Data {
                gid: self.id,
                id,
                uid: user,
            };
            let event = EventFrame::new(EventName::ApplicationSubmitted, Lane::Certain, &data);
            turn.tell(&managers, &event);
        }
    }

    /// One event to an audience, encoded only if there is one.
    pub(super) fn address(
        &mut self,
        audience: Audience,
        turn: &mut Turn<'_>,
        encode: impl FnOnce(&mut Guild) -> Arc<EventFrame>,
    ) {
        self.address_late(audience, None, turn, encode);
    }

    /// The same of something that may have been held back.
    fn address_late(
        &mut self,
        audience: Audience,
        held_since: Option<Mono>,
        turn: &mut Turn<'_>,
        encode: impl FnOnce(&mut Guild) -> Arc<EventFrame>,
    ) {
        let (edges, hearers) = match self.crowd.as_deref() {
            None => return,
            Some(crowd) => match audience {
                Audience::All => (crowd.edge_mask(), crowd.connections()),
                Audience::Basic => (crowd.edge_mask(), crowd.basic()),
            },
        };
        if hearers > 0 {
            let event = encode(self);
            turn.out.push(Output::ToGuild {
                guild: self.id,
                audience,
                event,
                edges,
                held_since,
            });
        }
    }

    /// Somebody has been given the guild as it is now, and with it a count that the others may
    /// not have been told: then not all believe the same, and the next count must go out even
    /// if it is the one last told.
    pub(super) fn snapshot_given(&mut self) {
        if let Some(crowd) = self.crowd.as_deref_mut()
            && crowd.told.count != Some(self.member_count)
        {
            crowd.told.count = None;
        }
    }

    fn tell_count(&mut self, turn: &mut Turn<'_>) {
        let count = self.member_count;
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        let held_since = crowd.told.count_held_since.take();
        if crowd.told.count == Some(count) {
            return;
        }
        crowd.told.count = Some(count);
        crowd.told.count_at = Some(turn.now.mono);
        turn.timers.clear(Timer::Count(self.id));
        self.address_late(Audience::All, held_since, turn, |guild| {
            EventFrame::count(guild.id, count)
        });
    }

    fn told_json(&self) -> Option<&Arc<RawValue>> {
        self.crowd.as_deref()?.told.guild_json.as_ref()
    }

    fn drop_json(&mut self) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.told.guild_json = None;
        }
    }
}
