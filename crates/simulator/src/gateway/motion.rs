//! What moves the world by itself: a lively demo, and bursts for measuring.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use guildgate_model::{GuildId, Mono, RoleId, UserId};
use serde::{Deserialize, Serialize};

use super::Discord;
use crate::{
    config::Motion,
    world::{Change, GuildEdit, Join, MemberEdit, RoleEdit, demo_ids},
};

/// A series of changes at a steady rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// Where.
    pub guild: GuildId,
    /// What happens each time.
    pub kind: BurstKind,
    /// How often.
    pub count: u32,
    /// How many a second.
    pub per_second: u32,
}

/// What a burst consists of. Each change carries the moment it was made, as `stamp:` and
/// microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurstKind {
    /// New members; the stamp is their nick.
    Joins,
    /// Those who joined in bursts leave again, as long as there are any.
    Leaves,
    /// The guild changes; the stamp is its description.
    GuildUpdates,
    /// This role gets and loses MANAGE_MESSAGES; the stamp is its name.
    RoleUpdates(RoleId),
    /// This member's nick changes; it is the stamp.
    MemberUpdates(UserId),
}

/// How far a burst has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BurstReport {
    /// What was asked for.
    pub burst: Burst,
    /// How many changes were made.
    pub emitted: u32,
    /// The last of them, up to 10,000, oldest first.
    pub emissions: VecDeque<Emission>,
}

/// One change of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Emission {
    /// Its number, from 1.
    pub number: u32,
    /// When it was made: microseconds since 1970.
    pub unix_us: i64,
    /// How many members the guild had after it.
    pub member_count: u64,
}

/// What moves the world.
#[derive(Debug)]
pub(super) struct Movement {
    motion: Motion,
    next: Option<Mono>,
    bursts: BTreeMap<u64, Running>,
    started: u64,
    /// Members whom bursts brought, per guild, for bursts that take them away.
    joined: BTreeMap<GuildId, Vec<UserId>>,
}

#[derive(Debug)]
struct Running {
    since: Mono,
    report: BurstReport,
}

impl Running {
    /// When the change after `emitted` is due.
    fn due(&self) -> Option<Mono> {
        let burst = &self.report.burst;
        let gap_us =
            1_000_000 * u64::from(self.report.emitted) / u64::from(burst.per_second.max(1));
        (self.report.emitted < burst.count).then(|| self.since + Duration::from_micros(gap_us))
    }
}

impl Movement {
    pub(super) fn new(motion: Motion, now: Mono) -> Movement {
        let next = match motion {
            Motion::Still => None,
            Motion::Lively { every } => Some(now + every),
        };
        Movement {
            motion,
            next,
            bursts: BTreeMap::new(),
            started: 0,
            joined: BTreeMap::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.bursts
            .values()
            .filter_map(Running::due)
            .chain(self.next)
            .min()
    }
}

impl Discord {
    /// Starts a burst; its number, by which [`Discord::burst`] reports.
    pub(crate) fn start_burst(&mut self, burst: Burst) -> u64 {
        let movement = &mut self.movement;
        movement.started += 1;
        let report = BurstReport {
            burst,
            emitted: 0,
            emissions: VecDeque::new(),
        };
        movement.bursts.insert(
            movement.started,
            Running {
                since: self.now.mono,
                report,
            },
        );
        if movement.bursts.len() > BURSTS_MAX {
            movement.bursts.pop_first();
        }
        movement.started
    }

    /// How far a burst has come.
    pub(crate) fn burst(&self, number: u64) -> Option<&BurstReport> {
        self.movement
            .bursts
            .get(&number)
            .map(|running| &running.report)
    }

    /// Changes how the world moves by itself.
    pub(crate) fn set_motion(&mut self, motion: Motion) {
        let moved = Movement::new(motion, self.now.mono);
        (self.movement.motion, self.movement.next) = (moved.motion, moved.next);
    }

    /// Makes all movements that are due.
    pub(super) fn move_world(&mut self) {
        let now = self.now.mono;
        let numbers: Vec<u64> = self.movement.bursts.keys().copied().collect();
        for number in numbers {
            while self.movement.bursts[&number]
                .due()
                .is_some_and(|due| due <= now)
            {
                self.emit(number);
            }
        }
        if let (Some(next), Motion::Lively { every }) = (self.movement.next, self.movement.motion)
            && next <= now
        {
            self.live();
            // Between a half and one and a half of the mean.
            let part = u32::try_from(self.rng.below(1_000)).unwrap_or(0) + 500;
            self.movement.next = Some(now + every * part / 1_000);
        }
    }

    fn emit(&mut self, number: u64) {
        let Some(running) = self.movement.bursts.get_mut(&number) else {
            return;
        };
        running.report.emitted += 1;
        let (nth, burst) = (running.report.emitted, running.report.burst.clone());
        let unix_us = self.clock.unix_us();
        let change = self.burst_change(&burst, nth, &format!("stamp:{unix_us}"));
        if let Some(change) = change {
            // A burst that the world does not allow (a guild that is gone meanwhile) only
            // counts on.
            if let Err(error) = self.change(change) {
                tracing::debug!(%error, "a burst's change was not possible");
            }
        }
        let member_count = self
            .world
            .guild(burst.guild)
            .map_or(0, |guild| guild.members.count());
        if let Some(running) = self.movement.bursts.get_mut(&number) {
            let emissions = &mut running.report.emissions;
            emissions.push_back(Emission {
                number: nth,
                unix_us,
                member_count,
            });
            if emissions.len() > EMISSIONS_MAX {
                emissions.pop_front();
            }
        }
    }

