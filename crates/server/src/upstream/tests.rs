//! The driver on loopback, against a Discord played by hand.

pub(super) mod fake;
mod identifies;

use std::{num::NonZeroU32, sync::Mutex, time::Duration};

use guildgate_discord::{Compression, Intents, payload};
use guildgate_model::{GuildId, Mono, Secret, ShardId, UnixMs, UpstreamEvent, UserId};
use serde_json::{Value, json};

use self::fake::{FakeGateway, FakeRest, reply};
use super::*;
use crate::{clock::Clock, patience::soon};

struct Stage {
    gateway: FakeGateway,
    rest: FakeRest,
}

impl Stage {
    async fn set() -> Stage {
        let gateway = FakeGateway::start().await;
        let rest = FakeRest::with_gateway(gateway.address, 16).await;
        Stage { gateway, rest }
    }

    fn config(&self) -> UpstreamConfig {
        config(self.rest.url())
    }

    fn start(&self) -> (Upstream, Arrivals) {
        start(self.config(), 64, Vec::new())
    }
}

/// No compression, and little patience with a peer that does not answer a close.
fn config(api_url: String) -> UpstreamConfig {
    let mut config = UpstreamConfig::new(api_url, Secret::new("sesame"));
    config.compression = Compression::None;
    config.timeouts.close = Duration::from_millis(100);
    config
}

fn start(
    config: UpstreamConfig,
    room: usize,
    sessions: Vec<guildgate_discord::ShardSession>,
) -> (Upstream, Arrivals) {
    let (events, arrived) = arrivals(room);
    let upstream = Upstream::start(UpstreamParts {
        config,
        clock: Clock::start(),
        budget: std::sync::Arc::new(MemoryBudget),
        sessions,
        events,
    })
    .expect("a usable configuration");
    (upstream, arrived)
}

async fn next(arrived: &mut Arrivals) -> UpstreamEvent {
    soon("an event", arrived.recv())
        .await
        .expect("an event")
        .event
}

fn joined(user: u64) -> Value {
    json!({"guild_id": "5", "user": {"id": user.to_string(), "username": "u"}})
}

fn user_of(event: &UpstreamEvent) -> u64 {
    match event {
        UpstreamEvent::MemberJoined { member, .. } => member.user.0,
        other => panic!("a join, not {other:?}"),
    }
}

#[tokio::test]
async fn events_come_in_order_and_a_suspended_session_is_resumed() {
    let stage = Stage::set().await;
    let mut config = stage.config();
    config.compression = Compression::ZstdStream;
    let (upstream, mut arrived) = start(config.clone(), 64, Vec::new());
    let mut peer = stage.gateway.greet(45_000).await;
    assert_eq!(peer.query, "v=10&encoding=json&compress=zstd-stream");
    assert!(stage.rest.requests()[0].starts_with("GET /some/base/v10/gateway/bot HTTP/1.1"));
    let identify = peer.wait_for(2).await;
    assert_eq!(identify["token"], "sesame");
    assert_eq!(identify["shard"], json!([0, 1]));
    peer.ready(stage.gateway.address).await;
    let guild = json!({"t": "GUILD_CREATE", "s": 2, "op": 0, "d": {"id": "5", "member_count": 3}});
    let packed = zstd_of(&guild.to_string());
    peer.send_bytes(packed).await;
    for seq in 3..10 {
        peer.dispatch(seq, "GUILD_MEMBER_ADD", joined(seq)).await;
    }
    assert_eq!(
        next(&mut arrived).await,
        UpstreamEvent::SessionStarted {
            bot: UserId(99),
            guilds: vec![GuildId(5)]
        }
    );
    assert!(matches!(
        next(&mut arrived).await,
        UpstreamEvent::GuildAvailable(_)
    ));
    for seq in 3..10 {
        assert_eq!(user_of(&next(&mut arrived).await), seq);
    }
    assert_eq!(upstream.status().borrow().active, 1);

    let (sessions, code) = tokio::join!(upstream.suspend(), peer.closed());
    assert_eq!(code, Some(4000), "1000 would end the session");
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].seq, 9);

    let (upstream, mut arrived) = start(config, 64, sessions);
    let mut peer = stage.gateway.greet(45_000).await;
    let resume = peer.wait_for(6).await;
    assert_eq!(
        resume,
        json!({"token": "sesame", "session_id": "session", "seq": 9})
    );
    peer.dispatch(10, "RESUMED", json!({})).await;
    assert_eq!(next(&mut arrived).await, UpstreamEvent::SessionResumed);
    let ((), code) = tokio::join!(upstream.shutdown(), peer.closed());
    assert_eq!(code, Some(1000));
}

