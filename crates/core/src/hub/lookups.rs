//! Requests for the members of one guild: gathered, bounded, and repeated when unanswered.

mod everybody;

use std::{collections::BTreeSet, time::Duration};

use guildgate_model::{Mono, UserId};

use super::config::{Config, LOOKUP_USERS_MAX};
use everybody::{Everybody, Plan};

/// Which members are to be asked for, and which have been.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// A client waits for them.
    urgent: BTreeSet<UserId>,
    /// They are known, but not for sure.
    later: BTreeSet<UserId>,
    open: Vec<OpenRequest>,
    everybody: Everybody,
    /// When what has been gathered goes out.
    window_ends: Mono,
    /// How often the window has doubled: each request that was not full doubles it, since
    /// Discord takes only so many requests a minute, full or not.
    doublings: u32,
    /// When the last request went out.
    sent_at: Mono,
}

#[derive(Debug)]
struct OpenRequest {
    answer_by: Mono,
    users: BTreeSet<UserId>,
}

/// A request that is to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// For these.
    Users(Vec<UserId>),
    /// For all members of the guild.
    Everybody,
}

/// Whether somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A client waits.
    Urgent,
    /// Nobody waits.
    Later,
}

/// Whether Discord can be asked about the guild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It can.
    Open,
    /// The link is down, or the guild is not available.
    Shut,
}

impl Lookups {
    /// Puts `user` on the list.
    pub(super) fn want(&mut self, user: UserId, urgency: Urgency, now: Mono, config: &Config) {
        if self.urgent.is_empty() && self.later.is_empty() {
            self.open_window(now, config.lookup_window);
        }
        self.everybody.on_wanted(now);
        match urgency {
            Urgency::Urgent => {
                self.later.remove(&user);
                self.urgent.insert(user);
            }
            Urgency::Later if self.urgent.contains(&user) => {}
            Urgency::Later => {
                self.later.insert(user);
            }
        }
    }

    /// The link broke since: what was asked may never be answered, and is asked again.
    pub(super) fn ask_again(&mut self) {
        for mut request in self.open.drain(..) {
            self.later.append(&mut request.users);
        }
        self.later.append(&mut self.everybody.give_up());
    }

    /// Begins to gather; for longer where requests have followed each other closely.
    fn open_window(&mut self, now: Mono, base: Duration) {
        if now.since(self.sent_at) >= base * (1 << DOUBLINGS_MAX) {
            self.doublings = 0;
        }
        self.window_ends = now + base * (1 << self.doublings);
    }

    /// `user` is answered for, or nobody cares any more.
    pub(super) fn done(&mut self, user: UserId) {
        self.urgent.remove(&user);
        self.later.remove(&user);
        self.everybody.done(user);
        for request in &mut self.open {
            request.users.remove(&user);
        }
        self.open.retain(|request| !request.users.is_empty());
    }

    /// Hands the requests that are to go out now to `send`; returns when to step again. All of
    /// the guild's `members` are asked for only where their number is given.
    pub(super) fn step(
        &mut self,
        now: Mono,
        reach: Reach,
        members: Option<u64>,
        config: &Config,
        mut send: impl FnMut(Request),
    ) -> Option<Mono> {
        self.give_up_overdue(now);
        let gathered = match reach {
            Reach::Shut => None,
            Reach::Open => match self.everybody.plan(now, self.wanted(), members, config) {
                Plan::Gather(until) => Some(until),
                Plan::Everybody => {
                    let mut users = std::mem::take(&mut self.urgent);
                    users.append(&mut self.later);
                    self.sent_at = now;
                    self.everybody.begin(now, users);
                    send(Request::Everybody);
                    None
                }
                Plan::ByUser => {
                    self.ask_by_user(now, config, send);
                    (self.wanted() > 0 && self.has_room(config)).then_some(self.window_ends)
                }
            },
        };
        let overdue = self.open.iter().map(|request| request.answer_by);
        let overdue = overdue.chain(self.everybody.answer_by());
        overdue.chain(gathered).min()
    }

