//! Random events, breaks and clients, against the naive Discord.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use guildgate_model::{GuildId, UpstreamEvent, UserId, WantedMark, WantedUsers};
use proptest::prelude::*;

use super::{
    model::{Change, Discord, State},
    rig::{GUILD, OTHER, Rig, SHARD, Screen, client},
};
use crate::{
    ClientId,
    hub::{Config, Hub, Input},
};

/// One step of a run.
#[derive(Debug, Clone, Copy)]
enum Step {
    Change(GuildId, Change),
    Connect(u32, GuildId),
    Gone(u32),
    /// Discord answers one request for members.
    Answer,
    /// Discord answers all there are, and time passes so that all are made.
    Settle,
    Pass(u64),
    /// So many events that are on their way arrive, where any are.
    Deliver(u8),
    LoseLink,
    Resume,
    NewSession,
    Outage(GuildId),
    /// The bot is put out of the guild.
    Expel(GuildId),
    /// An outage ends, or the bot is taken in again.
    Return(GuildId),
    /// Another process goes on. These of the clients come back, before what was missed is
    /// replayed or after.
    Restart(u8, Comes),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Early,
    Late,
}

/// Slots 0 to 5 are connections of four users, 6 and 7 are basic.
fn user_of(slot: u32) -> Option<UserId> {
    (slot < 6).then(|| UserId(1 + u64::from(slot % 4)))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let guild = || prop_oneof![Just(GUILD), Just(OTHER)];
    let user = || (1_u64..=4).prop_map(UserId);
    let role = || 10_u64..13;
    let bits = prop_oneof![
        Just(0_u64),
        Just(8),
        Just(0x20),
        Just(0x400),
        Just(0x1_0460),
        Just(1 << 40),
    ];
    let change = prop_oneof![
        3 => (prop_oneof![Just(0_u64), role()], bits).prop_map(|(role, bits)| Change::Role(role, bits)),
        1 => role().prop_map(Change::RemoveRole),
        1 => user().prop_map(Change::Owner),
        4 => user().prop_map(Change::Join),
        2 => user().prop_map(Change::Leave),
        1 => user().prop_map(Change::RepeatedAdd),
        2 => Just(Change::StrangerJoins),
        2 => Just(Change::StrangerLeaves),
        6 => (user(), role()).prop_map(|(user, role)| Change::ToggleRole(user, role)),
        2 => (user(), any::<u16>()).prop_map(|(user, ms)| Change::TimeOut(user, ms)),
        1 => any::<u8>().prop_map(Change::Rename),
    ];
    let step = prop_oneof![
        20 => (guild(), change).prop_map(|(guild, change)| Step::Change(guild, change)),
        6 => (0_u32..8, guild()).prop_map(|(slot, guild)| Step::Connect(slot, guild)),
        1 => (0_u32..8).prop_map(Step::Gone),
        4 => Just(Step::Answer),
        3 => Just(Step::Settle),
        4 => (0_u64..400).prop_map(Step::Pass),
        1 => (0_u64..40_000).prop_map(Step::Pass),
        4 => (1_u8..8).prop_map(Step::Deliver),
        1 => Just(Step::LoseLink),
        2 => Just(Step::Resume),
        1 => Just(Step::NewSession),
        1 => guild().prop_map(Step::Outage),
        1 => guild().prop_map(Step::Expel),
        2 => guild().prop_map(Step::Return),
        1 => (any::<u8>(), prop_oneof![Just(Comes::Early), Just(Comes::Late)])
            .prop_map(|(back, comes)| Step::Restart(back, comes)),
    ];
    prop::collection::vec(step, 1..120)
}

/// A rig, the truth, and what lies between them.
struct Run {
    rig: Rig,
    discord: Discord,
    link: Link,
    /// Guilds whose members Discord has yet to confirm after a gap.
    gaps: BTreeSet<GuildId>,
    /// Guilds whose last count was said while the link was down, so that nobody knows quite
    /// when: a repeated GUILD_MEMBER_ADD of somebody who joined about then cannot be told from
    /// a first one.
    counted_blindly: BTreeSet<GuildId>,
    /// What lies between the shard and the hub, where the shard drops what is not wanted.
    shard: Option<FilteringShard>,
    /// Sessions that are still to be restored.
    late: Vec<(ClientId, Screen)>,
    /// Users of restored sessions of whom the earlier process left nothing, since they were no
    /// members: whether they are now, Discord is asked. Until it has answered they may do nothing.
    unknown: BTreeSet<(GuildId, UserId)>,
}