fn zstd_of(text: &str) -> Vec<u8> {
    // One frame with one raw block: enough for a decoder, without an encoder.
    let bytes = text.as_bytes();
    let size = u32::try_from(bytes.len()).expect("small");
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0b1010_0000];
    frame.extend(size.to_le_bytes());
    let block = (size << 3) | 1;
    frame.extend(&block.to_le_bytes()[..3]);
    frame.extend(bytes);
    frame
}

#[tokio::test]
async fn a_lost_link_is_told_and_resumed() {
    let stage = Stage::set().await;
    let (upstream, mut arrived) = stage.start();
    let mut peer = stage.gateway.welcome().await;
    next(&mut arrived).await;
    peer.send(&json!({"op": 7, "d": null})).await;
    assert_eq!(peer.closed().await, Some(4000));
    assert_eq!(next(&mut arrived).await, UpstreamEvent::LinkLost);
    drop(peer);
    let mut peer = stage.gateway.greet(45_000).await;
    assert_eq!(peer.wait_for(6).await["seq"], 1);
    peer.dispatch(2, "RESUMED", json!({})).await;
    assert_eq!(next(&mut arrived).await, UpstreamEvent::SessionResumed);
    drop(peer);
    assert_eq!(
        next(&mut arrived).await,
        UpstreamEvent::LinkLost,
        "a bare drop too"
    );
    stage.gateway.accept().await;
    upstream.shutdown().await;
}

#[tokio::test]
async fn what_discord_refuses_for_good_ends_it() {
    for (code, expected) in [
        (4004, UpstreamError::TokenRefused),
        (4010, UpstreamError::ShardsRefused),
        (4013, UpstreamError::IntentsInvalid),
    ] {
        let stage = Stage::set().await;
        let (mut upstream, _arrived) = stage.start();
        let mut peer = stage.gateway.greet(45_000).await;
        peer.wait_for(2).await;
        peer.close(code).await;
        assert_eq!(soon("the end", upstream.refused()).await, expected);
    }
}

#[test]
fn every_refusal_has_a_cure_and_an_exit_code_of_its_own() {
    let errors = [
        UpstreamError::TokenRefused,
        UpstreamError::IntentsDisallowed,
        UpstreamError::IntentsInvalid,
        UpstreamError::ShardsRefused,
        UpstreamError::ShardingRequired,
        UpstreamError::ApiVersion,
        UpstreamError::ApiUrl {
            url: "x".to_owned(),
        },
        UpstreamError::Tls {
            reason: "x".to_owned(),
        },
    ];
    let codes: std::collections::BTreeSet<u8> =
        errors.iter().map(UpstreamError::exit_code).collect();
    assert_eq!(codes.len(), errors.len());
    for error in errors {
        assert!(!error.to_string().contains('\n'), "one line: {error}");
    }
}

#[tokio::test]
async fn a_token_that_rest_refuses_is_not_tried_again() {
    let rest = FakeRest::start(|_| reply(401, &json!({"message": "401: Unauthorized"}))).await;
    let config = UpstreamConfig::new(rest.url(), Secret::new("wrong"));
    let (mut upstream, _arrived) = start(config, 1, Vec::new());
    assert_eq!(
        soon("the end", upstream.refused()).await,
        UpstreamError::TokenRefused
    );
    assert_eq!(rest.requests().len(), 1);
}

