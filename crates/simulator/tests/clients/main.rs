//! Public Discord libraries, as they are published, against the simulator: they log in,
//! receive guilds and members, act by REST, see a role edit and a join, and resume after an
//! op 7 and after a lost socket.
//!
//! The libraries are installed by `testdata/clients/install` into the target folder.

mod program;
mod twilight;

use std::time::Duration;

use guildgate_model::UserId;
use guildgate_simulator::{
    Change, Fault, Join, RoleEdit, Simulator, SimulatorConfig, Target, World, demo_ids,
};
use program::Program;
use serde_json::json;

#[tokio::test]
async fn discord_js_lives_on_the_simulator() {
    let simulator = start().await;
    let program = Program::node("discord-js.cjs", &simulator);
    whole_life(&simulator, program).await;
}

#[tokio::test]
async fn discord_py_lives_on_the_simulator() {
    let simulator = start().await;
    let program = Program::python("discord_py.py", &simulator);
    whole_life(&simulator, program).await;
}

/// A simulator by the machine's clock: real clients have their own.
async fn start() -> Simulator {
    let listen = ([127, 0, 0, 1], 0).into();
    Simulator::start(SimulatorConfig::new(listen, World::demo()))
        .await
        .expect("a free port")
}

async fn whole_life(simulator: &Simulator, mut program: Program) {
    let handle = simulator.handle();
    let ready = program.event("ready").await;
    assert_eq!(ready["user"], "guildgate");
    let mut guilds: Vec<(String, u64)> = ready["guilds"]
        .as_array()
        .expect("guilds")
        .iter()
        .map(|guild| {
            (
                guild["name"].as_str().unwrap_or("?").to_owned(),
                guild["members"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    guilds.sort();
    let expected = [
        ("Night Owls", 5),
        ("Pixel Foundry", 22),
        ("Rustaceans' Rest", 43),
    ];
    assert_eq!(
        guilds,
        expected.map(|(name, members)| (name.to_owned(), members))
    );
    assert_eq!(program.event("members").await["count"], 43);

    // Its own REST call comes back to it as an event, and has changed the world.
    let update = program.event("member-update").await;
    assert_eq!(update["user"], "ada");
    let roles = handle.read(|world| {
        let guild = world.guild(demo_ids::REST).expect("the guild");
        guild
            .members
            .find(demo_ids::ADA)
            .expect("ada")
            .roles
            .to_vec()
    });
    assert_eq!(roles, [demo_ids::ROLE_REGULAR]);

    rename_helper(simulator, "Lifeguard");
    assert_eq!(program.event("role-update").await["name"], "Lifeguard");
    let newcomer = UserId(1_190_000_000_123_456_789);
    handle
        .change(Change::Join(Join::new(demo_ids::REST, newcomer)))
        .expect("a join");
    let join = program.event("join").await;
    assert_eq!(
        (&join["id"], &join["count"]),
        (&json!(newcomer), &json!(44))
    );

    handle.fault(
        &Target::All,
        &Fault::Reconnect {
            close_after: Some(Duration::from_secs(5)),
        },
    );
    program.event("resumed").await;
    rename_helper(simulator, "After op 7");
    assert_eq!(program.event("role-update").await["name"], "After op 7");

    handle.fault(&Target::All, &Fault::Drop);
    rename_helper(simulator, "Said while away");
    program.event("resumed").await;
    assert_eq!(
        program.event("role-update").await["name"],
        "Said while away"
    );
    let counters = handle.counters();
    assert_eq!(
        (
            counters.identifies,
            counters.resumes,
            counters.resumes_refused
        ),
        (1, 2, 0)
    );
    program.end().await;
}

fn rename_helper(simulator: &Simulator, name: &str) {
    let edit = RoleEdit {
        name: Some(name.into()),
        ..RoleEdit::default()
    };
    let change = Change::EditRole {
        guild: demo_ids::REST,
        role: demo_ids::ROLE_HELPER,
        edit,
    };
    simulator
        .handle()
        .change(change)
        .expect("the role is there");
}

/// How long a library may take for one step: some wait a while before they dial again.
const PATIENCE: Duration = Duration::from_secs(60);
