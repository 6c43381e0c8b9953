//! The loop: wait for something, take in all that waits, wake whom it concerns.

use std::{sync::Arc, time::Duration};

use guildgate_core::hub::{Hub, Input, Readiness as GuildsReady};
use guildgate_model::{Mono, Now, UpstreamEvent};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Snapshot,
    handle::{GUILDS_PER_PAGE, Message},
    route::Router,
};
use crate::{
    api::{NotReady, Readiness},
    clock::Clock,
    metrics::Metrics,
    upstream::{Arrivals, Arrived},
};

/// Most events, and most messages, in one turn.
const TURN_MAX: usize = 1024;

/// How often readiness is looked at while it is not there: it can come by time alone.
const READINESS_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Running {
    pub(super) hub: Hub,
    pub(super) clock: Clock,
    pub(super) events: Arrivals,
    pub(super) messages: UnboundedReceiver<Message>,
    pub(super) router: Router,
    pub(super) readiness: Arc<Readiness>,
    pub(super) metrics: Arc<Metrics>,
}

/// Whether the thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    Yes,
    No,
}

impl Running {
    pub(super) async fn run(mut self) {
        let mut events = Vec::with_capacity(TURN_MAX);
        let mut messages = Vec::new();
        let mut discord_speaks = true;
        let mut onward = Onward::Yes;
        while onward == Onward::Yes {
            let pause = self.pause();
            tokio::select! {
                biased;
                count = self.messages.recv_many(&mut messages, TURN_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                arrived = self.events.recv(), if discord_speaks => {
                    discord_speaks = arrived.is_some();
                    events.extend(arrived);
                }
                () = tokio::time::sleep(pause) => {}
            }
            let waiting = self.events.waiting() + self.messages.len();
            self.metrics.hub_queue.set(waiting as u64);
            self.take_waiting(&mut events);
            self.take_events(&mut events);
            onward = self.take_messages(&mut messages, &mut events);
            self.input(self.clock.now(), Input::Deadline, None);
            self.router.ring();
            self.note_state();
        }
    }

    /// Events that wait belong to this turn, so that neither channel starves the other.
    fn take_waiting(&mut self, events: &mut Vec<Arrived>) {
        while events.len() < TURN_MAX {
            match self.events.try_recv() {
                Some(arrived) => events.push(arrived),
                None => return,
            }
        }
    }

    fn take_events(&mut self, events: &mut Vec<Arrived>) {
        let now = self.clock.now();
        // What is due by now is not what an event has caused, and not to be timed as such.
        self.input(now, Input::Deadline, None);
        for arrived in events.drain(..) {
            let Arrived {
                shard,
                at,
                mark,
                event,
            } = arrived;
            self.metrics.discord_events.increment(kind(&event));
            self.input(now, Input::Upstream { shard, event, mark }, Some(at));
        }
    }

    fn take_messages(&mut self, messages: &mut Vec<Message>, events: &mut Vec<Arrived>) -> Onward {
        let now = self.clock.now();
        for message in messages.drain(..) {
            match message {
                Message::Input(input) => {
                    if let Input::Gone(client) = &input {
                        self.router.close_connect(*client);
                    }
                    self.input(now, input, None);
                }
                Message::Guilds { after, reply } => {
                    let _ = reply.send(self.hub.guilds(after, GUILDS_PER_PAGE));
                }
                Message::Guild { guild, reply } => {
                    let _ = reply.send(self.hub.guild(guild));
                }
                Message::Rights { guild, user, reply } => {
                    let query = self.router.open_query(reply);
                    let wanted = Input::RightsWanted { query, guild, user };
                    self.input(now, wanted, None);
                }
                Message::Connect {
                    client,
                    guild,
                    user,
                    reply,
                } => {
                    self.router.open_connect(client, reply);
                    let connect = Input::Connect {
                        client,
                        guild,
                        user,
                    };
                    self.input(now, connect, None);
                }
                Message::Export { shard, reply } => {
                    self.drain_events(events);
                    let _ = reply.send(self.hub.export(shard));
                }
                Message::Stop => {
                    self.drain_events(events);
                    return Onward::No;
                }
            }
        }
        Onward::Yes
    }

    /// Takes in everything that Discord's side has handed over: a saved session counts it as
    /// seen.
    fn drain_events(&mut self, events: &mut Vec<Arrived>) {
        loop {
            self.take_waiting(events);
            if events.is_empty() {
                return;
            }
            self.take_events(events);
        }
    }

    fn input(&mut self, now: Now, input: Input, received: Option<Mono>) {
        self.hub.handle(now, input, self.router.outputs());
        self.router.route(received);
    }

    /// Takes in what an earlier process knew.
    pub(super) fn import(&mut self, snapshots: &[Snapshot]) {
        let now = self.clock.now();
        for snapshot in snapshots {
            let out = self.router.outputs();
            let read = self
                .hub
                .import(now, snapshot.saved_at, &snapshot.chunks, out);
            if let Err(error) = read {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what the last process knew of some guilds cannot be read; Discord will \
                     say it anew"
                );
            }
            self.router.route(None);
        }
    }

    /// How long to sleep if nothing comes.
    fn pause(&self) -> Duration {
        let now = self.clock.now().mono;
        let due = self.hub.deadline().map(|at| at.since(now));
        let look_again = match self.readiness.check() {
            Err(NotReady::Starting(_)) => Some(READINESS_INTERVAL),
            Ok(()) | Err(NotReady::Draining) => None,
        };
        due.into_iter().chain(look_again).min().unwrap_or(FOREVER)
    }

    fn note_state(&self) {
        self.metrics.held_back.set(self.hub.conflated());
        self.metrics.guilds.set(self.hub.guild_count() as u64);
        let now = self.clock.now().mono;
        self.readiness.set(match self.hub.readiness(now) {
            GuildsReady::Ready => Ok(()),
            GuildsReady::Waiting {
                shards_missing,
                guilds_missing,
            } => Err(NotReady::Starting(format!(
                "{shards_missing} of the bot's shards are not connected yet, and \
                 {guilds_missing} guilds have not been sent"
            ))),
        });
    }
}

/// Nothing is due.
const FOREVER: Duration = Duration::from_secs(3600);

/// An event's name in the metrics.
fn kind(event: &UpstreamEvent) -> &'static str {
    match event {
        UpstreamEvent::SessionStarted { .. } => "READY",
        UpstreamEvent::SessionResumed => "RESUMED",
        UpstreamEvent::LinkLost => "link_lost",
        UpstreamEvent::GuildAvailable(_) => "GUILD_CREATE",
        UpstreamEvent::GuildChanged(_) => "GUILD_UPDATE",
        UpstreamEvent::GuildUnavailable(_) | UpstreamEvent::GuildLeft(_) => "GUILD_DELETE",
        UpstreamEvent::EmojisChanged { .. } => "GUILD_EMOJIS_UPDATE",
        UpstreamEvent::RoleChanged { .. } => "GUILD_ROLE_UPDATE",
        UpstreamEvent::RoleRemoved { .. } => "GUILD_ROLE_DELETE",
        UpstreamEvent::MemberJoined { .. } => "GUILD_MEMBER_ADD",
        UpstreamEvent::MemberChanged { .. } => "GUILD_MEMBER_UPDATE",
        UpstreamEvent::MemberLeft { .. } => "GUILD_MEMBER_REMOVE",
        UpstreamEvent::Members { .. } => "GUILD_MEMBERS_CHUNK",
        UpstreamEvent::InviteCreated { .. } => "INVITE_CREATE",
        UpstreamEvent::InviteDeleted { .. } => "INVITE_DELETE",
    }
}
