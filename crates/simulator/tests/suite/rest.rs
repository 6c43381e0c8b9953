//! REST calls, their errors, and the events that follow from them.

use guildgate_model::{GuildId, UserId};
use guildgate_simulator::{Settings, Simulator, World, demo_ids};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    client::{ALL, Raw, names},
    http_client::{call, call_as, get},
    start, start_with,
};

const REST: GuildId = demo_ids::REST;

/// A simulator, and a session on it that has nothing left to receive.
async fn watched() -> (Simulator, Raw) {
    let simulator = start().await;
    let (mut raw, _) = Raw::ready(&simulator, ALL).await;
    raw.all_until_marker(&simulator).await;
    (simulator, raw)
}

async fn expect(
    simulator: &Simulator,
    method: Method,
    path: &str,
    body: Option<Value>,
    status: u16,
) -> Value {
    let answer = call(simulator, method.clone(), path, body).await;
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    answer.body
}

#[tokio::test]
async fn the_gateway_is_where_the_caller_is() {
    let simulator = start().await;
    let url = format!("ws://{}", simulator.local_addr());
    let open = call_as(&simulator, None, Method::GET, "/gateway", None).await;
    assert_eq!(open.body, json!({ "url": url }));
    let bot = get(&simulator, "/gateway/bot").await;
    assert_eq!(bot["url"], url);
    assert_eq!(bot["shards"], 1);
    assert_eq!(bot["session_start_limit"]["max_concurrency"], 1);
    assert_eq!(
        simulator.api_url(),
        format!("http://{}/api/v10", simulator.local_addr())
    );
}

#[tokio::test]
async fn a_bad_token_gets_discords_401() {
    let simulator = start().await;
    for token in [
        None,
        Some("simulator"),
        Some("Bot other"),
        Some("Bearer simulator"),
    ] {
        let answer = call_as(&simulator, token, Method::GET, "/users/@me", None).await;
        assert_eq!(answer.status, 401, "{token:?}");
        assert_eq!(
            answer.body,
            json!({ "message": "401: Unauthorized", "code": 0 })
        );
    }
}

#[tokio::test]
async fn what_is_not_there_gets_discords_404() {
    let simulator = start().await;
    for (path, code) in [
        ("/nothing", 0),
        ("/guilds/1", 10_004),
        (&format!("/guilds/{REST}/members/1"), 10_007),
        (&format!("/guilds/{REST}/roles/1"), 10_011),
        (&format!("/guilds/{REST}/emojis/1"), 10_014),
        ("/users/1", 10_013),
        ("/channels/1", 10_003),
        ("/invites/nowhere", 10_006),
    ] {
        let body = expect(&simulator, Method::GET, path, None, 404).await;
        assert_eq!(body["code"], code, "{path}");
    }
}