    fn burst_change(&mut self, burst: &Burst, nth: u32, stamp: &str) -> Option<Change> {
        let guild = burst.guild;
        match burst.kind {
            BurstKind::Joins => {
                let user = UserId(self.world.new_id(self.now.wall));
                self.movement.joined.entry(guild).or_default().push(user);
                Some(Change::Join(Join {
                    nick: Some(stamp.into()),
                    ..Join::new(guild, user)
                }))
            }
            BurstKind::Leaves => {
                let user = self.movement.joined.get_mut(&guild)?.pop()?;
                Some(Change::Leave { guild, user })
            }
            BurstKind::GuildUpdates => {
                let edit = GuildEdit {
                    description: Some(Some(stamp.into())),
                    ..GuildEdit::default()
                };
                Some(Change::EditGuild {
                    guild,
                    edit: Box::new(edit),
                })
            }
            BurstKind::RoleUpdates(role) => {
                let permissions = self.world.guild(guild)?.role(role)?.permissions;
                let manage_messages = crate::world::bits(&[13]);
                let toggled = match nth % 2 {
                    1 => permissions | manage_messages,
                    _ => guildgate_model::Permissions(permissions.0 & !manage_messages.0),
                };
                let edit = RoleEdit {
                    permissions: Some(toggled),
                    name: Some(stamp.into()),
                    ..RoleEdit::default()
                };
                Some(Change::EditRole { guild, role, edit })
            }
            BurstKind::MemberUpdates(user) => {
                let edit = MemberEdit {
                    nick: Some(Some(stamp.into())),
                    ..MemberEdit::default()
                };
                Some(Change::EditMember { guild, user, edit })
            }
        }
    }

    /// One movement of a lively world.
    fn live(&mut self) {
        let guilds: Vec<GuildId> = self.world.guilds().map(|guild| guild.id).collect();
        // The first guild is the one that most demos show, so that it moves most.
        let guild = match self.rng.below(3) {
            0 => self.rng.pick(&guilds).copied(),
            _ => guilds.first().copied(),
        };
        let Some(guild) = guild else {
            return;
        };
        let change = match self.rng.below(5) {
            0 | 1 => self.passer_by_joins(guild),
            2 => self.passer_by_leaves(guild),
            3 => self.passer_by_changes_role(guild),
            _ => self.robin_changes_role(),
        };
        if let Some(change) = change
            && let Err(error) = self.change(change)
        {
            tracing::debug!(%error, "a movement was not possible");
        }
    }

    fn passer_by_joins(&mut self, guild: GuildId) -> Option<Change> {
        let known = self.world.guild(guild)?;
        if self.passers_by(guild).len() >= PASSERS_BY_MAX {
            return self.passer_by_leaves(guild);
        }
        let everyone = guild.everyone();
        let role = known.roles.iter().find(|role| {
            role.id != everyone && role.permissions == guildgate_model::Permissions::NONE
        });
        let roles = role.map(|role| role.id).into_iter().collect();
        let number = self.rng.below(100_000) as u64;
        let user = UserId(FIRST_PASSER_BY + number * (1 << 22));
        Some(Change::Join(Join {
            roles,
            ..Join::new(guild, user)
        }))
    }

    fn passer_by_leaves(&mut self, guild: GuildId) -> Option<Change> {
        let present = self.passers_by(guild);
        let user = *self.rng.pick(&present)?;
        Some(Change::Leave { guild, user })
    }

    fn passer_by_changes_role(&mut self, guild: GuildId) -> Option<Change> {
        let present = self.passers_by(guild);
        let user = *self.rng.pick(&present)?;
        let modest = |role: &&crate::world::Role| {
            role.permissions == guildgate_model::Permissions::NONE && role.id != guild.everyone()
        };
        let roles: Vec<RoleId> = self
            .world
            .guild(guild)?
            .roles
            .iter()
            .filter(modest)
            .map(|role| role.id)
            .collect();
        let role = self.rng.pick(&roles).copied();
        let edit = MemberEdit {
            roles: Some(role.into_iter().collect()),
            ..MemberEdit::default()
        };
        Some(Change::EditMember { guild, user, edit })
    }

    /// The one documented account that moves, so that a viewer logged in as robin sees their
    /// own permissions change.
    fn robin_changes_role(&mut self) -> Option<Change> {
        let (guild, user) = (demo_ids::REST, demo_ids::ROBIN);
        let member = self.world.guild(guild)?.members.find(user)?;
        let mut roles: Vec<RoleId> = member.roles.to_vec();
        match roles.iter().position(|&role| role == demo_ids::ROLE_HELPER) {
            Some(index) => {
                roles.remove(index);
            }
            None => roles.push(demo_ids::ROLE_HELPER),
        }
        let edit = MemberEdit {
            roles: Some(roles.into()),
            ..MemberEdit::default()
        };
        Some(Change::EditMember { guild, user, edit })
    }

    fn passers_by(&self, guild: GuildId) -> Vec<UserId> {
        let last = UserId(FIRST_PASSER_BY + 100_000 * (1 << 22));
        let Some(guild) = self.world.guild(guild) else {
            return Vec::new();
        };
        let present = guild.members.after(UserId(FIRST_PASSER_BY - 1));
        present
            .map(|member| member.user)
            .take_while(|&user| user < last)
            .collect()
    }
}

/// Bursts that are remembered.
const BURSTS_MAX: usize = 64;
/// Emissions that a burst remembers.
const EMISSIONS_MAX: usize = 10_000;
/// Passers-by in one guild at a time.
const PASSERS_BY_MAX: usize = 60;
/// Ids of those who come and go; nobody documented has one.
const FIRST_PASSER_BY: u64 = 1_060_000_000_000_000_000;