    fn ask_by_user(&mut self, now: Mono, config: &Config, mut send: impl FnMut(Request)) {
        while self.may_send(now, config) {
            let users = self.take_batch();
            self.sent_at = now;
            self.everybody.on_asked_by_user(now, users.len());
            if users.len() < LOOKUP_USERS_MAX {
                self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
            }
            send(Request::Users(users.iter().copied().collect()));
            self.open.push(OpenRequest {
                answer_by: now + config.lookup_within,
                users,
            });
        }
    }

    /// Unanswered users go back on the list.
    fn give_up_overdue(&mut self, now: Mono) {
        let (later, open) = (&mut self.later, &mut self.open);
        open.retain_mut(|request| {
            let waits = request.answer_by > now;
            if !waits {
                later.append(&mut request.users);
            }
            waits
        });
        later.append(&mut self.everybody.give_up_overdue(now));
    }

    fn may_send(&self, now: Mono, config: &Config) -> bool {
        let wanted = self.wanted();
        let gathered = now >= self.window_ends || wanted >= LOOKUP_USERS_MAX;
        wanted > 0 && gathered && self.has_room(config)
    }

    fn has_room(&self, config: &Config) -> bool {
        self.open.len() < config.lookups_open_max
    }

    fn wanted(&self) -> usize {
        self.urgent.len() + self.later.len()
    }

    fn take_batch(&mut self) -> BTreeSet<UserId> {
        let mut users = BTreeSet::new();
        while users.len() < LOOKUP_USERS_MAX {
            let Some(user) = self.urgent.pop_first().or_else(|| self.later.pop_first()) else {
                break;
            };
            users.insert(user);
        }
        users
    }
}