/// Drops changes of members whom nobody wants, and hands on the rest with a delay.
struct FilteringShard {
    wanted: Arc<WantedUsers>,
    queue: VecDeque<(UpstreamEvent, WantedMark)>,
}

fn config(wanted: Arc<WantedUsers>) -> Config {
    Config {
        clock_skew: Duration::ZERO,
        wanted,
        ..Config::default()
    }
}

enum Link {
    Up,
    /// What a resume will replay.
    Down(Vec<UpstreamEvent>),
}

impl Run {
    fn new() -> Run {
        Run::with(None)
    }

    fn filtering() -> Run {
        Run::with(Some(FilteringShard {
            wanted: Arc::default(),
            queue: VecDeque::new(),
        }))
    }

    fn with(shard: Option<FilteringShard>) -> Run {
        let wanted = shard.as_ref().map(|shard| Arc::clone(&shard.wanted));
        let mut run = Run {
            rig: Rig::new(config(wanted.unwrap_or_default())),
            discord: Discord::new(&[GUILD, OTHER]),
            link: Link::Up,
            gaps: BTreeSet::new(),
            counted_blindly: BTreeSet::new(),
            shard,
            late: Vec::new(),
            unknown: BTreeSet::new(),
        };
        run.new_session();
        run
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Change(guild, Change::RepeatedAdd(_))
                if self.counted_blindly.contains(&guild) => {}
            Step::Change(guild, change) => {
                let event = self.discord.change(guild, change, self.rig.now.wall);
                event.into_iter().for_each(|event| self.say(event));
            }
            Step::Connect(slot, guild) => {
                self.restore_late();
                let waits = self.rig.screens.get(&client(slot)).is_some_and(|s| s.waits);
                if !waits {
                    self.rig.connect(client(slot), guild, user_of(slot));
                }
            }
            Step::Gone(slot) => {
                self.restore_late();
                self.rig.screens.remove(&client(slot));
                self.rig.put(Input::Gone(client(slot)));
            }
            Step::Answer => self.answer_one(),
            Step::Settle => self.settle(),
            Step::Pass(ms) => self.pass(ms),
            Step::Deliver(count) => self.deliver(count.into()),
            Step::LoseLink => self.lose_link(),
            Step::Resume => self.resume(),
            Step::NewSession => self.new_session(),
            Step::Outage(guild) => self.outage(guild),
            Step::Expel(guild) => self.expel(guild),
            Step::Return(guild) => self.bring_back(guild),
            Step::Restart(back, comes) => self.restart(back, comes),
        }
    }

    /// A drain, and the next process until it dials Discord.
    fn restart(&mut self, back: u8, comes: Comes) {
        self.restore_late();
        self.rig.put(Input::Drain);
        let gone = self.rig.screens.keys().copied();
        let gone: Vec<ClientId> = gone
            .filter(|client| back & (1 << client.slot) == 0)
            .collect();
        for client in gone {
            self.rig.screens.remove(&client);
            self.rig.put(Input::Gone(client));
        }
        self.deliver(usize::MAX);
        let screens = std::mem::take(&mut self.rig.screens);
        if let Link::Up = self.link {
            self.link = Link::Down(Vec::new());
        }
        let guilds = self.rig.hub.guilds.values();
        let left: BTreeSet<(GuildId, UserId)> = guilds
            .flat_map(|guild| {
                let members = guild.crowd.iter().flat_map(|crowd| crowd.inheritable());
                members.map(|(member, _)| (guild.id, member.user))
            })
            .collect();
        let chunks = self.rig.hub.export(SHARD);
        let wanted = Arc::<WantedUsers>::default();
        if let Some(shard) = &mut self.shard {
            shard.wanted = Arc::clone(&wanted);
        }
        self.rig.hub = Hub::new(config(wanted));
        self.rig.asked.clear();
        let now = self.rig.now.after(Duration::from_millis(10));
        let read = self
            .rig
            .hub
            .import(now, self.rig.now.wall, &chunks, &mut Vec::new());
        read.expect("its own export");
        self.rig.now = now;
        self.late = screens
            .into_iter()
            .filter(|(_, screen)| screen.user_id.is_some() && !screen.waits)
            .collect();
        let restored = self.late.iter();
        let restored = restored.filter_map(|(_, screen)| screen.on.zip(screen.user_id));
        self.unknown
            .extend(restored.filter(|one| !left.contains(one)));
        if comes == Comes::Early {
            self.restore_late();
        }
    }

    fn restore_late(&mut self) {
        for (client, mut screen) in std::mem::take(&mut self.late) {
            let (guild, user) = (screen.on, screen.user_id);
            screen.waits = false;
            self.rig.screens.insert(client, screen);
            if let (Some(guild), Some(user)) = (guild, user) {
                self.rig.put(Input::Restored {
                    client,
                    guild,
                    user,
                });
            }
        }
    }

    fn say(&mut self, event: UpstreamEvent) {
        match &mut self.link {
            Link::Up => self.tell(event),
            Link::Down(missed) => missed.push(event),
        }
    }

    fn tell(&mut self, event: UpstreamEvent) {
        let Some(shard) = &mut self.shard else {
            return self.rig.tell(event);
        };
        let dropped = matches!(
            &event,
            UpstreamEvent::MemberChanged { member, .. } if !shard.wanted.contains(member.user)
        );
        if !dropped {
            shard.queue.push_back((event, shard.wanted.mark()));
        }
    }

    fn deliver(&mut self, count: usize) {
        for _ in 0..count {
            let shard = self.shard.as_mut();
            let Some((event, mark)) = shard.and_then(|shard| shard.queue.pop_front()) else {
                return;
            };
            self.rig.tell_marked(event, mark);
        }
    }

    /// Events travel no slower than a moment, or counts could not be told from joins.
    fn pass(&mut self, ms: u64) {
        self.deliver(usize::MAX);
        self.restore_late();
        self.rig.pass(ms);
    }

    fn lose_link(&mut self) {
        if let Link::Up = self.link {
            self.link = Link::Down(Vec::new());
            self.rig.asked.clear();
            self.tell(UpstreamEvent::LinkLost);
        }
    }

    fn resume(&mut self) {
        if let Link::Down(missed) = std::mem::replace(&mut self.link, Link::Up) {
            for event in missed {
                self.tell(event);
            }
            self.tell(UpstreamEvent::SessionResumed);
            self.restore_late();
        }
    }

    fn new_session(&mut self) {
        self.link = Link::Up;
        self.rig.asked.clear();
        self.pass(1);
        let guilds = self.discord.guilds.iter();
        let listed = guilds.filter(|(_, truth)| truth.state != State::Left);
        let (listed, events): (Vec<GuildId>, Vec<UpstreamEvent>) = listed
            .map(|(&id, truth)| match truth.state {
                State::Available => (id, truth.create()),
                State::Outage | State::Left => (id, UpstreamEvent::GuildUnavailable(id)),
            })
            .unzip();
        self.gaps.extend(&listed);
        self.counted_blindly.clear();
        self.tell(UpstreamEvent::SessionStarted {
            bot: UserId(1),
            guilds: listed,
        });
        events.into_iter().for_each(|event| self.tell(event));
    }

    fn outage(&mut self, guild: GuildId) {
        if self.in_state(guild, &[State::Available], State::Outage) {
            self.gaps.insert(guild);
            self.say(UpstreamEvent::GuildUnavailable(guild));
        }
    }

    fn expel(&mut self, guild: GuildId) {
        if self.in_state(guild, &[State::Available, State::Outage], State::Left) {
            self.say(UpstreamEvent::GuildLeft(guild));
        }
    }

    fn bring_back(&mut self, guild: GuildId) {
        if self.in_state(guild, &[State::Outage, State::Left], State::Available) {
            self.pass(1);
            if let Link::Down(_) = self.link {
                self.counted_blindly.insert(guild);
            }
            let create = self.discord.guilds[&guild].create();
            self.say(create);
        }
    }

    fn in_state(&mut self, guild: GuildId, from: &[State], to: State) -> bool {
        let truth = self.discord.guilds.get_mut(&guild).expect("a guild");
        let moves = from.contains(&truth.state);
        if moves {
            truth.state = to;
        }
        moves
    }

    fn answer_one(&mut self) {
        if self.rig.asked.is_empty() || matches!(self.link, Link::Down(_)) {
            return;
        }
        let (guild, users) = self.rig.asked.remove(0);
        let truth = &self.discord.guilds[&guild];
        if truth.state == State::Available {
            let answer = truth.answer(users);
            self.tell(answer);
        }
    }

    /// Answers everything until nothing is asked for any more.
    fn settle(&mut self) {
        if matches!(self.link, Link::Down(_)) {
            return;
        }
        self.restore_late();
        // Longer than a swallowed request takes to be made again.
        for _ in 0..600 {
            self.deliver(usize::MAX);
            if self.rig.asked.is_empty() && self.rig.hub.deadline().is_none() {
                break;
            }
            self.pass(20);
            while !self.rig.asked.is_empty() {
                self.answer_one();
            }
        }
        let guilds = &self.discord.guilds;
        self.gaps
            .retain(|guild| guilds[guild].state != State::Available);
        self.unknown
            .retain(|(guild, _)| guilds[guild].state != State::Available);
    }

    /// Everybody knows what is true of them, as soon as it is true.
    fn check_rights(&self) -> Result<(), TestCaseError> {
        if matches!(self.link, Link::Down(_)) {
            return Ok(());
        }
        for (id, screen) in &self.rig.screens {
            let (Some(guild), Some(user)) = (screen.on, screen.user_id) else {
                continue;
            };
            let truth = &self.discord.guilds[&guild];
            if truth.state == State::Available && !self.gaps.contains(&guild) {
                let expected = truth.permissions(user, self.rig.now.wall);
                let shown = screen.permissions().0;
                if shown > 0 || !self.unknown.contains(&(guild, user)) {
                    prop_assert_eq!(shown, expected, "{:?} on {}", id, guild);
                }
            }
        }
        Ok(())
    }

    /// All that is shown is true, once all is quiet.
    fn check_all(&self) -> Result<(), TestCaseError> {
        self.check_rights()?;
        prop_assert!(self.gaps.is_empty());
        for (id, screen) in &self.rig.screens {
            prop_assert!(!screen.waits, "{:?} was never answered", id);
            let Some(guild) = screen.on else { continue };
            let truth = &self.discord.guilds[&guild];
            prop_assert_eq!(&screen.guild["name"], &truth.name);
            prop_assert_eq!(&screen.guild["owner_id"], &truth.owner.to_string());
            prop_assert_eq!(&screen.guild["freshness"], "live");
            prop_assert_eq!(screen.count(), truth.count(), "{:?} on {}", id, guild);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn everybody_ends_on_the_truth_and_on_nobody_elses(steps in steps()) {
        let mut run = Run::new();
        run.settle();
        for step in steps {
            run.step(step);
            run.check_rights()?;
        }
        run.resume();
        for guild in [GUILD, OTHER] {
            run.bring_back(guild);
        }
        run.settle();
        run.pass(2_000);
        run.check_all()?;
    }

    /// The members' changes that nobody wanted were dropped, and what was not comes late: an
    /// answer that was on its way when somebody came back must not pass for today's.
    #[test]
    fn everybody_ends_on_the_truth_though_what_is_not_wanted_is_dropped(steps in steps()) {
        let mut run = Run::filtering();
        run.settle();
        for step in steps {
            run.step(step);
        }
        run.resume();
        for guild in [GUILD, OTHER] {
            run.bring_back(guild);
        }
        run.settle();
        run.pass(2_000);
        run.settle();
        run.check_all()?;
    }
}
