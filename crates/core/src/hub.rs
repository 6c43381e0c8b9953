//! The owner of all guild state on a node: what each guild is, who is on it, and who hears of
//! what.
//!
//! It holds the members of connected users and of nobody else, and encodes an event only if
//! somebody is there to hear it. It checks no token, and knows no socket: a client that asks to
//! be on a guild has been let that far by others.

mod about;
mod config;
mod crowd;
mod editing;
mod emojis;
mod guild;
mod invite;
mod links;
mod lookups;
mod ports;
mod report;
mod saved;
mod timers;
mod turn;
mod upstream;

use std::collections::BTreeMap;

use guildgate_model::{GuildId, Mono, Now, UserId, WantedMark};
use guildgate_wire::{ErrorCode, EventFrame};

use crate::{
    ClientId,
    client::Refusal,
    form_session::{FormSessions, SessionsInput},
};
use editing::Editors;
use guild::Guild;
use links::{Links, Unseen};
use timers::{Timer, Timers};
use turn::{Phase, Turn, Verdict};

pub use config::Config;
pub use invite::InviteStanding;
pub use links::Readiness;
pub use ports::{
    Arrival, Audience, Entry, Input, MemberEvents, Output, Query, Rights, SessionCommand,
};
pub use report::GuildReport;
pub use saved::ImportError;

/// All guild state of a node, and who is on which guild.
#[derive(Debug)]
pub struct Hub {
    config: Config,
    guilds: BTreeMap<GuildId, Box<Guild>>,
    places: BTreeMap<ClientId, Place>,
    links: Links,
    timers: Timers,
    conflated: u64,
    member_events: MemberEvents,
    phase: Phase,
    sessions: FormSessions,
    editors: Editors,
    /// Empty between two calls.
    verdicts: Vec<Verdict>,
    /// Of the event that is being taken in.
    mark: WantedMark,
}

/// Where a client is, and where it waits to be. It stays where it is until it is let in
/// elsewhere.
#[derive(Debug, Default)]
struct Place {
    user: Option<UserId>,
    on: Option<GuildId>,
    /// Where its open command waits: one that connects, or one to an application session.
    wants: Option<GuildId>,
}