#[tokio::test]
async fn the_bot_and_its_application() {
    let simulator = start().await;
    let me = get(&simulator, "/users/@me").await;
    assert_eq!(
        (&me["username"], &me["bot"]),
        (&json!("guildgate"), &json!(true))
    );
    for path in ["/applications/@me", "/oauth2/applications/@me"] {
        let application = get(&simulator, path).await;
        assert_eq!(application["id"], demo_ids::BOT.to_string());
        assert_eq!(application["flags"], (1 << 13) + (1 << 15) + (1 << 19));
    }
    assert_eq!(
        get(&simulator, "/users/@me/guilds")
            .await
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}

#[tokio::test]
async fn a_guild_has_counts_where_they_are_asked_for() {
    let simulator = start().await;
    let bare = get(&simulator, &format!("/guilds/{REST}")).await;
    assert_eq!(bare["approximate_member_count"], Value::Null);
    let counted = get(&simulator, &format!("/guilds/{REST}?with_counts=true")).await;
    assert_eq!(counted["approximate_member_count"], 43);
    assert_eq!(counted["name"], "Rustaceans' Rest");
}

#[tokio::test]
async fn editing_and_handing_over_a_guild_is_a_guild_update() {
    let (simulator, mut raw) = watched().await;
    let path = format!("/guilds/{REST}");
    let body = json!({ "name": "Rust Rest", "owner_id": demo_ids::MIA, "description": null });
    expect(&simulator, Method::PATCH, &path, Some(body), 200).await;
    let update = raw.event("GUILD_UPDATE").await;
    assert_eq!(update["name"], "Rust Rest");
    assert_eq!(update["owner_id"], demo_ids::MIA.to_string());
    assert_eq!(update["description"], Value::Null);
    assert_eq!(
        update["member_count"],
        Value::Null,
        "only GUILD_CREATE counts"
    );
    // Nothing changes, nothing is sent.
    expect(
        &simulator,
        Method::PATCH,
        &path,
        Some(json!({ "name": "Rust Rest" })),
        200,
    )
    .await;
    assert_eq!(
        names(&raw.all_until_marker(&simulator).await),
        Vec::<&str>::new()
    );
}

#[tokio::test]
async fn members_are_listed_in_pages_and_found_by_name() {
    let simulator = start().await;
    let mut after = UserId(0);
    let mut seen = 0;
    loop {
        let page = get(
            &simulator,
            &format!("/guilds/{REST}/members?limit=10&after={after}"),
        )
        .await;
        let page = page.as_array().expect("a list").clone();
        let Some(last) = page.last() else {
            break;
        };
        seen += page.len();
        after = last["user"]["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id");
    }
    assert_eq!(seen, 43);
    let found = get(
        &simulator,
        &format!("/guilds/{REST}/members/search?query=ad&limit=5"),
    )
    .await;
    assert_eq!(found[0]["user"]["username"], "ada");
}

#[tokio::test]
async fn adding_and_kicking_a_member() {
    let (simulator, mut raw) = watched().await;
    let path = format!("/guilds/{REST}/members/777000777000777000");
    let body =
        json!({ "access_token": "any", "nick": "visitor", "roles": [demo_ids::ROLE_REGULAR] });
    let made = expect(&simulator, Method::PUT, &path, Some(body.clone()), 201).await;
    assert_eq!(made["nick"], "visitor");
    let add = raw.event("GUILD_MEMBER_ADD").await;
    assert_eq!(add["guild_id"], REST.to_string());
    assert_eq!(add["roles"], json!([demo_ids::ROLE_REGULAR]));
    expect(&simulator, Method::PUT, &path, Some(body), 204).await;
    expect(&simulator, Method::DELETE, &path, None, 204).await;
    let remove = raw.event("GUILD_MEMBER_REMOVE").await;
    assert_eq!(remove["user"]["id"], "777000777000777000");
    expect(&simulator, Method::DELETE, &path, None, 404).await;
}

#[tokio::test]
async fn roles_nick_and_time_out_of_a_member() {
    let (simulator, mut raw) = watched().await;
    let path = format!("/guilds/{REST}/members/{}", demo_ids::ADA);
    let role = format!("{path}/roles/{}", demo_ids::ROLE_MANAGER);
    expect(&simulator, Method::PUT, &role, None, 204).await;
    let update = raw.event("GUILD_MEMBER_UPDATE").await;
    assert_eq!(update["roles"], json!([demo_ids::ROLE_MANAGER]));
    expect(&simulator, Method::DELETE, &role, None, 204).await;
    assert_eq!(raw.event("GUILD_MEMBER_UPDATE").await["roles"], json!([]));
    let body = json!({
        "nick": "countess", "roles": [demo_ids::ROLE_REGULAR],
        "communication_disabled_until": "2026-01-02T00:00:00+00:00",
    });
    expect(&simulator, Method::PATCH, &path, Some(body), 200).await;
    let update = raw.event("GUILD_MEMBER_UPDATE").await;
    assert_eq!(update["nick"], "countess");
    assert_eq!(
        update["communication_disabled_until"],
        "2026-01-02T00:00:00.000000+00:00"
    );
    let late = json!({ "communication_disabled_until": "2026-03-01T00:00:00Z" });
    let refused = expect(&simulator, Method::PATCH, &path, Some(late), 400).await;
    assert_eq!(refused["code"], 50_035);
    assert!(refused["errors"]["communication_disabled_until"]["_errors"].is_array());
}

#[tokio::test]
async fn roles_are_made_edited_and_deleted() {
    let (simulator, mut raw) = watched().await;
    let path = format!("/guilds/{REST}/roles");
    let body = json!({ "name": "Night shift", "permissions": "32", "color": 255 });
    let made = expect(&simulator, Method::POST, &path, Some(body), 200).await;
    let create = raw.event("GUILD_ROLE_CREATE").await;
    assert_eq!(create["role"], made);
    assert_eq!(made["permissions"], "32");
    let one = format!("{path}/{}", made["id"].as_str().expect("an id"));
    expect(
        &simulator,
        Method::PATCH,
        &one,
        Some(json!({ "permissions": "0" })),
        200,
    )
    .await;
    assert_eq!(
        raw.event("GUILD_ROLE_UPDATE").await["role"]["permissions"],
        "0"
    );
    expect(&simulator, Method::DELETE, &one, None, 204).await;
    assert_eq!(raw.event("GUILD_ROLE_DELETE").await["role_id"], made["id"]);
    let everyone = format!("{path}/{REST}");
    expect(&simulator, Method::DELETE, &everyone, None, 400).await;
}

#[tokio::test]
async fn a_deleted_role_leaves_its_holders() {
    let (simulator, mut raw) = watched().await;
    let path = format!("/guilds/{REST}/roles/{}", demo_ids::ROLE_MANAGER);
    expect(&simulator, Method::DELETE, &path, None, 204).await;
    let got = raw.all_until_marker(&simulator).await;
    assert_eq!(
        names(&got),
        [
            "GUILD_ROLE_DELETE",
            "GUILD_MEMBER_UPDATE",
            "GUILD_MEMBER_UPDATE"
        ]
    );
    assert_eq!(got[1]["d"]["user"]["id"], demo_ids::MIA.to_string());
    assert_eq!(got[1]["d"]["roles"], json!([demo_ids::ROLE_REGULAR]));
    assert_eq!(got[2]["d"]["user"]["id"], demo_ids::MAX.to_string());
}

#[tokio::test]
async fn invites_come_and_go() {
    let (simulator, mut raw) = watched().await;
    let path = format!("/channels/{}/invites", demo_ids::CHANNEL);
    let made = expect(
        &simulator,
        Method::POST,
        &path,
        Some(json!({ "max_age": 60 })),
        200,
    )
    .await;
    let code = made["code"].as_str().expect("a code");
    assert_eq!(raw.event("INVITE_CREATE").await["code"], code);
    let listed = get(&simulator, &format!("/guilds/{REST}/invites")).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    simulator
        .handle()
        .advance(std::time::Duration::from_secs(60));
    let listed = get(&simulator, &format!("/guilds/{REST}/invites")).await;
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(1),
        "it lasted a minute"
    );
    let known = get(&simulator, &format!("/invites/{}", demo_ids::INVITE)).await;
    assert_eq!(known["guild"]["id"], REST.to_string());
    assert_eq!(
        get(&simulator, "/invites/rustaceans").await["guild"]["id"],
        REST.to_string()
    );
    let one = format!("/invites/{}", demo_ids::INVITE);
    expect(&simulator, Method::DELETE, &one, None, 200).await;
    let gone = raw.event("INVITE_DELETE").await;
    assert_eq!(
        (&gone["code"], &gone["guild_id"]),
        (&json!(demo_ids::INVITE), &json!(REST))
    );
    expect(&simulator, Method::GET, &one, None, 404).await;
}

