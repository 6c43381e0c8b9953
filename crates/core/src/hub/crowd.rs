//! Who is on a guild: connections by edge shard, and the members of connected users.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use guildgate_model::{
    Grants, GuildId, Member, Mono, Permissions, PermissionsOf, Role, RoleId, UnixMs, UserId,
    Wanted, WantedMark, WantedUsers,
};
use guildgate_wire::UserView;
use serde_json::value::RawValue;

use super::{
    lookups::Lookups,
    ports::{Query, Rights, SessionCommand},
    turn::Phase,
};
use crate::{ClientId, form_session::Standing};

/// Everything that a guild costs only while somebody is on it.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// Connections on the guild, by edge shard.
    edges: Vec<u32>,
    /// How many of them are basic.
    basic: u32,
    watchers: BTreeMap<UserId, Watcher>,
    /// Which watchers hold a role, so that a role's change costs what its holders cost. Roles
    /// that the guild does not know are in it too, for they may yet be made.
    holders: BTreeSet<(RoleId, UserId)>,
    /// Who waits until it is known what a user is to the guild, and until when.
    waiting: BTreeMap<UserId, Vec<(Mono, Waiter)>>,
    /// Whom an earlier process left, and what they had been told there. They stay until their
    /// sessions have had time to be here again.
    retained: BTreeMap<UserId, Permissions>,
    pub(super) lookups: Lookups,
    pub(super) told: Told,
}

/// What those on the guild have been told, and when.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The encoded guild, until it changes.
    pub(super) guild_json: Option<Arc<RawValue>>,
    /// The count that everybody believes; none if not all believe the same.
    pub(super) count: Option<u64>,
    /// When the last GUILD_MEMBER_COUNT_CHANGE went out.
    pub(super) count_at: Option<Mono>,
    /// When the first count that is held back came up.
    pub(super) count_held_since: Option<Mono>,
    /// When the first snapshot that is held back came up.
    pub(super) snapshot_held_since: Option<Mono>,
    /// When the last GUILD_UPDATE went out.
    pub(super) snapshot_at: Option<Mono>,
}

/// A user who is on the guild, or is about to be.
#[derive(Debug)]
pub(super) struct Watcher {
    /// Their connections on the guild; empty while all still wait.
    pub(super) clients: Vec<ClientId>,
    pub(super) membership: Membership,
    pub(super) trust: Trust,
    /// The permissions that they were last told: none for somebody who is no member.
    pub(super) told: Permissions,
    /// How many clients take part in an application session as this user, on the guild or not.
    pub(super) editors: u32,
    /// Keeps events about the user coming, from before Discord is asked for them.
    wanted: Wanted,
}

/// Who waits until it is known what a user is to the guild.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A CONNECT_GUILD.
    Connect(ClientId),
    /// A command to an application session.
    Command(Box<SessionCommand>),
    /// Somebody asked.
    Query(Query),
}

impl Waiter {
    /// The client whose open command this is.
    fn client(&self) -> Option<ClientId> {
        match self {
            Waiter::Connect(client) => Some(*client),
            Waiter::Command(command) => Some(command.client),
            Waiter::Query(_) => None,
        }
    }
}

/// What a user is to the guild.
#[derive(Debug)]
pub(super) enum Membership {
    /// Discord has not said yet.
    Unknown,
    /// No member.
    Absent,
    /// A member.
    Present(Member),
}

/// Whether a membership can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Every event since Discord said it has come in.
    Verified,
    /// It was when an earlier process ended, and what was missed since is yet to be replayed.
    Inherited,
    /// Events may have been missed since.
    Unverified,
}

/// What permissions in a guild follow from, besides the member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) guild: GuildId,
    pub(super) owner: UserId,
    pub(super) roles: &'a [Role],
}

impl Rules<'_> {
    /// What `member` may do at `wall`.
    pub(super) fn permissions_of(self, member: &Member, wall: UnixMs) -> Permissions {
        self.of(member).at(wall)
    }

    fn of<'a>(&'a self, member: &'a Member) -> PermissionsOf<'a> {
        PermissionsOf {
            guild: self.guild,
            owner: self.owner,
            roles: self.roles,
            user: member.user,
            held: &member.roles,
            timed_out_until: member.timed_out_until,
        }
    }
}

