//! Coming onto a guild, and leaving it; and waiting until it is known what a user is to it.

use guildgate_model::{Member, Permissions, UserId};
use guildgate_wire::ErrorCode;

use super::{
    super::{
        crowd::{Crowd, Membership, Waiter},
        lookups::Urgency,
        ports::{Entry, MemberEvents, Output, Query, SessionCommand},
        timers::Timer,
        turn::{Turn, Verdict},
    },
    Guild,
};
use crate::{ClientId, client::Refusal};

impl Guild {
    /// A client wants to be here. It is let in at once if it has no user or its user's member
    /// is known; otherwise Discord is asked first.
    pub(in crate::hub) fn connect(
        &mut self,
        client: ClientId,
        user: Option<UserId>,
        turn: &mut Turn<'_>,
    ) {
        match user {
            None => self.admit(client, None, Entry::New, turn),
            Some(user) => self.when_known(user, Waiter::Connect(client), turn),
        }
    }

    /// A client that is here asks to be here: it is answered, and nothing changes.
    pub(in crate::hub) fn connect_again(
        &mut self,
        client: ClientId,
        user: Option<UserId>,
        turn: &mut Turn<'_>,
    ) {
        self.admit(client, user, Entry::Again, turn);
    }

    /// A client that was here when an earlier process ended is here again. What it was shown then
    /// is not known, so all are shown the guild as it is. Of its user the earlier process may have
    /// left what they are and may do: then it has that at once, and is told if it has changed
    /// since. Otherwise Discord is asked, and a GUILD_RESYNC follows.
    pub(in crate::hub) fn restore(&mut self, client: ClientId, user: UserId, turn: &mut Turn<'_>) {
        let crowd = self.crowd.get_or_insert_default();
        crowd.expect(user, &turn.config.wanted);
        crowd.enter(client, Some(user));
        crowd.told.count = None;
        let told_before = crowd.told_before(user);
        match crowd.watcher(user) {
            Some(watcher) if !matches!(watcher.membership, Membership::Unknown) => {
                if told_before != Some(watcher.told) {
                    self.resync_client(client, user, turn);
                }
            }
            Some(_) | None => {
                crowd.distrust_one(user);
                crowd
                    .lookups
                    .want(user, Urgency::Later, turn.now.mono, turn.config);
                self.step_lookups(turn);
            }
        }
        if turn.member_events == MemberEvents::Withheld {
            self.refresh_later(turn);
        }
        self.shown_changed(turn);
    }

    /// A command to an application session: [`Verdict::Ready`] follows once it is known how
    /// its user stands, and after that [`Guild::forget_idle`] is due.
    pub(in crate::hub) fn command(&mut self, command: SessionCommand, turn: &mut Turn<'_>) {
        let user = command.user;
        self.when_known(user, Waiter::Command(Box::new(command)), turn);
    }

    /// Somebody asks how a user stands.
    pub(in crate::hub) fn rights_wanted(
        &mut self,
        query: Query,
        user: UserId,
        turn: &mut Turn<'_>,
    ) {
        self.when_known(user, Waiter::Query(query), turn);
    }

