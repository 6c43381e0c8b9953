//! `guildgate demo`: everything on one machine, to be looked at.

mod accounts;
mod greeting;

use std::{sync::Arc, time::Duration};

use guildgate_model::Secret;
use guildgate_server::{
    config::Config,
    log,
    node::{Node, NodeParts},
};
use guildgate_simulator::{Motion, Simulator, SimulatorConfig, World, demo_ids};

use crate::{
    cli::Demo,
    command::{
        serve::{self, node_failure},
        simulate,
    },
    exit::Failure,
    page::ASSETS,
    signals::Signals,
    sources::{flag, load, open},
};
use accounts::Kept;

pub async fn run(arguments: Demo) -> Result<(), Failure> {
    let mut signals = Signals::take()?;
    let flags = [
        flag("--listen", "listen", Some(arguments.listen.to_string())),
        flag("--data", "data", Some(arguments.data.display().to_string())),
    ];
    let mut config = load(None, flags.into_iter().flatten().collect())?;
    if config.log.level == Config::default().log.level {
        // A person reads what follows: only what is wrong should come between.
        config.log.level = "warn".to_owned();
    }
    if config.drain_window == Config::default().drain_window {
        // Whoever pressed Ctrl-C is waiting.
        config.drain_window = Duration::from_secs(1);
    }
    log::init(&config.log).map_err(Failure::other)?;
    serve::raise_file_limit(0);

    let Some(started) = signals.before(start(&arguments, config)).await else {
        return Ok(());
    };
    let (node, simulator) = started?;
    let ended = serve::until_stopped(node, &mut signals).await;
    // A second signal does not wait for whoever is in the middle of a request.
    let _ = signals.before(simulator.stop()).await;
    ended
}

/// Starts everything, and greets when clients are let in.
async fn start(arguments: &Demo, mut config: Config) -> Result<(Node, Simulator), Failure> {
    let world = World::demo();
    let simulator = simulate::start(SimulatorConfig {
        motion: if arguments.still {
            Motion::Still
        } else {
            simulate::LIVELY
        },
        ..SimulatorConfig::new(arguments.simulator, world)
    })
    .await?;
    point_at(&mut config, &simulator.api_url());

    let store = open(&config).await?;
    let kept = accounts::prepare(&config, &*store).await?;
    config.admin_key = Some(Secret::new(kept.admin_key.clone()));
    let node = Node::start(NodeParts {
        config,
        store: Arc::clone(&store),
        assets: ASSETS,
        demo: Some(kept.page_json()),
    })
    .await
    .map_err(node_failure)?;
    let greeting = greeting::Greeting {
        gateway: node.local_addr(),
        simulator: simulator.local_addr(),
        data: &arguments.data,
        still: arguments.still,
        kept: &kept,
    };
    tokio::select! {
        () = node.ready() => println!("{greeting}"),
        failed = node.failed() => return Err(node_failure(failed)),
    }
    Ok((node, simulator))
}

/// Makes the simulator the Discord of a configuration, and the data folder its database.
fn point_at(config: &mut Config, api_url: &str) {
    config.database_url = None;
    config.discord.token = Some(Secret::new(guildgate_simulator::DEFAULT_TOKEN));
    config.discord.api_url = api_url.to_owned();
    config
        .invites
        .entry(demo_ids::REST)
        .or_insert_with(|| demo_ids::INVITE.to_owned());
}

/// The folder's file that holds what the demo shows again when it is started anew.
const KEPT_FILE: &str = "demo.json";

/// Whose tokens the demo offers, and what there is to see.
const PEOPLE: [(guildgate_model::UserId, &str, &str); 7] = [
    (
        demo_ids::MIA,
        "mia",
        "manager of Rustaceans' Rest: edits the form, reviews",
    ),
    (
        demo_ids::MAX,
        "max",
        "another manager, to edit together with mia",
    ),
    (demo_ids::ADA, "ada", "member without a role: applies"),
    (demo_ids::BEN, "ben", "another applicant"),
    (
        demo_ids::ROBIN,
        "robin",
        "helper role comes and goes: watch the permissions",
    ),
    (demo_ids::IVY, "ivy", "administrator"),
    (demo_ids::OLGA, "olga", "owner of Rustaceans' Rest"),
];

/// Which guilds the demo offers.
const GUILDS: [(guildgate_model::GuildId, &str); 3] = [
    (demo_ids::REST, "Rustaceans' Rest"),
    (demo_ids::FOUNDRY, "Pixel Foundry"),
    (demo_ids::OWLS, "Night Owls"),
];

impl Kept {
    fn page_json(&self) -> String {
        serde_json::json!({ "guilds": self.guilds, "accounts": self.accounts }).to_string()
    }
}