/// Intents refused once: what the next session asks for, and what the status says is refused.
async fn refused_under(application: Value, asked: Intents) -> (Intents, Intents) {
    let gateway = FakeGateway::start().await;
    let url = format!("ws://{}", gateway.address);
    let rest = FakeRest::start(move |head| {
        let is_application = head.contains("/applications/@me");
        let known = if is_application {
            application.clone()
        } else {
            json!({"url": url, "session_start_limit": {"max_concurrency": 16}})
        };
        reply(200, &known)
    })
    .await;
    let mut config = config(rest.url());
    config.intents = asked;
    let (upstream, mut arrived) = start(config, 64, Vec::new());
    let mut peer = gateway.greet(45_000).await;
    peer.wait_for(2).await;
    peer.close(4014).await;
    let mut peer = gateway.greet(45_000).await;
    let intents = peer.wait_for(2).await["intents"].as_u64();
    peer.ready(gateway.address).await;
    next(&mut arrived).await;
    let status = *upstream.status().borrow();
    upstream.shutdown().await;
    (Intents(intents.expect("a number")), status.refused_intents)
}

#[tokio::test]
async fn without_the_privileged_intents_that_are_off_it_goes_on_and_says_so() {
    let asked = Intents::GATEWAY | Intents::MESSAGE_CONTENT;
    let members_on = json!({"id": "1", "flags": 1 << 15});
    let (intents, refused) = refused_under(members_on, asked).await;
    assert_eq!(
        (intents, refused),
        (Intents::GATEWAY, Intents::MESSAGE_CONTENT)
    );
    let (intents, refused) = refused_under(json!({"id": "1"}), asked).await;
    let privileged = Intents::GUILD_MEMBERS | Intents::MESSAGE_CONTENT;
    assert_eq!(intents, asked.without(privileged), "nothing is known");
    assert_eq!(refused, privileged);
}

#[tokio::test]
async fn while_nobody_takes_events_heartbeats_go_on_and_none_is_lost() {
    const EVENTS: u64 = 2_000;
    let stage = Stage::set().await;
    let (upstream, mut arrived) = start(stage.config(), 1, Vec::new());
    let mut peer = stage.gateway.greet(1_000).await;
    peer.wait_for(2).await;
    peer.ready(stage.gateway.address).await;
    for seq in 2..2 + EVENTS {
        peer.dispatch(seq, "GUILD_MEMBER_ADD", joined(seq)).await;
    }
    let mut beats = peer.beat();
    let some = beats.wait_for(|count| *count >= 3);
    soon("heartbeats", some).await.expect("a live link");
    next(&mut arrived).await;
    for seq in 2..2 + EVENTS {
        assert_eq!(user_of(&next(&mut arrived).await), seq);
    }
    assert_eq!(
        upstream
            .stats()
            .losses
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
    upstream.shutdown().await;
}

#[tokio::test]
async fn commands_reach_discord_and_members_come_back() {
    let stage = Stage::set().await;
    let (upstream, mut arrived) = stage.start();
    let handle = upstream.handle();
    let mut peer = stage.gateway.welcome().await;
    next(&mut arrived).await;
    handle
        .want_members(GuildId(5), vec![UserId(1), UserId(2)])
        .expect("room");
    let request = peer.wait_for(8).await;
    assert_eq!(request["user_ids"], json!(["1", "2"]));
    let chunk = json!({
        "guild_id": "5", "members": [joined(1)], "not_found": ["2"],
        "chunk_index": 0, "chunk_count": 1, "nonce": request["nonce"],
    });
    peer.dispatch(2, "GUILD_MEMBERS_CHUNK", chunk).await;
    let UpstreamEvent::Members {
        members, not_found, ..
    } = next(&mut arrived).await
    else {
        panic!("members");
    };
    assert_eq!((members.len(), not_found), (1, vec![UserId(2)]));

    let presence = payload::Presence {
        since: None,
        activities: Vec::new(),
        status: payload::Status::Dnd,
        afk: false,
    };
    handle.presence(presence).await.expect("taken");
    assert_eq!(peer.wait_for(3).await["status"], "dnd");
    handle
        .request_channel_info(payload::RequestChannelInfo {
            guild_id: GuildId(5),
            fields: vec![payload::ChannelInfoField::Status],
        })
        .await
        .expect("taken");
    assert_eq!(peer.wait_for(43).await["fields"], json!(["status"]));
    let sounds = payload::RequestSoundboardSounds {
        guild_ids: vec![GuildId(5)],
    };
    handle
        .request_soundboard_sounds(sounds)
        .await
        .expect("taken");
    assert_eq!(peer.wait_for(31).await["guild_ids"], json!(["5"]));
    assert!(matches!(
        handle.voice_ping(0).await,
        Err(SendError::Refused(_))
    ));
    assert!(matches!(
        handle.voice_ping(7).await,
        Err(SendError::NoSuchShard(7))
    ));
    upstream.shutdown().await;
}

#[tokio::test]
async fn as_many_shards_as_asked_for() {
    let stage = Stage::set().await;
    let mut config = stage.config();
    config.shards = ShardCount::Fixed(NonZeroU32::new(2).expect("two"));
    let (upstream, mut arrived) = start(config, 64, Vec::new());
    let mut peers = Vec::new();
    let mut shards = Vec::new();
    for _ in 0..2 {
        let mut peer = stage.gateway.greet(45_000).await;
        shards.push(peer.wait_for(2).await["shard"].clone());
        peer.ready(stage.gateway.address).await;
        peers.push(peer);
    }
    shards.sort_by_key(ToString::to_string);
    assert_eq!(shards, [json!([0, 2]), json!([1, 2])]);
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(soon("READY", arrived.recv()).await.expect("an event").shard);
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        [ShardId { id: 0, count: 2 }, ShardId { id: 1, count: 2 }]
    );
    assert_eq!(
        upstream.handle().shard_of(GuildId(1 << 22)),
        Some(ShardId { id: 1, count: 2 })
    );
    drop(peers);
    upstream.shutdown().await;
}

