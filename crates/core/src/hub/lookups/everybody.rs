//! When all of a guild's members are asked for at once rather than user by user.
//!
//! Discord takes some 116 requests a minute on a connection, of a hundred users each; one request
//! for everybody is a single one, however many chunks its answer has. So where a crowd comes, a
//! few are asked for by their ids, then the others are gathered for one request for everybody.
//! Those that its answer does not name are asked for by their ids in the end.

use std::{collections::BTreeSet, time::Duration};

use guildgate_model::{Mono, UserId};

use super::super::config::{Config, LOOKUP_USERS_MAX};

/// The request for everybody, and whether the next one is called for.
#[derive(Debug, Default)]
pub(super) struct Everybody {
    open: Option<Open>,
    /// Before this no other is thought of.
    not_before: Mono,
    /// How many users were asked for by their ids since `counted_since`.
    counted: usize,
    counted_since: Mono,
    /// When somebody was last wanted.
    wanted_at: Mono,
    /// Since when users are gathered for the next one.
    gathering_since: Option<Mono>,
}

#[derive(Debug)]
struct Open {
    answer_by: Mono,
    users: BTreeSet<UserId>,
    /// How many of them were answered for since anybody looked.
    answered: usize,
}

/// How those who are wanted are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// By their ids.
    ByUser,
    /// Not before this.
    Gather(Mono),
    /// All at once.
    Everybody,
}

impl Everybody {
    /// Somebody is wanted.
    pub(super) fn on_wanted(&mut self, now: Mono) {
        self.wanted_at = now;
    }

    /// So many are asked for by their ids.
    pub(super) fn on_asked_by_user(&mut self, now: Mono, users: usize) {
        if now.since(self.counted_since) >= COUNTED_FOR {
            self.counted_since = now;
            self.counted = 0;
        }
        self.counted += users;
    }

    /// How to ask for `wanted` users of a guild with `members`, which are not known where all of
    /// them may not be asked for.
    pub(super) fn plan(
        &mut self,
        now: Mono,
        wanted: usize,
        members: Option<u64>,
        config: &Config,
    ) -> Plan {
        let lately = match now.since(self.counted_since) < COUNTED_FOR {
            true => self.counted,
            false => 0,
        };
        let is_crowd = wanted > 0 && wanted + lately >= config.everybody_from;
        let members = members.filter(|_| is_crowd && self.open.is_none() && self.not_before <= now);
        let Some(members) = members else {
            self.gathering_since = None;
            return Plan::ByUser;
        };
        let since = *self.gathering_since.get_or_insert(now);
        let until = (since + GATHER_MAX).min(self.wanted_at + GATHER_QUIET);
        if until > now {
            return Plan::Gather(until);
        }
        self.gathering_since = None;
        self.not_before = now + SPACING;
        let pays = (wanted as u64).saturating_mul(MEMBERS_READ_MAX) >= members;
        match pays && wanted > LOOKUP_USERS_MAX {
            true => Plan::Everybody,
            false => Plan::ByUser,
        }
    }

    /// Everybody is asked for, on behalf of `users`.
    pub(super) fn begin(&mut self, now: Mono, users: BTreeSet<UserId>) {
        self.open = Some(Open {
            answer_by: now + FIRST_WITHIN,
            users,
            answered: 0,
        });
    }

    /// `user` is answered for, or nobody cares any more.
    pub(super) fn done(&mut self, user: UserId) {
        if let Some(open) = &mut self.open
            && open.users.remove(&user)
        {
            open.answered += 1;
        }
    }

    /// Those of whom nothing has been said, once the answer is over or overdue.
    pub(super) fn give_up_overdue(&mut self, now: Mono) -> BTreeSet<UserId> {
        if let Some(open) = &mut self.open
            && std::mem::take(&mut open.answered) > 0
        {
            open.answer_by = now + NEXT_WITHIN;
        }
        let is_over = |open: &mut Open| open.users.is_empty() || open.answer_by <= now;
        let over = self.open.take_if(is_over);
        over.map(|open| open.users).unwrap_or_default()
    }

    /// The answer may never come: those who waited for it.
    pub(super) fn give_up(&mut self) -> BTreeSet<UserId> {
        self.open.take().map(|open| open.users).unwrap_or_default()
    }

    /// When the answer is overdue.
    pub(super) fn answer_by(&self) -> Option<Mono> {
        self.open.as_ref().map(|open| open.answer_by)
    }
}

/// How long users who were asked for by their ids count for a crowd: as long as what was sent
/// for them counts against the connection.
const COUNTED_FOR: Duration = Duration::from_secs(60);

/// Between two requests for everybody, made or thought of.
///
/// Source: Discord, "Gateway Events: Request Guild Members", rate limit.
const SPACING: Duration = Duration::from_secs(30);

