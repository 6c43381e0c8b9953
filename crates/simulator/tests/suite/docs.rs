//! docs/simulator.md, held to what is there.

use guildgate_simulator::{Simulator, World, demo_ids};
use http::{Method, StatusCode};

use crate::{http_client::call, start};

const GUIDE: &str = include_str!("../../../../docs/simulator.md");

#[test]
fn the_guide_names_the_demo_worlds_ids() {
    let world = World::demo();
    let row = |id: u64, name: &str| {
        let cell = format!("| {name} | {id} |");
        assert!(GUIDE.contains(&cell), "the guide lacks {cell:?}");
    };
    for guild in world.guilds() {
        row(guild.id.0, &guild.name);
        assert!(
            GUIDE.contains(&format!("{} members", guild.members.count())),
            "{}",
            guild.name
        );
    }
    use demo_ids::{ADA, BEN, BOT, IVY, MAX, MIA, OLGA, ROBIN};
    for user in [BOT, OLGA, MIA, MAX, ADA, BEN, IVY, ROBIN] {
        row(user.0, &world.user(user).name);
    }
    let rest = world.guild(demo_ids::REST).expect("the first guild");
    let of_guild = |id: u64| id == rest.id.0 || id == rest.id.0 + 999;
    for role in rest.roles.iter().filter(|role| !of_guild(role.id.0)) {
        row(role.id.0, &role.name);
    }
    assert!(GUIDE.contains(demo_ids::INVITE));
}

#[test]
fn the_guides_world_is_a_world() {
    let toml = GUIDE
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let world = World::from_toml(toml.expect("the guide shows a file")).expect("a valid one");
    assert_eq!(
        world.guilds().next().map(|guild| guild.members.count()),
        Some(1_000_003)
    );
}

#[tokio::test]
async fn the_guides_own_calls_are_there() {
    let simulator = start().await;
    let table = GUIDE
        .split("## Calls of its own")
        .nth(1)
        .expect("the table");
    let rows = table.lines().take_while(|line| !line.starts_with("###"));
    let mut calls = 0;
    for row in rows.filter(|line| line.starts_with("| `")) {
        let called = row.split('`').nth(1).expect("a call");
        assert!(is_there(&simulator, called).await, "{called}");
        calls += 1;
    }
    assert!(calls > 10, "{calls} rows");
    for made_up in [
        "GET /simulator/nothing",
        "PUT /simulator/storm",
        "POST /simulator/guilds/{id}",
        "GET /simulator/bursts/{n}/more",
    ] {
        assert!(!is_there(&simulator, made_up).await, "{made_up}");
    }
}

/// Whether the simulator has a call, whatever it makes of one that says nothing.
async fn is_there(simulator: &Simulator, called: &str) -> bool {
    let (method, path) = called.split_once(' ').expect("a method and a path");
    let path = path
        .replace("{id}", "1")
        .replace("{user}", "1")
        .replace("{n}", "1");
    let method: Method = method.parse().expect("a method");
    let answer = call(simulator, method, &path, None).await;
    // A call that is there may refuse, with 404 too, but not the path itself.
    let missing = format!("there is no {path:?}");
    let error = answer.body["error"].as_str().unwrap_or_default();
    let known = answer.status != StatusCode::METHOD_NOT_ALLOWED && !error.starts_with(&missing);
    known && (answer.status.is_success() || !error.is_empty())
}
