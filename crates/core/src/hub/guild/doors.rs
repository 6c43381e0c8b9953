//! Coming onto a guild, and leaving it.

use guildgate_model::UserId;
use guildgate_wire::ErrorCode;

use super::{
    super::{
        crowd::Membership,
        lookups::Urgency,
        ports::{MemberEvents, Output},
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
        let crowd = self.crowd.get_or_insert_default();
        if let Some(user) = user {
            crowd.expect(user);
            if let Some(watcher) = crowd.watcher(user)
                && matches!(watcher.membership, Membership::Unknown)
            {
                crowd.wait(client, user);
                crowd
                    .lookups
                    .want(user, Urgency::Urgent, turn.now.mono, turn.config);
                let patience_ends = turn.now.mono + turn.config.connect_within;
                turn.timers
                    .set_if_clear(Timer::Waiting(self.id, user), patience_ends);
                self.step_lookups(turn);
                return;
            }
        }
        self.admit(client, user, Presence::New, turn);
    }

    /// A client that is here asks to be here: it is answered, and nothing changes.
    pub(in crate::hub) fn connect_again(
        &mut self,
        client: ClientId,
        user: Option<UserId>,
        turn: &mut Turn<'_>,
    ) {
        self.admit(client, user, Presence::Here, turn);
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
            self.after_leaving(user, turn);
        }
    }

    /// A client that waits to be let in gives up.
    pub(in crate::hub) fn stop_waiting(
        &mut self,
        client: ClientId,
        user: UserId,
        turn: &mut Turn<'_>,
    ) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.stop_waiting(client, user);
            self.after_leaving(Some(user), turn);
        }
    }

    /// Discord has not answered in time.
    pub(in crate::hub) fn waiting_due(&mut self, user: UserId, turn: &mut Turn<'_>) {
        self.refuse_waiting(user, turn, |guild| {
            Refusal::new(
                ErrorCode::Unavailable,
                format!(
                    "Could not connect to guild {}: Discord did not say in time whether you \
                     are a member. Try again in a few seconds.",
                    guild.id
                ),
            )
        });
        self.after_leaving(Some(user), turn);
    }

    /// Lets in whoever waits for `user`'s member.
    pub(super) fn admit_waiting(&mut self, user: UserId, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        let waiting = crowd.take_waiting(user);
        if !waiting.is_empty() {
            turn.timers.clear(Timer::Waiting(self.id, user));
        }
        for client in waiting {
            self.admit(client, Some(user), Presence::New, turn);
        }
    }

    /// The guild is gone: nobody is here any more, and nobody is let in.
    pub(super) fn turn_everybody_out(&mut self, turn: &mut Turn<'_>) {
        let users = match self.crowd.as_deref() {
            Some(crowd) => crowd.user_ids(),
            None => return,
        };
        for user in users {
            self.refuse_waiting(user, turn, |guild| {
                Refusal::new(
                    ErrorCode::UnknownGuild,
                    format!(
                        "Could not connect to guild {}: the bot was removed from it. Invite \
                         the bot again, then reconnect.",
                        guild.id
                    ),
                )
            });
            turn.timers.clear(Timer::TimeOut(self.id, user));
        }
        self.drop_crowd(turn);
    }

    fn admit(
        &mut self,
        client: ClientId,
        user: Option<UserId>,
        presence: Presence,
        turn: &mut Turn<'_>,
    ) {
        let count = self.member_count;
        let crowd = self.crowd.get_or_insert_default();
        if presence == Presence::New {
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
            guild_json,
            user,
        });
    }

    fn refuse_waiting(
        &mut self,
        user: UserId,
        turn: &mut Turn<'_>,
        refusal: impl Fn(&Guild) -> Refusal,
    ) {
        let waiting = match self.crowd.as_deref_mut() {
            Some(crowd) => crowd.take_waiting(user),
            None => return,
        };
        turn.timers.clear(Timer::Waiting(self.id, user));
        for client in waiting {
            turn.verdicts.push(Verdict::Refused(client));
            turn.out.push(Output::Refused {
                client,
                refusal: refusal(self),
            });
        }
    }

    /// Forgets what nobody needs any more.
    fn after_leaving(&mut self, user: Option<UserId>, turn: &mut Turn<'_>) {
        let Some(crowd) = self.crowd.as_deref_mut() else {
            return;
        };
        if let Some(user) = user
            && crowd.forget_idle(user)
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

    fn drop_crowd(&mut self, turn: &mut Turn<'_>) {
        self.crowd = None;
        for timer in [
            Timer::Count(self.id),
            Timer::Snapshot(self.id),
            Timer::Lookups(self.id),
            Timer::Refresh(self.id),
        ] {
            turn.timers.clear(timer);
        }
    }
}

/// Whether a client that is let in was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    New,
    Here,
}
