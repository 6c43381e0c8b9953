//! A naive Discord: it knows everything, and reckons everything anew whenever asked.

use std::collections::{BTreeMap, BTreeSet};

use guildgate_model::{
    GuildData, GuildId, MemberData, Permissions, Role, RoleId, UnixMs, UpstreamEvent, UserId,
};

/// Guilds as they truly are.
#[derive(Debug)]
pub(super) struct Discord {
    pub(super) guilds: BTreeMap<GuildId, Truth>,
    next_stranger: u64,
}

/// One guild as it truly is.
#[derive(Debug)]
pub(super) struct Truth {
    id: GuildId,
    pub(super) name: String,
    pub(super) owner: UserId,
    roles: BTreeMap<RoleId, Permissions>,
    members: BTreeMap<UserId, TrueMember>,
    pub(super) state: State,
}

/// Whether the bot hears of a guild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Available,
    Outage,
    /// The bot is not in it.
    Left,
}

#[derive(Debug, Clone)]
struct TrueMember {
    roles: BTreeSet<RoleId>,
    timed_out_until: Option<UnixMs>,
    joined_at: UnixMs,
}

/// A change in Discord.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Role(u64, u64),
    RemoveRole(u64),
    Owner(UserId),
    Join(UserId),
    Leave(UserId),
    RepeatedAdd(UserId),
    StrangerJoins,
    StrangerLeaves,
    ToggleRole(UserId, u64),
    TimeOut(UserId, u16),
    Rename(u8),
}

impl Discord {
    pub(super) fn new(ids: &[GuildId]) -> Discord {
        let truth = |&id: &GuildId| {
            let truth = Truth {
                id,
                name: "Model".into(),
                owner: UserId(1),
                roles: BTreeMap::from([(id.everyone(), Permissions::VIEW_CHANNEL)]),
                members: BTreeMap::new(),
                state: State::Available,
            };
            (id, truth)
        };
        Discord {
            guilds: ids.iter().map(truth).collect(),
            next_stranger: 1_000,
        }
    }

    /// Makes `change` true; the event that says so, if one does.
    pub(super) fn change(
        &mut self,
        guild: GuildId,
        change: Change,
        wall: UnixMs,
    ) -> Option<UpstreamEvent> {
        let stranger = UserId(self.next_stranger);
        let truth = self.guilds.get_mut(&guild).expect("one of the model's");
        let event = match change {
            Change::Role(role, bits) => truth.role(role, bits),
            Change::RemoveRole(role) => truth.remove_role(role)?,
            Change::Owner(user) => {
                truth.owner = user;
                truth.update(|data| data.owner = Some(user))
            }
            Change::Rename(name) => {
                truth.name = format!("Model {name}");
                let name = truth.name.as_str().into();
                truth.update(|data| data.name = Some(name))
            }
            Change::Join(user) => truth.join(user, wall)?,
            Change::StrangerJoins => {
                self.next_stranger += 1;
                truth.join(stranger, wall)?
            }
            Change::RepeatedAdd(user) => truth.added(user)?,
            Change::Leave(user) => truth.leave(user)?,
            Change::StrangerLeaves => {
                let mut strangers = truth.members.keys().copied();
                let last = strangers.rfind(|user| user.0 >= 1_000)?;
                truth.leave(last)?
            }
            Change::ToggleRole(user, role) => {
                let roles = &mut truth.members.get_mut(&user)?.roles;
                if !roles.remove(&RoleId(role)) {
                    roles.insert(RoleId(role));
                }
                truth.changed(user)?
            }
            Change::TimeOut(user, ms) => {
                let until = UnixMs(wall.0 + i64::from(ms));
                truth.members.get_mut(&user)?.timed_out_until = Some(until);
                truth.changed(user)?
            }
        };
        (truth.state == State::Available).then_some(event)
    }
}

