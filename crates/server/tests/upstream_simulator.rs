//! Discord's side against the simulator: what is lost, and what comes back.

use std::{sync::Arc, time::Duration};

use guildgate_discord::{Compression, ShardSession};
use guildgate_model::{GuildId, Secret, UpstreamEvent, UserId, WantedUsers};
use guildgate_server::{
    clock::Clock,
    upstream::{Arrivals, MemoryBudget, Upstream, UpstreamConfig, UpstreamParts, arrivals},
};
use guildgate_simulator::{
    Change, Corruption, DEFAULT_TOKEN, Fault, Join, MemberEdit, Simulator, SimulatorConfig, Target,
    World, demo_ids,
};

const JOINS: u64 = 20;
const GUILD: GuildId = demo_ids::REST;

async fn simulator() -> Simulator {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let mut config = SimulatorConfig::new(listen, World::demo());
    config.settings.identify_interval = Duration::ZERO;
    Simulator::start(config).await.expect("a free port")
}

struct Side {
    upstream: Upstream,
    arrived: Arrivals,
}

impl Side {
    fn start(simulator: &Simulator, compression: Compression, sessions: Vec<ShardSession>) -> Side {
        let mut config = UpstreamConfig::new(simulator.api_url(), Secret::new(DEFAULT_TOKEN));
        config.compression = compression;
        Side::with(config, sessions)
    }

    fn with(config: UpstreamConfig, sessions: Vec<ShardSession>) -> Side {
        let (events, arrived) = arrivals(256);
        let upstream = Upstream::start(UpstreamParts {
            config,
            clock: Clock::start(),
            budget: Arc::new(MemoryBudget),
            sessions,
            events,
        })
        .expect("a usable configuration");
        Side { upstream, arrived }
    }

    /// Events up to the first that is `wanted`, which is the last.
    async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&UpstreamEvent) -> bool,
    ) -> Vec<UpstreamEvent> {
        let mut seen = Vec::new();
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            while let Some(arrived) = self.arrived.recv().await {
                let last = wanted(&arrived.event);
                seen.push(arrived.event);
                if last {
                    return;
                }
            }
        });
        assert!(waited.await.is_ok(), "{what} did not come; {seen:?}");
        seen
    }

    async fn guilds(&mut self) {
        for _ in 0..3 {
            self.until("a guild", |event| {
                matches!(event, UpstreamEvent::GuildAvailable(_))
            })
            .await;
        }
    }
}

fn join(simulator: &Simulator, first: u64) {
    for user in first..first + JOINS {
        let join = Join::new(GUILD, UserId(user));
        simulator
            .handle()
            .change(Change::Join(join))
            .expect("a new member");
    }
}

fn joined(events: &[UpstreamEvent]) -> Vec<u64> {
    let user = |event: &UpstreamEvent| match event {
        UpstreamEvent::MemberJoined { member, .. } => Some(member.user.0),
        _ => None,
    };
    events.iter().filter_map(user).collect()
}

async fn survives(compression: Compression, fault: Fault) {
    let simulator = simulator().await;
    let mut side = Side::start(&simulator, compression, Vec::new());
    side.guilds().await;
    assert_eq!(simulator.handle().fault(&Target::All, &fault), 1);
    join(&simulator, 1000);
    let mut events = side
        .until("the session", |event| {
            *event == UpstreamEvent::SessionResumed
        })
        .await;
    join(&simulator, 1000 + JOINS);
    let last = UserId(1000 + 2 * JOINS - 1);
    let rest = side
        .until("the last join", |event| {
            matches!(event, UpstreamEvent::MemberJoined { member, .. } if member.user == last)
        })
        .await;
    events.extend(rest);
    let expected: Vec<u64> = (1000..1000 + 2 * JOINS).collect();
    assert_eq!(joined(&events), expected, "{compression:?} {fault:?}");
    assert!(events.contains(&UpstreamEvent::LinkLost));
    side.upstream.shutdown().await;
    simulator.stop().await;
}

const COMPRESSIONS: [Compression; 4] = [
    Compression::ZstdStream,
    Compression::ZlibStream,
    Compression::Payload,
    Compression::None,
];

