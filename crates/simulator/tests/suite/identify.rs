//! IDENTIFY: 7 to 18.

use std::time::Duration;

use guildgate_simulator::{
    Change, GuildEdit, Join, MemberEdit, Settings, Simulator, World, demo_ids,
};
use serde_json::{Value, json};

use crate::{
    client::{ALL, Raw, UNPRIVILEGED, identify, names},
    http_client, start, start_with,
};

/// The code with which an IDENTIFY of `change` ends.
async fn refused(simulator: &Simulator, change: impl FnOnce(&mut Value)) -> Option<u16> {
    let mut raw = Raw::hello(simulator).await;
    let mut wish = identify(ALL);
    change(&mut wish);
    raw.send(2, wish).await;
    raw.closed().await
}

#[tokio::test]
async fn s07_a_bad_token_is_closed_with_4004() {
    let simulator = start().await;
    assert_eq!(
        refused(&simulator, |wish| wish["token"] = json!("other")).await,
        Some(4004)
    );
    assert_eq!(
        refused(&simulator, |wish| wish["token"] = Value::Null).await,
        Some(4004)
    );
}

#[tokio::test]
async fn s08_a_second_identify_is_closed_with_4005() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.send(2, identify(ALL)).await;
    assert_eq!(raw.closed().await, Some(4005));
}

#[tokio::test]
async fn s09_an_impossible_shard_is_closed_with_4010() {
    let settings = Settings {
        shards_multiple: 2,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    for shard in [
        json!([3, 3]),
        json!([-1, 2]),
        json!([0, 0]),
        json!([0]),
        json!("0/1"),
        json!([0, 3]),
    ] {
        let code = refused(&simulator, |wish| wish["shard"] = shard.clone()).await;
        assert_eq!(code, Some(4010), "{shard}");
    }
}

#[tokio::test]
async fn s10_too_many_guilds_on_a_shard_are_closed_with_4011() {
    let settings = Settings {
        guilds_per_shard_max: 2,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    assert_eq!(refused(&simulator, |_| ()).await, Some(4011));
    let bot = http_client::get(&simulator, "/gateway/bot").await;
    assert_eq!(bot["shards"], 2, "three guilds need two shards of two");
}

#[tokio::test]
async fn s11_unknown_or_missing_intents_are_closed_with_4013() {
    let simulator = start().await;
    for intents in [json!(1u64 << 30), json!(-1), json!("1"), Value::Null] {
        let code = refused(&simulator, |wish| wish["intents"] = intents.clone()).await;
        assert_eq!(code, Some(4013), "{intents}");
    }
}

#[tokio::test]
async fn s12_a_privileged_intent_that_is_off_is_closed_with_4014() {
    let mut world = World::demo();
    world.set_privileged_intents(1 << 8);
    let simulator = start_with(world, Settings::default()).await;
    assert_eq!(
        refused(&simulator, |wish| wish["intents"] = json!(1 << 1)).await,
        Some(4014)
    );
    let (_raw, ready) = Raw::ready(&simulator, 1 | 1 << 8).await;
    assert_eq!(
        ready["application"]["flags"],
        1 << 13,
        "the flags say which are on"
    );
}

#[tokio::test]
async fn s13_one_bucket_takes_one_identify_in_five_seconds() {
    let settings = Settings {
        max_concurrency: 2,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let shard = |id: u32| {
        let mut wish = identify(ALL);
        wish["shard"] = json!([id, 3]);
        wish
    };
    let mut raws = Vec::new();
    for id in [0, 1] {
        let mut raw = Raw::hello(&simulator).await;
        raw.send(2, shard(id)).await;
        raw.event("READY").await;
        raws.push(raw);
    }
    let mut third = Raw::hello(&simulator).await;
    third.send(2, shard(2)).await;
    let refusal = third.payload().await;
    assert_eq!((&refusal["op"], &refusal["d"]), (&json!(9), &json!(false)));
    simulator.handle().advance(Duration::from_secs(5));
    third.send(2, shard(2)).await;
    third.event("READY").await;
}

#[tokio::test]
async fn s14_one_identify_too_many_kills_all_sessions_and_the_token() {
    let settings = Settings {
        identifies_max: 3,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let mut raws = Vec::new();
    for _ in 0..3 {
        raws.push(Raw::ready(&simulator, ALL).await.0);
        simulator.handle().advance(Duration::from_secs(5));
    }
    assert_eq!(refused(&simulator, |_| ()).await, Some(4004));
    for raw in &mut raws {
        assert_eq!(raw.closed().await, Some(4004));
    }
    let answer = http_client::call(&simulator, http::Method::GET, "/users/@me", None).await;
    assert_eq!(answer.status, 401, "the token is reset");
}

#[tokio::test]
async fn s15_ready_then_the_guilds() {
    let simulator = start().await;
    let mut raw = Raw::hello(&simulator).await;
    raw.send(2, identify(ALL)).await;
    let ready = raw.payload().await;
    assert_eq!(
        (&ready["t"], &ready["s"], &ready["op"]),
        (&json!("READY"), &json!(1), &json!(0))
    );
    let d = &ready["d"];
    assert_eq!(d["v"], 10);
    assert_eq!(d["user"]["id"], demo_ids::BOT.to_string());
    assert_eq!(d["user"]["bot"], true);
    assert_eq!(d["shard"], json!([0, 1]));
    let url = d["resume_gateway_url"].as_str().expect("a URL");
    assert_eq!(url, format!("ws://{}/resume", simulator.local_addr()));
    let listed = d["guilds"].as_array().expect("a list");
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|guild| guild["unavailable"] == true));
    for guild in listed {
        let create = raw.event("GUILD_CREATE").await;
        assert_eq!(create["id"], guild["id"]);
        assert_eq!(create["unavailable"], false);
    }
}

#[tokio::test]
async fn s15_a_guild_create_has_what_bots_read() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let guild = raw.event("GUILD_CREATE").await;
    assert_eq!(guild["id"], demo_ids::REST.to_string());
    assert_eq!(guild["name"], "Rustaceans' Rest");
    assert_eq!(guild["owner_id"], demo_ids::OLGA.to_string());
    assert_eq!(guild["vanity_url_code"], "rustaceans");
    assert_eq!(guild["emojis"].as_array().map(Vec::len), Some(8));
    let roles = guild["roles"].as_array().expect("roles");
    let manager = roles
        .iter()
        .find(|role| role["id"] == demo_ids::ROLE_MANAGER.to_string());
    let permissions: u64 = manager.expect("the manager's role")["permissions"]
        .as_str()
        .expect("a text")
        .parse()
        .expect("a number");
    assert_ne!(permissions & 0x20, 0, "MANAGE_GUILD");
    let count = guild["member_count"].as_u64().expect("a count");
    let members = guild["members"].as_array().expect("members");
    assert_eq!(
        members.len() as u64,
        count,
        "a small guild lists everybody with GUILD_PRESENCES"
    );
}

#[tokio::test]
async fn s16_dispatches_follow_intents_and_ones_own_member_update_passes() {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, 1).await;
    let handle = simulator.handle();
    raw.all_until_marker(&simulator).await;
    let nick = |user, nick: &str| Change::EditMember {
        guild: demo_ids::REST,
        user,
        edit: MemberEdit {
            nick: Some(Some(nick.into())),
            ..MemberEdit::default()
        },
    };
    handle
        .change(Change::Join(Join::new(
            demo_ids::REST,
            guildgate_model::UserId(5),
        )))
        .expect("a join");
    handle
        .change(nick(demo_ids::ADA, "countess"))
        .expect("an edit");
    handle
        .change(nick(demo_ids::BOT, "the bot"))
        .expect("an edit");
    handle
        .change(Change::CreateEmoji {
            guild: demo_ids::REST,
            name: "new".into(),
            animated: false,
        })
        .expect("an emoji");
    let edit = GuildEdit {
        name: Some("Renamed".into()),
        ..GuildEdit::default()
    };
    handle
        .change(Change::EditGuild {
            guild: demo_ids::REST,
            edit: Box::new(edit),
        })
        .expect("an edit");
    let got = raw.all_until_marker(&simulator).await;
    assert_eq!(names(&got), ["GUILD_MEMBER_UPDATE", "GUILD_UPDATE"]);
    assert_eq!(got[0]["d"]["user"]["id"], demo_ids::BOT.to_string());
}