#[tokio::test]
async fn emojis_channels_and_bans() {
    let (simulator, mut raw) = watched().await;
    let emojis = format!("/guilds/{REST}/emojis");
    let body = json!({ "name": "gizmo", "image": "data:image/gif;base64,R0lGOD" });
    let made = expect(&simulator, Method::POST, &emojis, Some(body), 201).await;
    assert_eq!(made["animated"], true);
    assert_eq!(
        raw.event("GUILD_EMOJIS_UPDATE").await["emojis"]
            .as_array()
            .map(Vec::len),
        Some(9)
    );
    let one = format!("{emojis}/{}", made["id"].as_str().expect("an id"));
    expect(&simulator, Method::DELETE, &one, None, 204).await;

    let channels = format!("/guilds/{REST}/channels");
    let made = expect(
        &simulator,
        Method::POST,
        &channels,
        Some(json!({ "name": "new" })),
        201,
    )
    .await;
    assert_eq!(raw.event("CHANNEL_CREATE").await["id"], made["id"]);
    let one = format!("/channels/{}", made["id"].as_str().expect("an id"));
    expect(
        &simulator,
        Method::PATCH,
        &one,
        Some(json!({ "topic": "t" })),
        200,
    )
    .await;
    assert_eq!(raw.event("CHANNEL_UPDATE").await["topic"], "t");
    expect(&simulator, Method::DELETE, &one, None, 200).await;
    raw.event("CHANNEL_DELETE").await;

    let ban = format!("/guilds/{REST}/bans/{}", demo_ids::BEN);
    expect(&simulator, Method::PUT, &ban, None, 204).await;
    let got = raw.all_until_marker(&simulator).await;
    assert_eq!(names(&got), ["GUILD_MEMBER_REMOVE", "GUILD_BAN_ADD"]);
    expect(&simulator, Method::GET, &ban, None, 200).await;
    expect(&simulator, Method::DELETE, &ban, None, 204).await;
    raw.event("GUILD_BAN_REMOVE").await;
}