#[tokio::test]
async fn nothing_is_lost_whatever_ends_the_connection() {
    let faults = [
        Fault::Reconnect {
            close_after: Some(Duration::ZERO),
        },
        Fault::Drop,
        Fault::Close { code: 4000 },
        Fault::InvalidSession { resumable: true },
        Fault::Corrupt(Corruption::Json),
        Fault::Corrupt(Corruption::Compression),
        Fault::Corrupt(Corruption::Frame),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        survives(COMPRESSIONS[index % COMPRESSIONS.len()], fault).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_under_any_compression() {
    for compression in COMPRESSIONS {
        survives(compression, Fault::Drop).await;
    }
}

#[tokio::test]
async fn a_session_that_is_gone_is_begun_anew() {
    let simulator = simulator().await;
    let mut side = Side::start(&simulator, Compression::ZstdStream, Vec::new());
    side.guilds().await;
    simulator
        .handle()
        .fault(&Target::All, &Fault::InvalidSession { resumable: false });
    side.until(
        "a new session",
        |event| matches!(event, UpstreamEvent::SessionStarted { guilds, .. } if guilds.len() == 3),
    )
    .await;
    side.guilds().await;
    side.upstream.shutdown().await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_restart_inside_the_window_misses_nothing() {
    let simulator = simulator().await;
    let mut side = Side::start(&simulator, Compression::ZstdStream, Vec::new());
    side.guilds().await;
    let sessions = side.upstream.suspend().await;
    assert_eq!(sessions.len(), 1);
    join(&simulator, 1000);
    let mut side = Side::start(&simulator, Compression::ZstdStream, sessions);
    let events = side
        .until("the session", |event| {
            *event == UpstreamEvent::SessionResumed
        })
        .await;
    assert_eq!(joined(&events), (1000..1000 + JOINS).collect::<Vec<_>>());
    side.upstream.shutdown().await;
    simulator.stop().await;
}

#[tokio::test]
async fn members_invites_counts_and_roles_are_asked_for() {
    let simulator = simulator().await;
    let mut side = Side::start(&simulator, Compression::ZlibStream, Vec::new());
    side.guilds().await;
    let users = vec![demo_ids::MIA, UserId(5)];
    side.upstream
        .handle()
        .want_members(GUILD, users)
        .expect("room");
    let events = side
        .until("members", |event| {
            matches!(event, UpstreamEvent::Members { .. })
        })
        .await;
    let Some(UpstreamEvent::Members {
        members, not_found, ..
    }) = events.last()
    else {
        panic!("members: {events:?}");
    };
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].user, demo_ids::MIA);
    assert_eq!(*not_found, [UserId(5)]);

    let rest = side.upstream.rest();
    let counts = rest.guild_counts(GUILD).await.expect("counts");
    assert!(counts.members.is_some_and(|members| members > 0));
    let invite = rest.invite(demo_ids::INVITE).await.expect("an answer");
    assert_eq!(invite.expect("an invite").guild, Some(GUILD));
    assert_eq!(rest.invite("nosuch").await.expect("an answer"), None);
    let application = rest.application().await.expect("an application");
    assert_eq!(application.id, Some(demo_ids::BOT));
    let mia = rest.member(GUILD, demo_ids::MIA).await.expect("an answer");
    let role = mia.and_then(|member| member.roles).expect("her roles")[0];
    rest.remove_role(GUILD, demo_ids::MIA, role, "a test")
        .await
        .expect("taken");
    let events = side
        .until("her update", |event| {
            matches!(event, UpstreamEvent::MemberChanged { .. })
        })
        .await;
    let Some(UpstreamEvent::MemberChanged { member, .. }) = events.last() else {
        panic!("an update: {events:?}");
    };
    assert_eq!(member.user, demo_ids::MIA);
    side.upstream.shutdown().await;
    simulator.stop().await;
}

#[tokio::test]
async fn changes_of_members_whom_nobody_wants_are_dropped_and_events_are_marked() {
    let simulator = simulator().await;
    let wanted = Arc::<WantedUsers>::default();
    let mut config = UpstreamConfig::new(simulator.api_url(), Secret::new(DEFAULT_TOKEN));
    config.wanted = Some(Arc::clone(&wanted));
    let mut side = Side::with(config, Vec::new());
    side.guilds().await;
    join(&simulator, 1000);
    let last = UserId(1000 + JOINS - 1);
    let events = side
        .until("the last join", |event| {
            matches!(event, UpstreamEvent::MemberJoined { member, .. } if member.user == last)
        })
        .await;
    assert_eq!(joined(&events).len() as u64, JOINS, "joins are for all");
    let mia = wanted.want(demo_ids::MIA);
    for user in [last, demo_ids::MIA] {
        let edit = MemberEdit {
            nick: Some(Some("otherwise".into())),
            ..MemberEdit::default()
        };
        let change = Change::EditMember {
            guild: GUILD,
            user,
            edit,
        };
        simulator.handle().change(change).expect("a member");
    }
    let arrived = tokio::time::timeout(Duration::from_secs(60), side.arrived.recv()).await;
    let arrived = arrived.expect("in time").expect("an event");
    let UpstreamEvent::MemberChanged { member, .. } = arrived.event else {
        panic!("a change: {:?}", arrived.event);
    };
    assert_eq!(member.user, demo_ids::MIA);
    assert!(arrived.mark >= mia.since());
    side.upstream.shutdown().await;
    simulator.stop().await;
}
