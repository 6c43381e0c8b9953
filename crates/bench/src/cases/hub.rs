//! The hub: who has which permissions after an event.

use std::time::Duration;

use guildgate_bench::measure;
use guildgate_core::{
    ClientId,
    hub::{Config, Hub, Input, Output},
};
use guildgate_model::{
    GuildData, GuildId, MemberData, Now, Permissions, Role, RoleId, ShardId, UpstreamEvent, UserId,
    WantedMark,
};

const SHARD: ShardId = ShardId { id: 0, count: 1 };
const GUILD: GuildId = GuildId(1);
const HELD: RoleId = RoleId(100);
const HOLDERS: usize = 1_000;

/// A role that a thousand connected members hold is edited: each hears of their own
/// permissions.
pub fn role_changes() {
    let change = UpstreamEvent::RoleChanged {
        guild: GUILD,
        role: role(HELD, 1 << 40),
    };
    assert_eq!(told(change), HOLDERS, "each holder is told");
}

/// One member loses a role.
pub fn member_changes() {
    let roles: Vec<RoleId> = (1..10).map(|n| RoleId(100 + n)).collect();
    let change = UpstreamEvent::MemberChanged {
        guild: GUILD,
        member: member(10_500, &roles),
    };
    assert_eq!(told(change), 1, "the member is told");
}

/// Somebody joins whom no client is.
pub fn stranger_joins() {
    let change = UpstreamEvent::MemberJoined {
        guild: GUILD,
        member: member(77, &[]),
    };
    assert_eq!(told(change), 0, "it concerns nobody in person");
}

/// How many clients are told in person of an event.
fn told(event: UpstreamEvent) -> usize {
    let (hub, out) = crowd();
    let given = (hub, out, upstream(event));
    let (_, out) = measure(given, |(mut hub, mut out, event)| {
        hub.handle(
            Now::default().after(Duration::from_secs(1)),
            event,
            &mut out,
        );
        (hub, out)
    });
    out.iter()
        .filter(|output| matches!(output, Output::ToClient { .. }))
        .count()
}

fn upstream(event: UpstreamEvent) -> Input {
    Input::Upstream {
        shard: SHARD,
        event,
        mark: WantedMark::ALL,
    }
}

fn role(id: RoleId, permissions: u64) -> Role {
    Role {
        id,
        permissions: Permissions(permissions),
        position: 0,
    }
}

fn member(user: u64, roles: &[RoleId]) -> MemberData {
    MemberData {
        user: UserId(user),
        tag: Some("somebody".into()),
        roles: Some(roles.into()),
        timed_out_until: Some(None),
        joined_at: None,
    }
}

/// A guild with 30 roles, none of an administrator, and a thousand connected members, each with ten of them, among them
/// [`HELD`].
fn crowd() -> (Hub, Vec<Output>) {
    let now = Now::default();
    let mut hub = Hub::new(Config::default());
    let mut out = Vec::new();
    let started = UpstreamEvent::SessionStarted {
        bot: UserId(1),
        guilds: vec![GUILD],
    };
    hub.handle(now, upstream(started), &mut out);
    let mut guild = GuildData::new(GUILD);
    guild.owner = Some(UserId(1));
    guild.member_count = Some(5_000);
    let mut roles = vec![role(RoleId(GUILD.0), 1 << 9)];
    roles.extend((0..29).map(|n| role(RoleId(100 + n), 1 << (10 + n))));
    guild.roles = Some(roles);
    let available = UpstreamEvent::GuildAvailable(Box::new(guild));
    hub.handle(now, upstream(available), &mut out);
    let users: Vec<u64> = (0..HOLDERS as u64).map(|n| 10_000 + n).collect();
    for (slot, &user) in users.iter().enumerate() {
        let connect = Input::Connect {
            client: ClientId {
                slot: u32::try_from(slot).expect("few"),
                generation: 0,
                edge: 0,
            },
            guild: GUILD,
            user: Some(UserId(user)),
        };
        hub.handle(now, connect, &mut out);
    }
    // Their members are asked for in several requests, a window apart.
    let held: Vec<RoleId> = (0..10).map(|n| RoleId(100 + n)).collect();
    for round in 1..=100 {
        let now = now.after(Duration::from_millis(50) * round);
        hub.handle(now, Input::Deadline, &mut out);
        for output in std::mem::take(&mut out) {
            if let Output::RequestMembers { users, .. } = output {
                let members = UpstreamEvent::Members {
                    guild: GUILD,
                    members: users.iter().map(|user| member(user.0, &held)).collect(),
                    not_found: Vec::new(),
                };
                hub.handle(now, upstream(members), &mut out);
            }
        }
    }
    hub.handle(then(), Input::Deadline, &mut out);
    out.clear();
    (hub, out)
}

/// When the crowd is there and nothing is due.
fn then() -> Now {
    Now::default().after(Duration::from_secs(8))
}