#[tokio::test]
async fn the_bot_may_do_only_what_its_roles_allow() {
    let simulator = start().await;
    // In the foundry it gives roles below its own, and cannot change the guild.
    let foundry = demo_ids::FOUNDRY;
    let role = |role: u64| format!("/guilds/{foundry}/members/{}/roles/{role}", demo_ids::ADA);
    expect(&simulator, Method::PUT, &role(foundry.0 + 101), None, 204).await;
    let bots_own = role(foundry.0 + 999);
    let refused = expect(&simulator, Method::PUT, &bots_own, None, 403).await;
    assert_eq!(
        refused,
        json!({ "message": "Missing Permissions", "code": 50_013 })
    );
    let rename = Some(json!({ "name": "Mine" }));
    expect(
        &simulator,
        Method::PATCH,
        &format!("/guilds/{foundry}"),
        rename,
        403,
    )
    .await;
    // Among the owls it may do nothing.
    let owls = format!("/guilds/{}/members/{}", demo_ids::OWLS, demo_ids::BEN);
    expect(&simulator, Method::DELETE, &owls, None, 403).await;
    // Nobody kicks an owner.
    let owner = format!("/guilds/{REST}/members/{}", demo_ids::OLGA);
    expect(&simulator, Method::DELETE, &owner, None, 403).await;
}

#[tokio::test]
async fn a_route_has_its_bucket_and_the_bot_one_for_everything() {
    let settings = Settings {
        rest_route_max: 2,
        rest_global_max: 4,
        ..Settings::default()
    };
    let simulator = start_with(World::demo(), settings).await;
    let ask = async |path: &str| call(&simulator, Method::GET, path, None).await;
    let first = ask("/users/@me").await;
    let header = |answer: &crate::http_client::Answer, name: &str| {
        answer
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    assert_eq!(header(&first, "x-ratelimit-limit").as_deref(), Some("2"));
    assert_eq!(
        header(&first, "x-ratelimit-remaining").as_deref(),
        Some("1")
    );
    ask("/users/@me").await;
    let limited = ask("/users/@me").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.body["global"], false);
    assert!(limited.body["retry_after"].is_number());
    assert_eq!(
        header(&limited, "x-ratelimit-scope").as_deref(),
        Some("user")
    );
    let other = ask("/gateway/bot").await;
    assert_eq!(other.status, StatusCode::OK);
    assert_ne!(
        header(&other, "x-ratelimit-bucket"),
        header(&limited, "x-ratelimit-bucket")
    );
    let all = ask("/applications/@me").await;
    assert_eq!(all.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(all.body["global"], true);
}

#[tokio::test]
async fn bad_bodies_are_named_field_by_field() {
    let simulator = start().await;
    let path = format!("/guilds/{REST}");
    let answer = call(&simulator, Method::PATCH, &path, Some(json!("text"))).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (400, &json!(50_109))
    );
    let wrong = json!({ "name": 7, "verification_level": 99, "owner_id": "me" });
    let answer = call(&simulator, Method::PATCH, &path, Some(wrong)).await;
    assert_eq!(answer.body["message"], "Invalid Form Body");
    let fields: Vec<&String> = answer.body["errors"]
        .as_object()
        .expect("fields")
        .keys()
        .collect();
    assert_eq!(fields, ["name", "owner_id", "verification_level"]);
}

