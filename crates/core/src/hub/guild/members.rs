//! Members: how many there are, and what the connected ones may do.

use guildgate_model::{MemberData, Permissions, RoleId, UserId};

use super::{
    super::{
        config::TIME_OUT_NAP_MAX,
        crowd::{Membership, Rules, Trust},
        lookups::{Reach, Request, Urgency},
        ports::{MemberEvents, Output},
        timers::Timer,
        turn::{Turn, Verdict},
    },
    Guild, Standing,
};

impl Guild {
    /// GUILD_MEMBER_ADD.
    pub(in crate::hub) fn member_joined(&mut self, data: MemberData, turn: &mut Turn<'_>) {
        let user = data.user;
        if self.is_new(&data, turn) {
            self.member_count = self.member_count.saturating_add(1);
            self.remember_joiner(user, turn.config.recent_joiners_max);
            self.count_changed(turn);
        }
        self.member_said(data, turn);
    }

    /// GUILD_MEMBER_REMOVE; counts whether the member was known or not.
    pub(in crate::hub) fn member_left(&mut self, user: UserId, turn: &mut Turn<'_>) {
        self.member_count = self.member_count.saturating_sub(1);
        if let Some(recent) = self.recent.as_deref_mut() {
            recent.retain(|&joiner| joiner != user);
        }
        self.count_changed(turn);
        self.absence_said(user, turn);
    }

    /// GUILD_MEMBER_UPDATE, or anything else that says what a member is now. Changes the count
    /// in no case.
    pub(in crate::hub) fn member_said(&mut self, data: MemberData, turn: &mut Turn<'_>) {
        let user = data.user;
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        if !crowd.believes(user, turn.mark) {
            return;
        }
        let Some(watcher) = crowd.watcher_mut(user) else {
            return;
        };
        let whole = data.roles.is_some();
        let member = match &watcher.membership {
            Membership::Present(member) => {
                let mut member = member.clone();
                data.apply_to(&mut member);
                member
            }
            Membership::Unknown | Membership::Absent if whole => data.into_member(),
            Membership::Unknown | Membership::Absent => return,
        };
        let trust = watcher.trust;
        if whole || trust == Trust::Verified {
            self.settle(user, Membership::Present(member), turn);
        } else {
            // Without the roles this says nothing of what was missed.
            crowd.put_membership(user, Membership::Present(member));
            if let Some(watcher) = crowd.watcher_mut(user) {
                watcher.trust = trust;
            }
            self.recompute(user, turn);
        }
    }

    /// GUILD_MEMBERS_CHUNK.
    pub(in crate::hub) fn members_answered(
        &mut self,
        members: Vec<MemberData>,
        not_found: Vec<UserId>,
        turn: &mut Turn<'_>,
    ) {
        for member in members {
            self.member_said(member, turn);
        }
        for user in not_found {
            self.absence_said(user, turn);
        }
        self.step_lookups(turn);
    }

    fn absence_said(&mut self, user: UserId, turn: &mut Turn<'_>) {
        let crowd = self.crowd.as_deref();
        if crowd.is_some_and(|crowd| crowd.believes(user, turn.mark)) {
            self.settle(user, Membership::Absent, turn);
        }
    }

    /// A member's time-out may have run out.
    pub(in crate::hub) fn time_out_due(&mut self, user: UserId, turn: &mut Turn<'_>) {
        self.recompute(user, turn);
    }