    /// A client that is here leaves.
    pub(in crate::hub) fn leave(
        &mut self,
        client: ClientId,
        user: Option<UserId>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.leave(client, user);
            self.forget_idle(user, turn);
        }
    }

    /// A client takes part in an application session as `user`, or no longer does.
    pub(in crate::hub) fn edits(&mut self, user: UserId, part: Part, turn: &mut Turn<'_>) {
        let crowd = self.crowd.as_deref_mut();
        if let Some(watcher) = crowd.and_then(|crowd| crowd.watcher_mut(user)) {
            match part {
                Part::Taken => watcher.editors += 1,
                Part::Given => watcher.editors = watcher.editors.saturating_sub(1),
            }
        }
        if turn.member_events == MemberEvents::Withheld {
            self.refresh_later(turn);
        }
        self.forget_idle(Some(user), turn);
    }

    /// A client that waits gives up.
    pub(in crate::hub) fn stop_waiting(
        &mut self,
        client: ClientId,
        user: UserId,
        turn: &mut Turn<'_>,
    ) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.stop_waiting(client, user);
            self.forget_idle(Some(user), turn);
        }
    }

    /// Discord has not answered in time.
    pub(in crate::hub) fn waiting_due(&mut self, user: UserId, turn: &mut Turn<'_>) {
        let refusal = Refusal::new(
            ErrorCode::Unavailable,
            format!(
                "Could not look up user {user} in guild {}: Discord did not answer in time. Try \
                 again in a few seconds.",
                self.id
            ),
        );
        let now = turn.now.mono;
        let crowd = self.crowd.as_deref_mut();
        let waiters = crowd.map(|crowd| crowd.take_impatient(user, now));
        refuse(waiters.unwrap_or_default(), &refusal, turn);
        let crowd = self.crowd.as_deref();
        if let Some(next) = crowd.and_then(|crowd| crowd.patience_ends(user)) {
            turn.timers.set(Timer::Waiting(self.id, user), next);
        }
        self.forget_idle(Some(user), turn);
    }

    /// It is known what `user` is: whoever waits for that is served.
    pub(super) fn serve_waiting(&mut self, user: UserId, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        let waiters = crowd.take_waiting(user);
        if waiters.is_empty() {
            return;
        }
        turn.timers.clear(Timer::Waiting(self.id, user));
        let is_command = |waiter: &Waiter| matches!(waiter, Waiter::Command(_));
        let commands = waiters.iter().any(is_command);
        for waiter in waiters {
            self.serve(user, waiter, turn);
        }
        // A command may make the user an editor; until that is known they are kept.
        if !commands {
            self.forget_idle(Some(user), turn);
        }
    }

    /// The guild is gone: nobody is here any more, and nobody is let in.
    pub(super) fn turn_everybody_out(&mut self, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        let refusal = Refusal::new(
            ErrorCode::UnknownGuild,
            format!(
                "Nothing can be done in guild {}: the bot was removed from it. Invite the bot \
                 again, then reconnect.",
                self.id
            ),
        );
        for user in crowd.user_ids() {
            refuse(crowd.take_waiting(user), &refusal, turn);
            turn.timers.clear(Timer::Waiting(self.id, user));
            turn.timers.clear(Timer::TimeOut(self.id, user));
        }
        self.drop_crowd(turn);
    }

    /// Forgets what nobody needs any more, of a user and of everybody.
    pub(in crate::hub) fn forget_idle(&mut self, user: Option<UserId>, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        if let Some(user) = user
            && crowd.forget_idle(user, turn.phase)
        {
            turn.timers.clear(Timer::TimeOut(self.id, user));
            turn.timers.clear(Timer::Waiting(self.id, user));
        }
        if crowd.is_empty() {
            self.drop_crowd(turn);
        } else if crowd.connections() == 0 {
            crowd.told = Default::default();
            turn.timers.clear(Timer::Count(self.id));
            turn.timers.clear(Timer::Snapshot(self.id));
        }
    }

    /// Takes over a member whom an earlier process left, and what they had been told there.
    pub(in crate::hub) fn inherit(
        &mut self,
        member: Member,
        told: Permissions,
        turn: &mut Turn<'_>,
    ) {
        let user = member.user;
        let crowd = self.crowd.get_or_insert_default();
        crowd.inherit(member, told, &turn.config.wanted);
        self.recompute(user, turn);
        let until = turn.now.mono + turn.config.retained_for;
        turn.timers.set(Timer::Retained(self.id), until);
    }

    /// Nobody else comes back of those whom an earlier process left.
    pub(in crate::hub) fn retained_due(&mut self, turn: &mut Turn<'_>) {
        let crowd = self.crowd.as_deref_mut();
        for user in crowd.map(Crowd::release).unwrap_or_default() {
            self.forget_idle(Some(user), turn);
        }
    }

    /// Serves `waiter` now if it is known what `user` is, and otherwise once Discord has said.
    fn when_known(&mut self, user: UserId, waiter: Waiter, turn: &mut Turn<'_>) {
        let crowd = self.crowd.get_or_insert_default();
        crowd.expect(user, &turn.config.wanted);
        if crowd
            .watcher(user)
            .is_some_and(|watcher| !matches!(watcher.membership, Membership::Unknown))
        {
            return self.serve(user, waiter, turn);
        }
        let patience = match &waiter {
            Waiter::Connect(_) => turn.config.connect_within,
            Waiter::Command(_) | Waiter::Query(_) => turn.config.rights_within,
        };
        crowd.wait(waiter, user, turn.now.mono + patience);
        crowd
            .lookups
            .want(user, Urgency::Urgent, turn.now.mono, turn.config);
        if let Some(at) = crowd.patience_ends(user) {
            turn.timers.set(Timer::Waiting(self.id, user), at);
        }
        self.step_lookups(turn);
    }

    fn serve(&mut self, user: UserId, waiter: Waiter, turn: &mut Turn<'_>) {
        let crowd = self.crowd.as_deref();
        let watcher = crowd.and_then(|crowd| crowd.watcher(user));
        let Some(rights) = watcher.and_then(|watcher| watcher.rights(self.rules())) else {
            return;
        };
        match waiter {
            Waiter::Connect(client) => self.admit(client, Some(user), Entry::New, turn),
            Waiter::Command(command) => turn.verdicts.push(Verdict::Ready(command, rights)),
            Waiter::Query(query) => turn.out.push(Output::Rights {
                query,
                result: Ok(rights),
            }),
        }
    }

    fn admit(&mut self, client: ClientId, user: Option<UserId>, entry: Entry, turn: &mut Turn<'_>) {
        let count = self.member_count;
        let crowd = self.crowd.get_or_insert_default();
        if entry == Entry::New {
            if crowd.connections() == 0 {
                crowd.told.count = Some(count);
            }
            crowd.enter(client, user);
        }
        let user = user
            .and_then(|user| crowd.watcher(user))
            .and_then(|watcher| watcher.view());
        if turn.member_events == MemberEvents::Withheld {
            self.refresh_later(turn);
        }
        let guild_json = self.json(turn.member_events);
        self.snapshot_given();
        turn.verdicts.push(Verdict::Admitted(client));
        turn.out.push(Output::Connected {
            client,
            guild: self.id,
            entry,
            guild_json,
            user,
        });
    }

    fn drop_crowd(&mut self, turn: &mut Turn<'_>) {
        self.crowd = None;
        for timer in [
            Timer::Count(self.id),
            Timer::Snapshot(self.id),
            Timer::Lookups(self.id),
            Timer::Refresh(self.id),
            Timer::Retained(self.id),
        ] {
            turn.timers.clear(timer);
        }
    }
}

fn refuse(waiters: Vec<Waiter>, refusal: &Refusal, turn: &mut Turn<'_>) {
    for waiter in waiters {
        let refusal = refusal.clone();
        match waiter {
            Waiter::Connect(client) => {
                turn.verdicts.push(Verdict::Refused(client));
                turn.out.push(Output::Refused { client, refusal });
            }
            Waiter::Command(command) => {
                let client = command.client;
                turn.verdicts.push(Verdict::Refused(client));
                let result = Err(refusal);
                turn.out.push(Output::Answer { client, result });
            }
            Waiter::Query(query) => {
                let result = Err(refusal);
                turn.out.push(Output::Rights { query, result });
            }
        }
    }
}

/// Whether a client takes part in an application session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Part {
    Taken,
    Given,
}