#[tokio::test]
async fn a_bad_path_or_query_gets_discords_50035() {
    let simulator = start().await;
    let members = format!("/guilds/{REST}/members");
    for (path, field, message) in [
        (
            "/guilds/rest".to_owned(),
            "guild_id",
            "Value \"rest\" is not snowflake.",
        ),
        (
            format!("{members}/-1"),
            "user_id",
            "Value \"-1\" is not snowflake.",
        ),
        (
            format!("{members}?limit=all"),
            "limit",
            "Value \"all\" is not int.",
        ),
        (
            format!("{members}?limit=1&after=me"),
            "after",
            "Value \"me\" is not snowflake.",
        ),
        (
            format!("{members}/search?query=a&limit=-1"),
            "limit",
            "Value \"-1\" is not int.",
        ),
    ] {
        let body = expect(&simulator, Method::GET, &path, None, 400).await;
        assert_eq!(
            body,
            json!({
                "message": "Invalid Form Body", "code": 50_035,
                "errors": { field: { "_errors": [
                    { "code": "NUMBER_TYPE_COERCE", "message": message },
                ] } },
            }),
            "{path}"
        );
    }
    for path in [
        "/guilds/%FF".to_owned(),
        format!("{members}?limit=1&limit=2"),
    ] {
        let body = expect(&simulator, Method::GET, &path, None, 400).await;
        assert_eq!(body["code"], 50_035, "{path}");
    }
}

#[tokio::test]
async fn a_bad_path_of_the_simulators_own_says_what_is_expected() {
    let simulator = start().await;
    let said = async |method: Method, path: &str, status: u16| {
        let body = expect(&simulator, method, path, None, status).await;
        body["error"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(
        said(Method::DELETE, "/simulator/guilds/rest", 400).await,
        "the guild in the path is \"rest\": expected a decimal number"
    );
    assert_eq!(
        said(Method::PUT, "/simulator/guilds/1/members/me", 400).await,
        "the user in the path is \"me\": expected a decimal number"
    );
    assert!(
        said(Method::GET, "/simulator/nothing", 404)
            .await
            .contains("/simulator/nothing")
    );
    assert!(
        said(Method::GET, "/simulator/storm", 405)
            .await
            .contains("GET")
    );
    let guild = json!({ "id": u64::MAX, "name": "G", "owner": "1" });
    let path = "/simulator/guilds";
    let refused = expect(&simulator, Method::POST, path, Some(guild), 400).await;
    assert!(refused["error"].is_string(), "{refused}");
}

#[tokio::test]
async fn what_is_no_route_gets_discords_404_or_405() {
    let simulator = start().await;
    for path in [
        "/nothing",
        "/guilds",
        "/../nothing",
        "/../../nothing",
        "/guilds/1/",
    ] {
        let body = expect(&simulator, Method::GET, path, None, 404).await;
        assert_eq!(
            body,
            json!({ "message": "404: Not Found", "code": 0 }),
            "{path}"
        );
    }
    let body = expect(&simulator, Method::PUT, "/users/@me", None, 405).await;
    assert_eq!(
        body,
        json!({ "message": "405: Method Not Allowed", "code": 0 })
    );
}
