//! The thread between scripted ends.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use guildgate_core::{ClientId, form_session, hub};
use guildgate_model::{
    GuildData, GuildId, MemberData, Permissions, Role, RoleId, ShardId, UnixMs, UpstreamEvent,
    UserId, WantedMark, WantedUsers,
};
use guildgate_wire::{ErrorCode, EventFrame};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    HubGone, HubHandle, HubParts, HubRequest, HubThread, ShardsPort, Snapshot, route::Router, start,
};
use crate::{
    api::{Live, Readiness},
    clock::Clock,
    edge::ToEdge,
    metrics::Metrics,
    patience::soon,
    services::{HubPort, SessionCommand},
    upstream::{Arrived, Departures, arrivals},
};

const GUILD: GuildId = GuildId(1);
const ANN: UserId = UserId(5);
const SHARD: ShardId = ShardId { id: 0, count: 1 };

/// Edge shards that write down what they are sent, and how often they are woken.
struct Script {
    sent: UnboundedSender<(u8, ToEdge)>,
    rings: Arc<AtomicU64>,
}

impl ShardsPort for Script {
    fn push(&self, edge: u8, message: ToEdge) {
        let _ = self.sent.send((edge, message));
    }

    fn ring(&self, _edge: u8) {
        self.rings.fetch_add(1, Ordering::SeqCst);
    }
}

struct Harness {
    hub: HubHandle,
    thread: HubThread,
    discord: Departures,
    requests: UnboundedReceiver<HubRequest>,
    to_edges: UnboundedReceiver<(u8, ToEdge)>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    clock: Clock,
    wanted: Arc<WantedUsers>,
}

impl Harness {
    fn new(snapshots: Vec<Snapshot>) -> Harness {
        let (discord, events) = arrivals(4096);
        let (sent, to_edges) = unbounded_channel();
        let (readiness, metrics) = (Arc::new(Readiness::new()), Arc::new(Metrics::default()));
        let clock = Clock::start();
        let wanted = Arc::<WantedUsers>::default();
        let edges = Script {
            sent,
            rings: Arc::default(),
        };
        let (hub, requests, thread) = start(HubParts {
            config: hub::Config {
                wanted: Arc::clone(&wanted),
                ..hub::Config::default()
            },
            snapshots,
            events,
            edges: Box::new(edges),
            clock,
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(&metrics),
        })
        .expect("a thread");
        Harness {
            hub,
            thread,
            discord,
            requests,
            to_edges,
            readiness,
            metrics,
            clock,
            wanted,
        }
    }

    /// A hub that has [`GUILD`].
    async fn up() -> Harness {
        let harness = Harness::new(vec![]);
        harness
            .say(UpstreamEvent::SessionStarted {
                bot: UserId(1),
                guilds: vec![GUILD],
            })
            .await;
        harness.say(create()).await;
        soon("readiness", harness.readiness.ready()).await;
        harness
    }

    async fn say(&self, event: UpstreamEvent) {
        let at = self.clock.now().mono;
        let shard = SHARD;
        let arrived = Arrived {
            shard,
            at,
            mark: WantedMark::ALL,
            event,
        };
        self.discord.send(arrived).await.expect("the hub's thread");
    }

    fn connect(&self, slot: u32, user: Option<UserId>) {
        self.hub.send(hub::Input::Connect {
            client: client(slot),
            guild: GUILD,
            user,
        });
    }

    async fn next_sent(&mut self) -> (u8, ToEdge) {
        let sent = soon("a message", self.to_edges.recv()).await;
        sent.expect("the hub's thread")
    }

    async fn next_request(&mut self) -> HubRequest {
        let request = soon("a request", self.requests.recv()).await;
        request.expect("the hub's thread")
    }

    /// Answers the next request for members: they all hold role 20.
    async fn answer_members(&mut self) {
        let request = self.next_request().await;
        let HubRequest::Members { guild, users } = request else {
            panic!("{request:?}");
        };
        let members = users.into_iter().map(|user| MemberData {
            user,
            tag: Some("ann".into()),
            roles: Some([RoleId(20)].into()),
            timed_out_until: None,
            joined_at: None,
        });
        self.say(UpstreamEvent::Members {
            guild,
            members: members.collect(),
            not_found: vec![],
        })
        .await;
    }
}

fn client(slot: u32) -> ClientId {
    ClientId {
        slot,
        generation: 0,
        edge: (slot % 2) as u8,
    }
}

fn create() -> UpstreamEvent {
    let mut data = GuildData::new(GUILD);
    data.name = Some("Sample".into());
    data.member_count = Some(10);
    data.roles = Some(vec![Role {
        id: RoleId(20),
        permissions: Permissions::MANAGE_GUILD,
        position: 0,
    }]);
    UpstreamEvent::GuildAvailable(Box::new(data))
}

