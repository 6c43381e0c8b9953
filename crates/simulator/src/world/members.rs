//! Who is in a guild, in little memory.
//!
//! A guild of a million is a [`Crowd`], whose members follow from their number, and a map of
//! those who differ from it. Only the latter cost memory.

use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

use guildgate_model::{RoleId, UnixMs, UserId};

use super::entity::Member;
use crate::rng::mix;

/// Members who need not be stored: everything of them follows from their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowd {
    /// Id of the first; each next is [`Crowd::STEP`] later.
    pub first: UserId,
    /// How many there are.
    pub count: u32,
    /// Roles that are dealt out among them: about half hold one, some two.
    pub roles: Box<[RoleId]>,
    /// When the first joined; each next a second later.
    pub joined_from: UnixMs,
}

impl Crowd {
    /// Between the ids of two neighbours: a second of Discord's id clock.
    pub const STEP: u64 = 1_000 << 22;

    fn member(&self, number: u64) -> Member {
        let chance = mix(self.first.0 ^ number);
        let role = |chance: u64| {
            let count = self.roles.len() as u64;
            let index = usize::try_from(chance % count.max(1)).unwrap_or(0);
            self.roles.get(index).copied()
        };
        let held: Vec<RoleId> = match chance % 8 {
            0..4 => Vec::new(),
            4..7 => role(chance >> 8).into_iter().collect(),
            _ => {
                let mut both: Vec<RoleId> = role(chance >> 8)
                    .into_iter()
                    .chain(role(chance >> 24))
                    .collect();
                both.dedup();
                both
            }
        };
        Member {
            roles: held.into(),
            ..Member::new(
                UserId(self.first.0 + number * Crowd::STEP),
                UnixMs(self.joined_from.0 + i64::try_from(number).unwrap_or(0) * 1_000),
            )
        }
    }

    fn number_of(&self, user: UserId) -> Option<u64> {
        let from_first = user.0.checked_sub(self.first.0)?;
        let number = from_first / Crowd::STEP;
        (from_first % Crowd::STEP == 0 && number < u64::from(self.count)).then_some(number)
    }

    /// The number of the first whose id is at least `from`.
    fn first_from(&self, from: u64) -> u64 {
        from.saturating_sub(self.first.0)
            .div_ceil(Crowd::STEP)
            .min(u64::from(self.count))
    }
}

/// A guild's members, in ascending id.
#[derive(Debug, Clone, Default)]
pub struct Members {
    crowd: Option<Crowd>,
    /// Those outside the crowd, and those of it who changed; `None` is one of it who left.
    known: BTreeMap<UserId, Option<Member>>,
    count: u64,
}

impl Members {
    /// A guild's first members: all of `crowd`.
    #[must_use]
    pub fn of_crowd(crowd: Crowd) -> Members {
        let count = u64::from(crowd.count);
        Members {
            crowd: Some(crowd),
            known: BTreeMap::new(),
            count,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The member with this id.
    #[must_use]
    pub fn find(&self, user: UserId) -> Option<Cow<'_, Member>> {
        match self.known.get(&user) {
            Some(known) => known.as_ref().map(Cow::Borrowed),
            None => self.in_crowd(user).map(Cow::Owned),
        }
    }

    /// Whether `user` is one of them.
    #[must_use]
    pub fn contains(&self, user: UserId) -> bool {
        match self.known.get(&user) {
            Some(known) => known.is_some(),
            None => self
                .crowd
                .as_ref()
                .is_some_and(|crowd| crowd.number_of(user).is_some()),
        }
    }

    /// Adds a member, or replaces the one with their id.
    pub fn insert(&mut self, member: Member) {
        if !self.contains(member.user) {
            self.count += 1;
        }
        self.known.insert(member.user, Some(member));
    }

    /// Takes a member out, if they were in.
    pub fn remove(&mut self, user: UserId) -> Option<Member> {
        let gone = self.find(user)?.into_owned();
        self.count -= 1;
        if self.in_crowd(user).is_some() {
            self.known.insert(user, None);
        } else {
            self.known.remove(&user);
        }
        Some(gone)
    }

    /// All, in ascending id.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Member>> {
        self.starting(Bound::Unbounded)
    }