/// How long to gather for one at most, and how long after the last one came.
const GATHER_MAX: Duration = Duration::from_secs(5);
const GATHER_QUIET: Duration = Duration::from_millis(500);

/// Most members that are read for each one that is wanted. A request by ids has a hundred
/// answers in one payload; an answer for everybody is read in full.
const MEMBERS_READ_MAX: u64 = 50;

/// How long the first chunk may take. The request may have to wait for Discord's send limit, a
/// minute.
const FIRST_WITHIN: Duration = Duration::from_secs(70);

/// How long after one chunk another may come. Not every chunk need have somebody in it who is
/// wanted.
const NEXT_WITHIN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::ZERO + Duration::from_millis(ms)
    }

    fn plan(everybody: &mut Everybody, ms: u64, wanted: usize, members: u64) -> Plan {
        everybody.plan(at(ms), wanted, Some(members), &Config::default())
    }

    #[test]
    fn a_crowd_is_gathered_until_nobody_comes_and_not_for_long() {
        let mut everybody = Everybody::default();
        everybody.on_wanted(at(100));
        assert_eq!(plan(&mut everybody, 100, 1_999, 5_000), Plan::ByUser);
        let gather = Plan::Gather(at(600));
        assert_eq!(plan(&mut everybody, 100, 2_000, 5_000), gather);
        everybody.on_wanted(at(599));
        let gather = Plan::Gather(at(1_099));
        assert_eq!(plan(&mut everybody, 600, 2_001, 5_000), gather);
        everybody.on_wanted(at(5_000));
        let gather = Plan::Gather(at(5_100));
        assert_eq!(plan(&mut everybody, 5_099, 9_000, 5_000), gather);
        assert_eq!(plan(&mut everybody, 5_100, 9_000, 5_000), Plan::Everybody);
    }

    #[test]
    fn those_who_were_asked_for_lately_count_for_a_minute() {
        let mut everybody = Everybody::default();
        everybody.on_wanted(at(0));
        everybody.on_asked_by_user(at(0), 1_900);
        assert_eq!(plan(&mut everybody, 0, 99, 5_000), Plan::ByUser);
        let gather = Plan::Gather(at(500));
        assert_eq!(plan(&mut everybody, 0, 100, 5_000), gather);
        assert_eq!(plan(&mut everybody, 60_000, 1_999, 5_000), Plan::ByUser);
    }

    #[test]
    fn nobody_is_asked_for_all_of_a_guild_where_few_of_it_are_wanted_or_it_may_not_be() {
        let mut everybody = Everybody::default();
        assert_eq!(plan(&mut everybody, 500, 2_000, 100_001), Plan::ByUser);
        let mut everybody = Everybody::default();
        assert_eq!(plan(&mut everybody, 500, 2_000, 100_000), Plan::Everybody);
        let mut everybody = Everybody::default();
        let unseen = everybody.plan(at(500), 2_000, None, &Config::default());
        assert_eq!(unseen, Plan::ByUser);
        // One request will do.
        everybody.on_asked_by_user(at(500), 2_000);
        assert_eq!(plan(&mut everybody, 500, 100, 200), Plan::ByUser);
    }

    #[test]
    fn another_one_is_not_thought_of_for_half_a_minute() {
        let mut everybody = Everybody::default();
        assert_eq!(plan(&mut everybody, 500, 2_000, 5_000), Plan::Everybody);
        everybody.begin(at(500), BTreeSet::new());
        assert_eq!(plan(&mut everybody, 30_500, 2_000, 5_000), Plan::ByUser);
        assert!(everybody.give_up_overdue(at(30_500)).is_empty());
        assert_eq!(plan(&mut everybody, 30_499, 2_000, 5_000), Plan::ByUser);
        assert_eq!(plan(&mut everybody, 30_500, 2_000, 5_000), Plan::Everybody);
    }

    #[test]
    fn whom_the_answer_does_not_name_is_given_back_once_it_is_over() {
        let mut everybody = Everybody::default();
        everybody.begin(at(0), [1, 2, 3].map(UserId).into());
        assert_eq!(everybody.answer_by(), Some(at(70_000)));
        assert!(everybody.give_up_overdue(at(60_000)).is_empty());
        everybody.done(UserId(1));
        everybody.done(UserId(9));
        assert!(everybody.give_up_overdue(at(61_000)).is_empty());
        assert_eq!(everybody.answer_by(), Some(at(64_000)));
        let rest = everybody.give_up_overdue(at(64_000));
        assert_eq!(rest, [2, 3].map(UserId).into());
        assert_eq!(everybody.answer_by(), None);
    }
}