impl Watcher {
    /// Works out what the user may do at `wall`, and notes it as told. The new set, if it is
    /// another one.
    ///
    /// While their membership is not verified nothing is gained: roles may have been taken, and
    /// nobody has said so yet.
    pub(super) fn recompute(&mut self, rules: Rules<'_>, wall: UnixMs) -> Option<Permissions> {
        let computed = match &self.membership {
            Membership::Unknown | Membership::Absent => Permissions::NONE,
            Membership::Present(member) => rules.permissions_of(member, wall),
        };
        let permissions = match self.trust {
            Trust::Verified => computed,
            Trust::Inherited | Trust::Unverified => computed & self.told,
        };
        let changed = permissions != self.told;
        self.told = permissions;
        changed.then_some(permissions)
    }

    /// The user as an answer or a snapshot shows them; none for somebody who is no member.
    pub(super) fn view(&self) -> Option<UserView> {
        match &self.membership {
            Membership::Unknown | Membership::Absent => None,
            Membership::Present(member) => Some(UserView {
                id: member.user,
                tag: member.tag.clone(),
                permissions: self.told,
            }),
        }
    }

    /// How the user stands, if that is known. While their membership is not verified they may
    /// give no role.
    pub(super) fn rights(&self, rules: Rules<'_>) -> Option<Rights> {
        match &self.membership {
            Membership::Unknown => None,
            Membership::Absent => Some(Rights {
                tag: Box::default(),
                standing: Standing::Outsider,
                grants: Grants::none(),
            }),
            Membership::Present(member) => Some(Rights {
                tag: member.tag.clone(),
                standing: Standing::Member(self.told),
                grants: match self.trust {
                    Trust::Verified => rules.of(member).grants(self.told),
                    Trust::Inherited | Trust::Unverified => Grants::none(),
                },
            }),
        }
    }

    /// What another process may go on with; none unless they are a member for sure.
    pub(super) fn inheritable(&self) -> Option<&Member> {
        match (&self.membership, self.trust) {
            (Membership::Present(member), Trust::Verified | Trust::Inherited) => Some(member),
            (Membership::Present(_), Trust::Unverified)
            | (Membership::Unknown | Membership::Absent, _) => None,
        }
    }

    /// The end of a time-out that runs at `wall`.
    pub(super) fn timed_out_until(&self, wall: UnixMs) -> Option<UnixMs> {
        match &self.membership {
            Membership::Unknown | Membership::Absent => None,
            Membership::Present(member) => member.timed_out_until.filter(|&until| until > wall),
        }
    }
}

impl Crowd {
    /// How many connections are on the guild.
    pub(super) fn connections(&self) -> u32 {
        self.edges.iter().sum()
    }

    /// How many of them are basic.
    pub(super) fn basic(&self) -> u32 {
        self.basic
    }

    /// How many users are connected.
    pub(super) fn users(&self) -> usize {
        let connected = |watcher: &&Watcher| !watcher.clients.is_empty();
        self.watchers.values().filter(connected).count()
    }