    /// Those whose id is above `user`, in ascending id.
    pub fn after(&self, user: UserId) -> impl Iterator<Item = Cow<'_, Member>> {
        self.starting(Bound::Excluded(user))
    }

    fn starting(&self, from: Bound<UserId>) -> Iter<'_> {
        let lowest = match from {
            Bound::Unbounded => 0,
            Bound::Included(user) => user.0,
            Bound::Excluded(user) => user.0.saturating_add(1),
        };
        Iter {
            crowd: self.crowd.as_ref(),
            next: self
                .crowd
                .as_ref()
                .map_or(0, |crowd| crowd.first_from(lowest)),
            known: self.known.range((from, Bound::Unbounded)).peekable(),
        }
    }

    fn in_crowd(&self, user: UserId) -> Option<Member> {
        let crowd = self.crowd.as_ref()?;
        crowd.number_of(user).map(|number| crowd.member(number))
    }
}

impl FromIterator<Member> for Members {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Members {
        let mut all = Members::default();
        members.into_iter().for_each(|member| all.insert(member));
        all
    }
}

/// The two sorted sources, merged; what is known hides what the crowd says.
struct Iter<'a> {
    crowd: Option<&'a Crowd>,
    next: u64,
    known: std::iter::Peekable<std::collections::btree_map::Range<'a, UserId, Option<Member>>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Cow<'a, Member>;

    fn next(&mut self) -> Option<Cow<'a, Member>> {
        loop {
            let from_crowd = self
                .crowd
                .filter(|crowd| self.next < u64::from(crowd.count))
                .map(|crowd| (crowd, UserId(crowd.first.0 + self.next * Crowd::STEP)));
            let known = self.known.peek().map(|&(&id, _)| id);
            match (from_crowd, known) {
                (None, None) => return None,
                (Some((crowd, id)), known) if known.is_none_or(|known| id < known) => {
                    let member = crowd.member(self.next);
                    self.next += 1;
                    return Some(Cow::Owned(member));
                }
                (from_crowd, _) => {
                    let (&id, member) = self.known.next()?;
                    if from_crowd.is_some_and(|(_, in_crowd)| in_crowd == id) {
                        self.next += 1;
                    }
                    if let Some(member) = member {
                        return Some(Cow::Borrowed(member));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd_of_five() -> Members {
        Members::of_crowd(Crowd {
            first: UserId(1 << 50),
            count: 5,
            roles: Box::new([RoleId(1), RoleId(2)]),
            joined_from: UnixMs(0),
        })
    }

    fn ids(members: &Members) -> Vec<u64> {
        members.iter().map(|member| member.user.0).collect()
    }

    fn nth(number: u64) -> u64 {
        (1 << 50) + number * Crowd::STEP
    }

    #[test]
    fn a_crowd_and_those_who_differ_from_it_are_one_sorted_list() {
        let mut members = crowd_of_five();
        members.insert(Member::new(UserId(7), UnixMs(1)));
        members.insert(Member::new(UserId(u64::MAX), UnixMs(1)));
        members.insert(Member {
            nick: Some("changed".into()),
            ..Member::new(UserId(nth(2)), UnixMs(1))
        });
        assert!(members.remove(UserId(nth(3))).is_some());
        assert!(
            members.remove(UserId(nth(3))).is_none(),
            "they left already"
        );
        assert_eq!(members.count(), 6);
        assert_eq!(ids(&members), [7, nth(0), nth(1), nth(2), nth(4), u64::MAX]);
        let changed = members.find(UserId(nth(2))).expect("a member");
        assert_eq!(changed.nick.as_deref(), Some("changed"));
        let after: Vec<u64> = members
            .after(UserId(nth(1)))
            .map(|member| member.user.0)
            .collect();
        assert_eq!(after, [nth(2), nth(4), u64::MAX]);
        members.insert(Member::new(UserId(nth(3)), UnixMs(9)));
        assert_eq!(members.count(), 7);
    }

    #[test]
    fn a_million_members_are_counted_and_found_without_being_stored() {
        let members = Members::of_crowd(Crowd {
            first: UserId(1 << 50),
            count: 1_000_000,
            roles: Box::default(),
            joined_from: UnixMs(0),
        });
        assert_eq!(members.count(), 1_000_000);
        assert!(members.contains(UserId(nth(999_999))));
        assert!(!members.contains(UserId(nth(1_000_000))));
        assert!(members.known.is_empty());
    }
}