#[tokio::test]
async fn s17_without_presences_a_guild_lists_oneself_and_voice() {
    let simulator = start().await;
    simulator
        .handle()
        .change(Change::Voice {
            guild: demo_ids::REST,
            user: demo_ids::ADA,
            channel: Some(demo_ids::VOICE),
            self_mute: false,
            self_deaf: false,
        })
        .expect("ada enters voice");
    let (mut raw, _) = Raw::ready(&simulator, UNPRIVILEGED).await;
    let guild = raw.event("GUILD_CREATE").await;
    let members = guild["members"].as_array().expect("members");
    let ids: Vec<&str> = members
        .iter()
        .filter_map(|member| member["user"]["id"].as_str())
        .collect();
    assert_eq!(ids, [demo_ids::BOT.to_string(), demo_ids::ADA.to_string()]);
    assert_eq!(guild["voice_states"].as_array().map(Vec::len), Some(1));
    assert_eq!(guild["presences"], json!([]));
}

#[tokio::test]
async fn s17_above_the_bound_presences_do_not_help() {
    let settings = Settings {
        presence_members_max: 10,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    let guild = raw.event("GUILD_CREATE").await;
    assert_eq!(
        guild["members"].as_array().map(Vec::len),
        Some(1),
        "{}",
        guild["members"]
    );
}

#[tokio::test]
async fn s18_what_is_of_no_guild_goes_to_the_first_shard() {
    let settings = Settings {
        max_concurrency: 2,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let mut shards = Vec::new();
    for id in [0, 1] {
        let mut raw = Raw::hello(&simulator).await;
        let mut wish = identify(ALL);
        wish["shard"] = json!([id, 2]);
        raw.send(2, wish).await;
        let ready = raw.event("READY").await;
        shards.push((raw, ready["guilds"].as_array().map(Vec::len)));
    }
    assert_eq!(
        shards[0].1.zip(shards[1].1).map(|(a, b)| a + b),
        Some(3),
        "every guild on one shard"
    );
    let handle = simulator.handle();
    handle.dispatch("MESSAGE_CREATE", None, &json!({ "content": "direct" }));
    handle.dispatch("ENTITLEMENT_CREATE", None, &json!({ "id": "1" }));
    handle
        .change(Change::RenameUser {
            user: demo_ids::BOT,
            name: "renamed".into(),
        })
        .expect("a rename");
    let first = shards[0].0.all_until("USER_UPDATE").await;
    let second = shards[1].0.all_until("USER_UPDATE").await;
    let direct = |events: &[Value]| {
        names(events)
            .iter()
            .filter(|name| matches!(**name, "MESSAGE_CREATE" | "ENTITLEMENT_CREATE"))
            .count()
    };
    assert_eq!((direct(&first), direct(&second)), (2, 0));
}