    /// Which edge shards have anybody on the guild: bit n is shard n. Shards from 63 on share
    /// the last bit.
    pub(super) fn edge_mask(&self) -> u64 {
        let occupied = self
            .edges
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0);
        occupied.fold(0, |mask, (edge, _)| mask | 1 << edge.min(63))
    }

    /// Whether nobody is there, and nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.connections() == 0 && self.watchers.is_empty()
    }

    /// Counts a connection in.
    pub(super) fn enter(&mut self, client: ClientId, user: Option<UserId>) {
        let edge = usize::from(client.edge);
        if self.edges.len() <= edge {
            self.edges.resize(edge + 1, 0);
        }
        self.edges[edge] += 1;
        match user.and_then(|user| self.watchers.get_mut(&user)) {
            Some(watcher) => watcher.clients.push(client),
            None => self.basic += 1,
        }
    }

    /// Counts a connection out.
    pub(super) fn leave(&mut self, client: ClientId, user: Option<UserId>) {
        self.edges[usize::from(client.edge)] -= 1;
        match user.and_then(|user| self.watchers.get_mut(&user)) {
            Some(watcher) => watcher.clients.retain(|&other| other != client),
            None => self.basic -= 1,
        }
    }

    /// The user, if they are here or about to be.
    pub(super) fn watcher(&self, user: UserId) -> Option<&Watcher> {
        self.watchers.get(&user)
    }

    /// The user, if they are here or about to be.
    pub(super) fn watcher_mut(&mut self, user: UserId) -> Option<&mut Watcher> {
        self.watchers.get_mut(&user)
    }

    /// Makes room for a user of whom nothing is known.
    pub(super) fn expect(&mut self, user: UserId, wanted: &Arc<WantedUsers>) {
        self.watchers.entry(user).or_insert_with(|| Watcher {
            clients: Vec::new(),
            membership: Membership::Unknown,
            trust: Trust::Verified,
            told: Permissions::NONE,
            editors: 0,
            wanted: wanted.want(user),
        });
    }

    /// A user whom an earlier process left, and what they had been told there; one who is here
    /// already stays as they are.
    pub(super) fn inherit(&mut self, member: Member, told: Permissions, wanted: &Arc<WantedUsers>) {
        let user = member.user;
        if self.watchers.contains_key(&user) {
            return;
        }
        self.expect(user, wanted);
        self.put_membership(user, Membership::Present(member));
        if let Some(watcher) = self.watchers.get_mut(&user) {
            watcher.trust = Trust::Inherited;
            watcher.told = told;
        }
        self.retained.insert(user, told);
    }

    /// What an earlier process had told `user`, if it left them.
    pub(super) fn told_before(&self, user: UserId) -> Option<Permissions> {
        self.retained.get(&user).copied()
    }

    /// Nobody is kept any longer for having been left by an earlier process; who was.
    pub(super) fn release(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.retained).into_keys().collect()
    }

    /// All that was missed since an earlier process has been replayed: what it left is `trust`
    /// now. Of whom.
    pub(super) fn settle_inherited(&mut self, trust: Trust) -> Vec<UserId> {
        let inherited = self.watchers.iter_mut();
        let inherited = inherited.filter(|(_, watcher)| watcher.trust == Trust::Inherited);
        inherited
            .map(|(&user, watcher)| {
                watcher.trust = trust;
                user
            })
            .collect()
    }

    /// Those whom another process may go on with.
    pub(super) fn inheritable(&self) -> impl Iterator<Item = (&Member, Permissions)> {
        let watchers = self.watchers.values();
        watchers.filter_map(|watcher| Some((watcher.inheritable()?, watcher.told)))
    }

    /// Whether an event about `user` is anybody's concern and can be believed. One from before
    /// they were wanted cannot: what followed it may have been dropped, and Discord is being asked.
    pub(super) fn believes(&self, user: UserId, mark: WantedMark) -> bool {
        let watcher = self.watchers.get(&user);
        watcher.is_some_and(|watcher| mark >= watcher.wanted.since())
    }

    /// Notes what `user` is to the guild; whether that had been verified before. None if the
    /// user is nobody's concern.
    pub(super) fn put_membership(&mut self, user: UserId, membership: Membership) -> Option<Trust> {
        let watcher = self.watchers.get_mut(&user)?;
        for role in held(&watcher.membership) {
            self.holders.remove(&(*role, user));
        }
        watcher.membership = membership;
        for role in held(&watcher.membership) {
            self.holders.insert((*role, user));
        }
        Some(std::mem::replace(&mut watcher.trust, Trust::Verified))
    }

    /// Forgets a user who is neither here nor waiting, nor kept for another reason; whether there
    /// was one.
    pub(super) fn forget_idle(&mut self, user: UserId, phase: Phase) -> bool {
        let is_idle = |watcher: &Watcher| {
            let left_to_the_next = phase == Phase::Draining && watcher.inheritable().is_some();
            watcher.clients.is_empty() && watcher.editors == 0 && !left_to_the_next
        };
        let idle = self.watchers.get(&user).is_some_and(is_idle)
            && !self.waiting.contains_key(&user)
            && !self.retained.contains_key(&user);
        if idle {
            self.put_membership(user, Membership::Absent);
            self.watchers.remove(&user);
            self.lookups.done(user);
        }
        idle
    }

    /// Somebody begins to wait until it is known what `user` is, but no longer than until `until`.
    pub(super) fn wait(&mut self, waiter: Waiter, user: UserId, until: Mono) {
        self.waiting.entry(user).or_default().push((until, waiter));
    }

    /// When the first of those who wait for `user` has waited long enough.
    pub(super) fn patience_ends(&self, user: UserId) -> Option<Mono> {
        let waiters = self.waiting.get(&user)?.iter();
        waiters.map(|&(until, _)| until).min()
    }

    /// Those who have waited for `user` for long enough at `now`, taken out.
    pub(super) fn take_impatient(&mut self, user: UserId, now: Mono) -> Vec<Waiter> {
        let waiters = self.take_waiting_until(user);
        let (over, on): (Vec<_>, Vec<_>) =
            waiters.into_iter().partition(|&(until, _)| until <= now);
        if !on.is_empty() {
            self.waiting.insert(user, on);
        }
        over.into_iter().map(|(_, waiter)| waiter).collect()
    }

    /// A client gives up waiting.
    pub(super) fn stop_waiting(&mut self, client: ClientId, user: UserId) {
        if let Some(waiters) = self.waiting.get_mut(&user) {
            waiters.retain(|(_, waiter)| waiter.client() != Some(client));
            if waiters.is_empty() {
                self.waiting.remove(&user);
            }
        }
    }

    /// Whoever waits until it is known what `user` is, taken out.
    pub(super) fn take_waiting(&mut self, user: UserId) -> Vec<Waiter> {
        let waiters = self.take_waiting_until(user).into_iter();
        waiters.map(|(_, waiter)| waiter).collect()
    }

    fn take_waiting_until(&mut self, user: UserId) -> Vec<(Mono, Waiter)> {
        self.waiting.remove(&user).unwrap_or_default()
    }

    /// The connections of those who manage the guild.
    pub(super) fn managers(&self) -> Vec<ClientId> {
        let managers = self
            .watchers
            .values()
            .filter(|user| user.told.manages_guild());
        managers.flat_map(|user| &user.clients).copied().collect()
    }

    /// The users whose member somebody waits for.
    pub(super) fn waited_for(&self) -> Vec<UserId> {
        self.waiting.keys().copied().collect()
    }

    /// Everybody who is here or about to be.
    pub(super) fn user_ids(&self) -> Vec<UserId> {
        self.watchers.keys().copied().collect()
    }

    /// Who holds `role`.
    pub(super) fn holders(&self, role: RoleId) -> Vec<UserId> {
        let range = (
            Bound::Included((role, UserId(0))),
            Bound::Included((role, UserId(u64::MAX))),
        );
        self.holders.range(range).map(|&(_, user)| user).collect()
    }

    /// Takes `role` from those who hold it; who they were.
    pub(super) fn strip(&mut self, role: RoleId) -> Vec<UserId> {
        let holders = self.holders(role);
        for &user in &holders {
            self.holders.remove(&(role, user));
            if let Some(watcher) = self.watchers.get_mut(&user)
                && let Membership::Present(member) = &mut watcher.membership
            {
                let kept = member.roles.iter().copied().filter(|&held| held != role);
                member.roles = kept.collect();
            }
        }
        holders
    }

    /// Events about one user may have been missed.
    pub(super) fn distrust_one(&mut self, user: UserId) {
        if let Some(watcher) = self.watchers.get_mut(&user) {
            watcher.trust = Trust::Unverified;
        }
    }

    /// Events may have been missed: no membership can be relied on.
    pub(super) fn distrust(&mut self) {
        for watcher in self.watchers.values_mut() {
            watcher.trust = Trust::Unverified;
        }
    }
}

fn held(membership: &Membership) -> &[RoleId] {
    match membership {
        Membership::Unknown | Membership::Absent => &[],
        Membership::Present(member) => &member.roles,
    }
}