impl Hub {
    /// A hub that has heard nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Hub {
        Hub {
            config,
            guilds: BTreeMap::new(),
            places: BTreeMap::new(),
            links: Links::default(),
            timers: Timers::default(),
            conflated: 0,
            member_events: MemberEvents::Sent,
            phase: Phase::Serving,
            sessions: FormSessions::new(),
            editors: Editors::default(),
            verdicts: Vec::new(),
            mark: WantedMark::ALL,
        }
    }

    /// Takes in one thing that happened and appends what is to be done, in order.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.run_due(now, out);
        match input {
            Input::Upstream { shard, event, mark } => {
                self.mark = mark;
                self.on_upstream(now, shard, event, out);
            }
            Input::Connect {
                client,
                guild,
                user,
            } => self.on_connect(now, client, guild, user, out),
            Input::Restored {
                client,
                guild,
                user,
            } => self.on_restored(now, client, guild, user, out),
            Input::Disconnect { client, guild } => self.on_disconnect(now, client, guild, out),
            Input::Gone(client) => self.on_gone(now, client, out),
            Input::PolledCount {
                guild,
                member_count,
            } => self.at_guild(guild, now, out, |guild, turn| {
                guild.polled(member_count, turn);
            }),
            Input::MemberEvents(member_events) => self.on_member_events(now, member_events, out),
            Input::Invite {
                guild,
                code,
                standing,
            } => self.at_guild(guild, now, out, |guild, turn| {
                guild.invites_said(|invite| invite.on_answer(&code, standing), turn);
            }),
            Input::InviteDoubted(guild) => self.at_guild(guild, now, out, Guild::ask_invite),
            Input::InviteSet { guild, code } => self.on_invite_set(now, guild, code, out),
            Input::Command(command) => self.on_command(now, command, out),
            Input::Sessions(input) => self.feed_sessions(now, input, out),
            Input::Submitted { guild, id, user } => {
                self.at_guild(guild, now, out, |guild, turn| {
                    guild.submitted(id, user, turn);
                })
            }
            Input::RightsWanted { query, guild, user } => {
                self.on_rights_wanted(now, query, guild, user, out);
            }
            Input::Drain => self.phase = Phase::Draining,
            Input::Deadline => {}
        }
        self.note_verdicts(now, out);
    }

    /// When [`Input::Deadline`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let deadlines = [self.timers.next(), self.sessions.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Counts and snapshots that were held back and gave way to newer ones, ever.
    #[must_use]
    pub fn conflated(&self) -> u64 {
        self.conflated
    }

    fn run_due(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(timer) = self.timers.pop_due(now.mono) {
            match timer {
                Timer::Count(guild) => self.at_guild(guild, now, out, Guild::count_due),
                Timer::Snapshot(guild) => self.at_guild(guild, now, out, Guild::snapshot_due),
                Timer::Stale(guild) => self.at_guild(guild, now, out, Guild::stale_due),
                Timer::Lookups(guild) => self.at_guild(guild, now, out, Guild::step_lookups),
                Timer::Refresh(guild) => self.at_guild(guild, now, out, Guild::refresh_due),
                Timer::Retained(guild) => self.at_guild(guild, now, out, Guild::retained_due),
                Timer::TimeOut(guild, user) => self.at_guild(guild, now, out, |guild, turn| {
                    guild.time_out_due(user, turn);
                }),
                Timer::Waiting(guild, user) => self.at_guild(guild, now, out, |guild, turn| {
                    guild.waiting_due(user, turn);
                }),
            }
            self.note_verdicts(now, out);
        }
        if self.sessions.deadline().is_some_and(|due| due <= now.mono) {
            self.feed_sessions(now, SessionsInput::Deadline, out);
        }
    }

    fn on_connect(
        &mut self,
        now: Now,
        client: ClientId,
        guild: GuildId,
        user: Option<UserId>,
        out: &mut Vec<Output>,
    ) {
        self.stop_waiting(now, client, out);
        if !self.guilds.contains_key(&guild) {
            let refusal = refusal(guild, self.links.unseen(guild));
            out.push(Output::Refused { client, refusal });
            return;
        }
        let place = self.places.entry(client).or_default();
        place.user = user;
        if place.on == Some(guild) {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.connect_again(client, user, turn);
            });
        } else {
            place.wants = Some(guild);
            self.at_guild(guild, now, out, |guild, turn| {
                guild.connect(client, user, turn);
            });
        }
    }

    /// A guild that was not brought over is as good as one that the bot was removed from: the
    /// client is told that its connection there is over, and connects again.
    fn on_restored(
        &mut self,
        now: Now,
        client: ClientId,
        guild: GuildId,
        user: UserId,
        out: &mut Vec<Output>,
    ) {
        if !self.guilds.contains_key(&guild) {
            let event = EventFrame::guild_unavailable(guild, true);
            out.push(Output::ToClient { client, event });
            return;
        }
        let place = self.places.entry(client).or_default();
        place.user = Some(user);
        place.on = Some(guild);
        self.at_guild(guild, now, out, |guild, turn| {
            guild.restore(client, user, turn);
        });
    }

    fn on_disconnect(&mut self, now: Now, client: ClientId, guild: GuildId, out: &mut Vec<Output>) {
        let Some(place) = self.places.get(&client) else {
            return;
        };
        // One that comes late must not undo a later connection to another guild.
        let (on, wants) = (place.on == Some(guild), place.wants == Some(guild));
        if wants {
            self.stop_waiting(now, client, out);
        }
        if on {
            self.leave(now, client, out);
        }
        self.forget_idle(client);
    }

    fn on_gone(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        self.feed_sessions(now, SessionsInput::Closed(client), out);
        self.stop_waiting(now, client, out);
        self.leave(now, client, out);
        self.forget_idle(client);
    }

    fn on_member_events(&mut self, now: Now, member_events: MemberEvents, out: &mut Vec<Output>) {
        if self.member_events != member_events {
            self.member_events = member_events;
            self.at_every_guild(now, out, Guild::member_events_changed);
        }
    }

    fn on_invite_set(
        &mut self,
        now: Now,
        guild: GuildId,
        code: Option<Box<str>>,
        out: &mut Vec<Output>,
    ) {
        match code.clone() {
            Some(code) => self.config.invites.insert(guild, code),
            None => self.config.invites.remove(&guild),
        };
        self.at_guild(guild, now, out, |guild, turn| guild.set_invite(code, turn));
    }

    /// Draws the consequences of what guilds have settled.
    fn note_verdicts(&mut self, now: Now, out: &mut Vec<Output>) {
        while !self.verdicts.is_empty() {
            for verdict in std::mem::take(&mut self.verdicts) {
                match verdict {
                    Verdict::Admitted(client) => self.on_admitted(now, client, out),
                    Verdict::Refused(client) => {
                        if let Some(place) = self.places.get_mut(&client) {
                            place.wants = None;
                        }
                        self.forget_idle(client);
                    }
                    Verdict::Ready(command, rights) => self.on_ready(now, *command, rights, out),
                    Verdict::Stands(guild, user, standing) => {
                        let stands = SessionsInput::Standing {
                            guild,
                            user,
                            standing,
                        };
                        self.feed_sessions(now, stands, out);
                    }
                }
            }
        }
    }

    fn on_admitted(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        let place = self.places.get_mut(&client);
        let Some(wanted) = place.and_then(|place| place.wants.take()) else {
            return;
        };
        self.leave(now, client, out);
        if let Some(place) = self.places.get_mut(&client) {
            place.on = Some(wanted);
        }
    }

    fn leave(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        let Some(place) = self.places.get_mut(&client) else {
            return;
        };
        let user = place.user;
        if let Some(guild) = place.on.take() {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.leave(client, user, turn)
            });
        }
    }

    fn stop_waiting(&mut self, now: Now, client: ClientId, out: &mut Vec<Output>) {
        let Some(place) = self.places.get_mut(&client) else {
            return;
        };
        if let (Some(guild), Some(user)) = (place.wants.take(), place.user) {
            self.at_guild(guild, now, out, |guild, turn| {
                guild.stop_waiting(client, user, turn);
            });
        }
    }

    fn forget_idle(&mut self, client: ClientId) {
        let idle = |place: &Place| place.on.is_none() && place.wants.is_none();
        if self.places.get(&client).is_some_and(idle) {
            self.places.remove(&client);
        }
    }

    /// Runs `act` on a guild, if it is known.
    fn at_guild(
        &mut self,
        guild: GuildId,
        now: Now,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Guild, &mut Turn<'_>),
    ) {
        let (guilds, mut turn) = self.split(now, out);
        if let Some(guild) = guilds.get_mut(&guild) {
            act(guild, &mut turn);
        }
    }

    fn at_every_guild(
        &mut self,
        now: Now,
        out: &mut Vec<Output>,
        mut act: impl FnMut(&mut Guild, &mut Turn<'_>),
    ) {
        let (guilds, mut turn) = self.split(now, out);
        for guild in guilds.values_mut() {
            act(guild, &mut turn);
        }
    }

    /// The guilds, and what a call on one of them needs besides.
    fn split<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut Vec<Output>,
    ) -> (&'a mut BTreeMap<GuildId, Box<Guild>>, Turn<'a>) {
        let turn = Turn {
            now,
            config: &self.config,
            member_events: self.member_events,
            phase: self.phase,
            mark: self.mark,
            timers: &mut self.timers,
            conflated: &mut self.conflated,
            verdicts: &mut self.verdicts,
            out,
        };
        (&mut self.guilds, turn)
    }
}

/// Why nothing can be done in a guild of which nothing is known.
fn refusal(guild: GuildId, unseen: Unseen) -> Refusal {
    let (code, why) = match unseen {
        Unseen::LinkNotUp => (
            ErrorCode::Unavailable,
            "Discord has not been reached yet. Try again in a few seconds.",
        ),
        Unseen::Awaited => (
            ErrorCode::Unavailable,
            "Discord has not sent it yet. Try again in a few seconds.",
        ),
        Unseen::Dark => (
            ErrorCode::Unavailable,
            "Discord has an outage there. Try again in a few minutes.",
        ),
        Unseen::Unknown => (
            ErrorCode::UnknownGuild,
            "the bot is not in it. Invite the bot, or check the id.",
        ),
    };
    Refusal::new(code, format!("Nothing can be done in guild {guild}: {why}"))
}

#[cfg(test)]
mod tests;