fn joined(user: u64) -> UpstreamEvent {
    UpstreamEvent::MemberJoined {
        guild: GUILD,
        member: MemberData {
            user: UserId(user),
            tag: None,
            roles: None,
            timed_out_until: None,
            joined_at: None,
        },
    }
}

fn text(output: &hub::Output) -> &str {
    match output {
        hub::Output::ToGuild { event, .. } | hub::Output::ToClient { event, .. } => {
            event.open_text()
        }
        other => panic!("no event: {other:?}"),
    }
}

#[tokio::test]
async fn a_guild_event_reaches_each_shard_that_has_somebody_on_it() {
    let mut harness = Harness::up().await;
    for slot in [0, 1, 2] {
        harness.connect(slot, None);
        let (edge, message) = harness.next_sent().await;
        assert_eq!(edge, (slot % 2) as u8);
        let ToEdge::Hub { output, received } = message else {
            panic!("{message:?}");
        };
        assert!(matches!(output, hub::Output::Connected { .. }));
        assert_eq!(received, None);
    }
    harness.say(joined(9)).await;
    for expected in [0, 1] {
        let (edge, message) = harness.next_sent().await;
        assert_eq!(edge, expected);
        let ToEdge::Hub { output, received } = message else {
            panic!("{message:?}");
        };
        assert!(text(&output).contains("GUILD_MEMBER_COUNT_CHANGE"));
        assert!(received.is_some(), "for the lag histogram");
    }
}

#[tokio::test]
async fn what_is_due_later_comes_by_itself() {
    let mut harness = Harness::up().await;
    harness.connect(0, None);
    harness.next_sent().await;
    for user in 0..20 {
        harness.say(joined(user)).await;
    }
    let mut last = String::new();
    while !last.contains("\"member_count\":30") {
        let (_, message) = harness.next_sent().await;
        let ToEdge::Hub { output, received } = message else {
            panic!("{message:?}");
        };
        last = text(&output).to_owned();
        assert!(received.is_some(), "what was held back is timed too");
    }
    assert!(harness.metrics.held_back.load() > 0);
}

#[test]
fn a_turn_wakes_each_shard_once_and_a_long_one_now_and_then() {
    let (sent, to_edges) = unbounded_channel();
    let rings = Arc::new(AtomicU64::new(0));
    let script = Script {
        sent,
        rings: Arc::clone(&rings),
    };
    let (outside, _requests) = unbounded_channel();
    let mut router = Router::new(Box::new(script), outside);
    let mut turn = |messages: u32| {
        let event = EventFrame::count(GUILD, 1);
        let outputs = (0..messages).map(|slot| hub::Output::ToClient {
            client: client(slot),
            event: Arc::clone(&event),
        });
        router.outputs().extend(outputs);
        router.route(None);
        router.ring();
        rings.swap(0, Ordering::SeqCst)
    };
    assert_eq!(turn(0), 0);
    assert_eq!(turn(1), 1);
    assert_eq!(turn(1_000), 2, "two shards");
    assert_eq!(turn(3_000), 4, "two shards, twice");
    assert_eq!(to_edges.len(), 4_001);
}

#[tokio::test]
async fn rights_are_looked_up_for_whoever_asks() {
    let mut harness = Harness::up().await;
    let hub = harness.hub.clone();
    let asking = tokio::spawn(async move { hub.standing(GUILD, ANN).await });
    harness.answer_members().await;
    let rights = asking.await.expect("a task").expect("an answer");
    let manages = form_session::Standing::Member(Permissions::MANAGE_GUILD);
    assert_eq!(rights.standing, manages);
    assert_eq!(&*rights.tag, "ann");
    let refusal = harness.hub.standing(GuildId(77), ANN).await;
    let refusal = refusal.expect_err("the bot is not there");
    assert_eq!(refusal.code, ErrorCode::UnknownGuild);
}