/// At most 64 windows, 1.28 s unless set otherwise: then requests that are not full stay below
/// half of what a connection may send.
const DOUBLINGS_MAX: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::ZERO + Duration::from_millis(ms)
    }

    fn step(lookups: &mut Lookups, ms: u64, reach: Reach) -> (Vec<Vec<u64>>, Option<Mono>) {
        let mut sent = Vec::new();
        let next = lookups.step(at(ms), reach, Some(1_000), &Config::default(), |request| {
            sent.push(match request {
                Request::Users(users) => users.into_iter().map(|user| user.0).collect(),
                Request::Everybody => Vec::new(),
            });
        });
        (sent, next)
    }

    fn want(lookups: &mut Lookups, users: std::ops::Range<u64>, urgency: Urgency, ms: u64) {
        for user in users {
            lookups.want(UserId(user), urgency, at(ms), &Config::default());
        }
    }

    #[test]
    fn a_window_gathers_and_a_full_request_goes_at_once() {
        let mut lookups = Lookups::default();
        want(&mut lookups, 0..2, Urgency::Urgent, 0);
        assert_eq!(step(&mut lookups, 5, Reach::Open), (vec![], Some(at(20))));
        let (sent, next) = step(&mut lookups, 20, Reach::Open);
        assert_eq!(sent, [vec![0, 1]]);
        assert_eq!(next, Some(at(10_020)));
        want(&mut lookups, 10..110, Urgency::Later, 30);
        assert_eq!(step(&mut lookups, 30, Reach::Open).0.len(), 1);
    }

    #[test]
    fn those_who_are_waited_for_go_first() {
        let mut lookups = Lookups::default();
        want(&mut lookups, 0..450, Urgency::Later, 0);
        want(&mut lookups, 1000..1001, Urgency::Urgent, 0);
        let (sent, _) = step(&mut lookups, 0, Reach::Open);
        assert_eq!(sent.len(), 4, "no more than four requests are open");
        assert!(sent[0].contains(&1000));
        for user in sent.concat() {
            lookups.done(UserId(user));
        }
        assert_eq!(step(&mut lookups, 20, Reach::Open).0.concat().len(), 51);
    }

    #[test]
    fn short_requests_in_close_succession_are_gathered_for_longer() {
        let mut lookups = Lookups::default();
        let mut sent = Vec::new();
        for ms in 0..60_000 {
            want(&mut lookups, ms..ms + 1, Urgency::Urgent, ms);
            for users in step(&mut lookups, ms, Reach::Open).0 {
                sent.push(users.len());
                users
                    .into_iter()
                    .for_each(|user| lookups.done(UserId(user)));
            }
        }
        let short = sent.iter().filter(|&&users| users < 100).count();
        assert!(
            short <= 4,
            "{short} short requests: 20, 40 and 80 ms, then full ones"
        );
        let mut few = 0;
        for second in 61..121 {
            want(
                &mut lookups,
                second..second + 1,
                Urgency::Urgent,
                second * 1000,
            );
            for ms in second * 1000..second * 1000 + 1000 {
                for users in step(&mut lookups, ms, Reach::Open).0 {
                    few += 1;
                    users
                        .into_iter()
                        .for_each(|user| lookups.done(UserId(user)));
                }
            }
        }
        assert!((30..=60).contains(&few), "{few} requests a minute");
        for user in step(&mut lookups, 150_000, Reach::Open).0.concat() {
            lookups.done(UserId(user));
        }
        want(&mut lookups, 0..1, Urgency::Urgent, 200_000);
        assert_eq!(step(&mut lookups, 200_020, Reach::Open).0, [vec![0]]);
    }

    #[test]
    fn a_crowd_costs_a_few_requests_by_ids_and_one_for_everybody() {
        let mut lookups = Lookups::default();
        let (mut by_ids, mut for_all) = (0, 0);
        let mut arrived = 0;
        let mut last = 0;
        for ms in (0..20_000).step_by(5) {
            if arrived < 15_000 {
                want(&mut lookups, arrived..arrived + 10, Urgency::Urgent, ms);
                arrived += 10;
            }
            for users in step(&mut lookups, ms, Reach::Open).0 {
                last = ms;
                let answered = match users.is_empty() {
                    true => {
                        for_all += 1;
                        // All but two are members, and one came behind.
                        want(&mut lookups, 20_000..20_001, Urgency::Urgent, ms);
                        (0..arrived)
                            .filter(|user| !matches!(user, 7_001 | 7_002))
                            .collect()
                    }
                    false => {
                        by_ids += 1;
                        users
                    }
                };
                for user in answered {
                    lookups.done(UserId(user));
                }
            }
        }
        assert_eq!(
            lookups.wanted() + lookups.open.len(),
            0,
            "all are answered for"
        );
        assert_eq!(for_all, 1);
        assert!(by_ids < 60, "{by_ids} of the 116 that a minute has");
        assert!(last < 11_000, "the two are asked for soon: {last}");
    }

    #[test]
    fn a_request_for_everybody_that_a_broken_link_swallowed_is_made_again_by_ids() {
        let mut lookups = Lookups::default();
        want(&mut lookups, 0..2_000, Urgency::Urgent, 0);
        assert_eq!(step(&mut lookups, 0, Reach::Open), (vec![], Some(at(500))));
        let everybody = vec![vec![]];
        assert_eq!(
            step(&mut lookups, 500, Reach::Open),
            (everybody, Some(at(70_500)))
        );
        lookups.ask_again();
        assert_eq!(step(&mut lookups, 600, Reach::Shut), (vec![], None));
        let (sent, _) = step(&mut lookups, 600, Reach::Open);
        assert_eq!(sent.concat(), (0..400).collect::<Vec<u64>>());
    }

    #[test]
    fn what_is_not_answered_is_asked_again_once_discord_can_be_asked() {
        let mut lookups = Lookups::default();
        want(&mut lookups, 0..1, Urgency::Urgent, 0);
        assert_eq!(step(&mut lookups, 20, Reach::Shut), (vec![], None));
        assert_eq!(step(&mut lookups, 21, Reach::Open).0, [vec![0]]);
        assert_eq!(step(&mut lookups, 10_021, Reach::Shut), (vec![], None));
        assert_eq!(step(&mut lookups, 10_022, Reach::Open).0, [vec![0]]);
        lookups.done(UserId(0));
        assert_eq!(step(&mut lookups, 99_000, Reach::Open), (vec![], None));
    }
}
