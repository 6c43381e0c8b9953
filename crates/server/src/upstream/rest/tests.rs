//! The REST client against a server played by hand.

use std::time::Duration;

use guildgate_discord::Intents;
use guildgate_model::{GuildId, RoleId, Secret, UserId};
use serde_json::json;

use super::*;
use crate::{
    patience::soon,
    upstream::tests::fake::{FakeRest, Reply, reply},
};

fn client(server: &FakeRest) -> Rest {
    Rest::new(&server.url(), Secret::new("sesame"), Clock::start()).expect("a usable URL")
}

#[tokio::test]
async fn calls_go_where_they_should_with_the_token() {
    let server = FakeRest::start(|head| {
        let path = head.split(' ').nth(1).expect("a path");
        match path.trim_start_matches("/some/base/v10/") {
            "guilds/5?with_counts=true" => reply(200, &json!({"approximate_member_count": 42})),
            "invites/abc" => reply(200, &json!({"code": "abc", "guild": {"id": "5"}})),
            "guilds/5/members/7" => reply(200, &json!({"user": {"id": "7"}, "roles": ["8"]})),
            "applications/@me" => reply(200, &json!({"id": "1", "name": "n", "flags": 1 << 14})),
            "guilds/5/members/7/roles/8" => reply(204, &json!(null)),
            _ => reply(404, &json!({"message": "Unknown", "code": 10_000})),
        }
    })
    .await;
    let rest = client(&server);
    let guild = GuildId(5);
    let counts = rest.guild_counts(guild).await.expect("counts");
    assert_eq!(counts.members, Some(42));
    let invite = rest.invite("abc").await.expect("an answer");
    assert_eq!(invite.expect("an invite").guild, Some(guild));
    assert_eq!(rest.invite("gone").await.expect("an answer"), None);
    assert_eq!(rest.invite("../x").await.expect("not asked"), None);
    let member = rest.member(guild, UserId(7)).await.expect("an answer");
    assert_eq!(member.expect("a member").user, UserId(7));
    assert_eq!(
        rest.member(guild, UserId(9)).await.expect("an answer"),
        None
    );
    let application = rest.application().await.expect("an answer");
    assert_eq!(application.privileges(), Some(Intents::GUILD_MEMBERS));
    rest.add_role(guild, UserId(7), RoleId(8), "accepted: 100 % ä")
        .await
        .expect("given");
    rest.remove_role(guild, UserId(7), RoleId(8), "x")
        .await
        .expect("taken");
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .all(|head| head.contains("authorization: Bot sesame"))
    );
    let given = requests
        .iter()
        .find(|head| head.starts_with("PUT"))
        .expect("asked");
    assert!(
        given.contains("x-audit-log-reason: accepted: 100 %25 %C3%A4"),
        "{given}"
    );
}

/// Answers of each kind until they run out; then 200.
async fn after(mut answers: Vec<Reply>) -> FakeRest {
    answers.reverse();
    FakeRest::start(move |_| {
        answers
            .pop()
            .unwrap_or_else(|| reply(200, &json!({"approximate_member_count": 1})))
    })
    .await
}

#[tokio::test]
async fn a_short_429_or_a_fault_is_waited_out() {
    let server = after(vec![
        (
            429,
            String::new(),
            json!({"retry_after": 0.01, "global": false}).to_string(),
        ),
        reply(502, &json!({})),
    ])
    .await;
    client(&server)
        .guild_counts(GuildId(5))
        .await
        .expect("in the end");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn refusals_are_told_apart_and_not_repeated() {
    let server = after(vec![
        reply(403, &json!({"code": 50_001, "message": "Missing Access"})),
        (429, "retry-after: 3600\r\n".to_owned(), String::new()),
        reply(400, &json!({"message": "bad"})),
        reply(401, &json!({})),
    ])
    .await;
    let rest = client(&server);
    let refusals = [
        rest.guild_counts(GuildId(1)).await.expect_err("403"),
        rest.guild_counts(GuildId(2)).await.expect_err("429"),
        rest.guild_counts(GuildId(3)).await.expect_err("400"),
        rest.guild_counts(GuildId(4)).await.expect_err("401"),
        rest.guild_counts(GuildId(5)).await.expect_err("not asked"),
    ];
    assert!(
        matches!(&refusals[0], RestError::Forbidden { message, .. } if &**message == "Missing Access")
    );
    assert!(matches!(
        refusals[1],
        RestError::RateLimited { retry_after, .. } if retry_after == Duration::from_secs(3600)
    ));
    assert!(matches!(refusals[2], RestError::Refused { .. }));
    assert!(matches!(refusals[3], RestError::TokenRefused));
    assert!(matches!(refusals[4], RestError::TokenRefused));
    assert_eq!(
        server.requests().len(),
        4,
        "a refused token is not shown again"
    );
}

#[tokio::test]
async fn an_empty_bucket_is_waited_for() {
    let limits = |remaining: u32, reset: &str| {
        format!(
            "x-ratelimit-bucket: b\r\nx-ratelimit-limit: 1\r\n\
             x-ratelimit-remaining: {remaining}\r\nx-ratelimit-reset-after: {reset}\r\n"
        )
    };
    let body = json!({"approximate_member_count": 1}).to_string();
    let server = after(vec![
        (200, limits(0, "0.2"), body.clone()),
        (200, limits(0, "0.2"), body),
    ])
    .await;
    let rest = client(&server);
    let clock = Clock::start();
    let before = clock.now().mono;
    rest.guild_counts(GuildId(5)).await.expect("counts");
    rest.guild_counts(GuildId(5)).await.expect("counts");
    assert!(clock.now().mono.since(before) >= Duration::from_millis(100));
}

#[tokio::test]
async fn what_is_no_json_or_nobody_is_an_error() {
    let server = FakeRest::start(|_| (200, String::new(), "<html>".to_owned())).await;
    let error = client(&server)
        .guild_counts(GuildId(5))
        .await
        .expect_err("no JSON");
    assert!(matches!(error, RestError::Unusable { .. }));
    let rest =
        Rest::new("http://127.0.0.1:1", Secret::new("sesame"), Clock::start()).expect("a URL");
    let error = soon("an end", rest.guild_counts(GuildId(5)))
        .await
        .expect_err("nobody");
    assert!(matches!(error, RestError::Unreachable { .. }));
    assert!(!chain(&error).contains("sesame"));
    for bad in ["", "discord.com", "/api", "http://x/?y=1"] {
        assert!(
            matches!(
                Rest::new(bad, Secret::new("sesame"), Clock::start()),
                Err(UpstreamError::ApiUrl { .. })
            ),
            "{bad}"
        );
    }
}