/// Spent once, then not any more.
struct Stingy(Mutex<Option<UnixMs>>);

#[async_trait::async_trait]
impl IdentifyBudget for Stingy {
    async fn reserve(
        &self,
        _bucket: u32,
        total: u32,
        now: UnixMs,
    ) -> Result<Reservation, Box<dyn std::error::Error + Send + Sync>> {
        assert_eq!(total, 1000);
        let mut asked = self.0.lock().expect("no panic");
        let first = asked.is_none();
        let free_at = *asked.get_or_insert(now + Duration::from_millis(50));
        assert!(first || now >= free_at, "asked again too early");
        Ok(if first {
            Reservation::Refused(guildgate_store::IdentifyRefused {
                retry_at: free_at,
                why: guildgate_store::WhyNotIdentify::Spent,
            })
        } else {
            Reservation::Counted
        })
    }
}

#[tokio::test]
async fn a_spent_budget_is_waited_for() {
    let stage = Stage::set().await;
    let (events, _arrived) = arrivals(8);
    let upstream = Upstream::start(UpstreamParts {
        config: stage.config(),
        clock: Clock::start(),
        budget: std::sync::Arc::new(Stingy(Mutex::new(None))),
        sessions: Vec::new(),
        events,
    })
    .expect("a usable configuration");
    stage.gateway.welcome().await;
    upstream.shutdown().await;
}

#[tokio::test]
async fn it_comes_up_once_discord_does_and_stops_before_that_if_told() {
    let gateway = FakeGateway::start().await;
    let address = gateway.address;
    let mut failures = 3;
    let rest = FakeRest::start(move |_| {
        if failures > 0 {
            failures -= 1;
            return reply(503, &json!({}));
        }
        reply(200, &json!({"url": format!("ws://{address}")}))
    })
    .await;
    let (upstream, _arrived) = start(config(rest.url()), 8, Vec::new());
    assert!(matches!(
        upstream.handle().want_members(GuildId(5), vec![UserId(1)]),
        Err(SendError::NotReady)
    ));
    gateway.welcome().await;
    upstream.shutdown().await;

    let nowhere = UpstreamConfig::new("http://127.0.0.1:1/api", Secret::new("sesame"));
    let (upstream, _arrived) = start(nowhere, 8, Vec::new());
    soon("the end", upstream.shutdown()).await;
}

#[tokio::test]
async fn an_arrival_says_when() {
    let stage = Stage::set().await;
    let (upstream, mut arrived) = stage.start();
    stage.gateway.welcome().await;
    let first = soon("READY", arrived.recv()).await.expect("an event");
    assert!(first.at > Mono::ZERO);
    upstream.shutdown().await;
}