    /// Discord withholds member events: the connected members are looked at again.
    pub(in crate::hub) fn refresh_due(&mut self, turn: &mut Turn<'_>) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            for user in crowd.user_ids() {
                crowd
                    .lookups
                    .want(user, Urgency::Later, turn.now.mono, turn.config);
            }
            self.refresh_later(turn);
            self.step_lookups(turn);
        }
    }

    /// Sets the time for the next look at the connected members, if there are any.
    pub(super) fn refresh_later(&self, turn: &mut Turn<'_>) {
        if self.crowd.is_some() {
            let next = turn.now.mono + turn.config.refresh_interval;
            turn.timers.set_if_clear(Timer::Refresh(self.id), next);
        }
    }

    /// Sends the requests for members that are due.
    pub(in crate::hub) fn step_lookups(&mut self, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        let reach = match self.standing {
            Standing::Live => Reach::Open,
            Standing::Wavering { .. }
            | Standing::Adrift { .. }
            | Standing::Gap { .. }
            | Standing::Outage { .. } => Reach::Shut,
        };
        // Discord does not answer for everybody without the intent.
        let members = match turn.member_events {
            MemberEvents::Sent => Some(self.member_count),
            MemberEvents::Withheld => None,
        };
        let (guild, out) = (self.id, &mut *turn.out);
        let next = crowd
            .lookups
            .step(turn.now.mono, reach, members, turn.config, |request| {
                out.push(match request {
                    Request::Users(users) => Output::RequestMembers { guild, users },
                    Request::Everybody => Output::RequestEverybody { guild },
                });
            });
        match next {
            Some(at) => turn.timers.set(Timer::Lookups(guild), at),
            None => turn.timers.clear(Timer::Lookups(guild)),
        }
    }

    /// The guild can be asked about again.
    pub(super) fn reopen_lookups(&mut self, turn: &mut Turn<'_>) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.lookups.ask_again();
            for user in crowd.waited_for() {
                crowd
                    .lookups
                    .want(user, Urgency::Urgent, turn.now.mono, turn.config);
            }
        }
        self.step_lookups(turn);
    }

    /// What Discord last said of `user` is this; all that follows from it is told.
    pub(super) fn settle(&mut self, user: UserId, membership: Membership, turn: &mut Turn<'_>) {
        let tag = self.tag_of(user, &membership);
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        let Some(trust_before) = crowd.put_membership(user, membership) else {
            return;
        };
        crowd.lookups.done(user);
        let change = self.recompute_quietly(user, turn);
        if trust_before == Trust::Unverified {
            self.resync_user(user, turn);
        }
        if let Some(permissions) = change {
            self.tell_privilege(user, &tag, permissions, turn);
        }
        self.tell_sessions(user, turn);
        self.serve_waiting(user, turn);
    }

    /// What was missed since an earlier process has been replayed, so that what it left is true
    /// of everybody. Without member events it may not be, and Discord is asked.
    pub(super) fn settle_inherited(&mut self, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        match turn.member_events {
            MemberEvents::Sent => {
                for user in crowd.settle_inherited(Trust::Verified) {
                    self.recompute(user, turn);
                }
            }
            MemberEvents::Withheld => {
                for user in crowd.settle_inherited(Trust::Unverified) {
                    crowd
                        .lookups
                        .want(user, Urgency::Later, turn.now.mono, turn.config);
                }
            }
        }
    }

    /// A role changed: those who hold it are reckoned anew.
    pub(super) fn recompute_holders(&mut self, role: RoleId, turn: &mut Turn<'_>) {
        if role == self.id.everyone() {
            return self.recompute_all(turn);
        }
        if let Some(crowd) = self.crowd.as_deref() {
            for user in crowd.holders(role) {
                self.recompute(user, turn);
            }
        }
    }

    /// What every user depends on changed.
    pub(super) fn recompute_all(&mut self, turn: &mut Turn<'_>) {
        if let Some(crowd) = self.crowd.as_deref() {
            for user in crowd.user_ids() {
                self.recompute(user, turn);
            }
        }
    }

    /// Reckons `user`'s permissions, and tells them if they changed.
    pub(super) fn recompute(&mut self, user: UserId, turn: &mut Turn<'_>) {
        if let Some(permissions) = self.recompute_quietly(user, turn) {
            let tag = self.tag_of(user, &Membership::Unknown);
            self.tell_privilege(user, &tag, permissions, turn);
            self.tell_sessions(user, turn);
        }
    }

    /// Whoever edits an application is held to what they may do now.
    fn tell_sessions(&self, user: UserId, turn: &mut Turn<'_>) {
        let crowd = self.crowd.as_deref();
        let editor = crowd
            .and_then(|crowd| crowd.watcher(user))
            .filter(|watcher| watcher.editors > 0);
        if let Some(rights) = editor.and_then(|editor| editor.rights(self.rules())) {
            let stands = Verdict::Stands(self.id, user, rights.standing);
            turn.verdicts.push(stands);
        }
    }

    /// Reckons `user`'s permissions, and sets the timer for the end of a time-out. The new
    /// set, if it is another one.
    fn recompute_quietly(&mut self, user: UserId, turn: &mut Turn<'_>) -> Option<Permissions> {
        let crowd = self.crowd.as_deref_mut()?;
        let rules = Rules {
            guild: self.id,
            owner: self.about.owner,
            roles: &self.roles,
        };
        let watcher = crowd.watcher_mut(user)?;
        let timer = Timer::TimeOut(self.id, user);
        match watcher.timed_out_until(turn.now.wall) {
            Some(until) => {
                let nap_ends = turn.now.mono + TIME_OUT_NAP_MAX;
                turn.timers
                    .set(timer, turn.now.mono_at(until).min(nap_ends));
            }
            None => turn.timers.clear(timer),
        }
        watcher.recompute(rules, turn.now.wall)
    }

    /// The tag in `membership`, or else the one that is known.
    fn tag_of(&self, user: UserId, membership: &Membership) -> Box<str> {
        let known = || self.crowd.as_deref()?.watcher(user);
        match (membership, known().map(|watcher| &watcher.membership)) {
            (Membership::Present(member), _) | (_, Some(Membership::Present(member))) => {
                member.tag.clone()
            }
            (Membership::Unknown | Membership::Absent, _) => Box::default(),
        }
    }

    /// Whether a GUILD_MEMBER_ADD is of somebody who was not a member before. Discord repeats
    /// it for members now and then.
    ///
    /// Source: Discord, "Gateway Events: Guild Member Add".
    fn is_new(&self, data: &MemberData, turn: &Turn<'_>) -> bool {
        let crowd = self.crowd.as_deref();
        let cached = crowd
            .and_then(|crowd| crowd.watcher(data.user))
            .is_some_and(|watcher| {
                watcher.trust != Trust::Unverified
                    && matches!(watcher.membership, Membership::Present(_))
            });
        let recent = self.recent.as_deref();
        let joined_lately = recent.is_some_and(|recent| recent.contains(&data.user));
        let in_the_count = data
            .joined_at
            .is_some_and(|at| at + turn.config.clock_skew < self.counted_at);
        !cached && !joined_lately && !in_the_count
    }

    /// Who joined last, the latest at the end.
    pub(in crate::hub) fn joiners(&self) -> impl Iterator<Item = UserId> {
        self.recent.as_deref().into_iter().flatten().copied()
    }

    pub(in crate::hub) fn remember_joiner(&mut self, user: UserId, max: usize) {
        let recent = self.recent.get_or_insert_default();
        if recent.len() >= max {
            recent.pop_front();
        }
        recent.push_back(user);
    }

    pub(super) fn forget_joiners(&mut self) {
        self.recent = None;
    }
}