#[tokio::test]
async fn a_crowd_is_asked_for_all_at_once() {
    let mut harness = Harness::up().await;
    for slot in 0..2_000 {
        harness.connect(slot, Some(UserId(1_000 + u64::from(slot))));
    }
    let mut by_user = 0;
    loop {
        match harness.next_request().await {
            HubRequest::Members { users, .. } => by_user += users.len(),
            HubRequest::Everybody { guild } => {
                assert_eq!(guild, GUILD);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(by_user <= 400, "{by_user} by their ids");
}

#[tokio::test]
async fn a_sessions_question_goes_outside_and_its_answer_to_the_client() {
    let mut harness = Harness::up().await;
    let credentials = form_session::Credentials {
        user_token: guildgate_model::Secret::new("ggu_test"),
        gateway_token: guildgate_model::Secret::new("gggu_test"),
    };
    harness.hub.command_session(SessionCommand {
        client: client(1),
        user: ANN,
        guild: Some(GUILD),
        target: form_session::Target::Form,
        command: form_session::Command::Start {
            credentials,
            nonce: None,
        },
    });
    harness.answer_members().await;
    let request = harness.next_request().await;
    let HubRequest::Session { key, ticket, .. } = request else {
        panic!("{request:?}");
    };
    let verified = Err(form_session::NotVerified::NotGood);
    let reply = form_session::Reply::Verified(verified);
    let reply = form_session::SessionsInput::Reply { key, ticket, reply };
    harness.hub.send_to_sessions(reply);
    let (edge, message) = harness.next_sent().await;
    assert_eq!(edge, 1);
    let ToEdge::Answer(to, guildgate_core::client::Answer::Refused(refusal)) = message else {
        panic!("{message:?}");
    };
    assert_eq!(to, client(1));
    assert_eq!(refusal.code, ErrorCode::InvalidToken);
}

#[tokio::test]
async fn an_export_holds_all_that_was_said_before_and_another_hub_takes_it_in() {
    let harness = Harness::up().await;
    for user in 0..2_000 {
        harness.say(joined(user)).await;
    }
    let chunks = harness.hub.export(SHARD).await.expect("the hub");
    let saved_at = UnixMs(1);
    let unreadable = Snapshot {
        chunks: vec![b"nonsense".to_vec()],
        saved_at,
    };
    let next = Harness::new(vec![unreadable, Snapshot { chunks, saved_at }]);
    let guild = next.hub.guild(GUILD).await.expect("the hub");
    let guild = guild.expect("what was saved");
    assert!(guild.get().contains("\"member_count\":2010"), "{guild}");
    assert!(guild.get().contains("\"stale_since\":1"), "{guild}");
    assert!(next.readiness.check().is_err());
    next.say(UpstreamEvent::SessionResumed).await;
    soon("readiness", next.readiness.ready()).await;
}

#[tokio::test]
async fn whoever_leaves_in_a_drain_is_known_and_wanted_in_the_next_process_from_the_start() {
    let mut harness = Harness::up().await;
    harness.connect(0, Some(ANN));
    harness.answer_members().await;
    harness.next_sent().await;
    harness.hub.drain();
    harness.hub.send(hub::Input::Gone(client(0)));
    let chunks = harness.hub.export(SHARD).await.expect("the hub");
    let saved_at = UnixMs(1);
    let mut next = Harness::new(vec![Snapshot { chunks, saved_at }]);
    assert!(
        next.wanted.contains(ANN),
        "before anything can be dropped that is about her"
    );
    next.connect(0, Some(ANN));
    let (_, message) = next.next_sent().await;
    let ToEdge::Hub { output, .. } = message else {
        panic!("{message:?}");
    };
    let hub::Output::Connected { user, .. } = output else {
        panic!("{output:?}");
    };
    let user = user.expect("a member");
    assert_eq!(user.permissions, Permissions::MANAGE_GUILD);
    assert!(next.requests.try_recv().is_err(), "Discord is not asked");
}

#[tokio::test]
async fn guilds_are_listed_over_more_than_one_page() {
    let harness = Harness::new(vec![]);
    let ids: Vec<GuildId> = (1..=600).map(GuildId).collect();
    harness
        .say(UpstreamEvent::SessionStarted {
            bot: UserId(1),
            guilds: ids.clone(),
        })
        .await;
    harness.say(create()).await;
    // Anything asked after an export is asked after the events.
    harness.hub.export(SHARD).await.expect("the hub");
    let guilds = harness.hub.guilds().await.expect("the hub");
    let listed: Vec<GuildId> = guilds.iter().map(|guild| guild.id).collect();
    assert_eq!(listed, ids);
    assert!(guilds[0].guild_json.is_some());
    assert!(guilds[1].guild_json.is_none());
    assert_eq!(harness.metrics.guilds.load(), 1);
}

#[tokio::test]
async fn after_stop_nobody_is_there_and_nobody_waits() {
    let mut harness = Harness::up().await;
    harness.hub.stop();
    soon("its end", harness.thread.ended()).await;
    harness.thread.join();
    assert_eq!(harness.hub.page(None).await.err(), Some(HubGone));
    assert!(harness.hub.guild(GUILD).await.is_err());
    let refusal = harness.hub.standing(GUILD, ANN).await;
    assert_eq!(refusal.expect_err("gone").code, ErrorCode::Unavailable);
}