impl Truth {
    /// What `user` may do: written out once more, on purpose.
    pub(super) fn permissions(&self, user: UserId, wall: UnixMs) -> u64 {
        const ALL: u64 = 0x001F_7FFF_FFFF_FFFF;
        let Some(member) = self.members.get(&user) else {
            return 0;
        };
        if self.owner == user {
            return ALL;
        }
        let mut bits = 0;
        for (role, permissions) in &self.roles {
            if role.0 == self.id.0 || member.roles.contains(role) {
                bits |= permissions.0;
            }
        }
        if bits & 8 != 0 {
            return ALL;
        }
        match member.timed_out_until {
            Some(until) if until > wall => bits & (1 << 10 | 1 << 16),
            _ => bits,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.members.len() as u64
    }

    /// GUILD_CREATE.
    pub(super) fn create(&self) -> UpstreamEvent {
        let mut data = GuildData::new(self.id);
        data.name = Some(self.name.as_str().into());
        data.owner = Some(self.owner);
        data.member_count = Some(self.count());
        let roles = self.roles.iter();
        data.roles = Some(
            roles
                .map(|(&id, &permissions)| Role {
                    id,
                    permissions,
                    position: 0,
                })
                .collect(),
        );
        UpstreamEvent::GuildAvailable(Box::new(data))
    }

    /// The answer to a request for members.
    pub(super) fn answer(&self, users: Vec<UserId>) -> UpstreamEvent {
        let (found, not_found): (Vec<_>, Vec<_>) = users
            .into_iter()
            .partition(|user| self.members.contains_key(user));
        UpstreamEvent::Members {
            guild: self.id,
            members: found
                .into_iter()
                .filter_map(|user| self.said(user))
                .collect(),
            not_found,
        }
    }

    fn role(&mut self, role: u64, bits: u64) -> UpstreamEvent {
        // The first is @everyone.
        let id = RoleId(if role == 0 { self.id.0 } else { role });
        let permissions = Permissions(bits);
        self.roles.insert(id, permissions);
        UpstreamEvent::RoleChanged {
            guild: self.id,
            role: Role {
                id,
                permissions,
                position: 0,
            },
        }
    }

    fn remove_role(&mut self, role: u64) -> Option<UpstreamEvent> {
        self.roles.remove(&RoleId(role))?;
        for member in self.members.values_mut() {
            member.roles.remove(&RoleId(role));
        }
        Some(UpstreamEvent::RoleRemoved {
            guild: self.id,
            role: RoleId(role),
        })
    }

    fn join(&mut self, user: UserId, wall: UnixMs) -> Option<UpstreamEvent> {
        if self.members.contains_key(&user) {
            return None;
        }
        let member = TrueMember {
            roles: BTreeSet::new(),
            timed_out_until: None,
            joined_at: wall,
        };
        self.members.insert(user, member);
        self.added(user)
    }

    fn added(&self, user: UserId) -> Option<UpstreamEvent> {
        let guild = self.id;
        let member = self.said(user)?;
        Some(UpstreamEvent::MemberJoined { guild, member })
    }

    fn changed(&self, user: UserId) -> Option<UpstreamEvent> {
        let guild = self.id;
        let member = self.said(user)?;
        Some(UpstreamEvent::MemberChanged { guild, member })
    }

    fn leave(&mut self, user: UserId) -> Option<UpstreamEvent> {
        self.members.remove(&user)?;
        let guild = self.id;
        Some(UpstreamEvent::MemberLeft { guild, user })
    }

    fn update(&self, change: impl FnOnce(&mut GuildData)) -> UpstreamEvent {
        let mut data = GuildData::new(self.id);
        change(&mut data);
        UpstreamEvent::GuildChanged(Box::new(data))
    }

    fn said(&self, user: UserId) -> Option<MemberData> {
        let member = self.members.get(&user)?;
        Some(MemberData {
            user,
            tag: Some(format!("user{user}").into()),
            roles: Some(member.roles.iter().copied().collect()),
            timed_out_until: Some(member.timed_out_until),
            joined_at: Some(member.joined_at),
        })
    }
}
