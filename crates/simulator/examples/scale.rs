//! How much the simulator bears: 2,500 guilds of 100 KiB at start, 5,000 events a second, a
//! guild of a million. Prints a table; run it with `--release` for figures that count.
//!
//! The client is in the same process, so that the figures are of both.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use guildgate_simulator::{
    Burst, BurstKind, Generated, Liveness, Settings, Simulator, SimulatorConfig, World,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};
use tokio_websockets::{ClientBuilder, Limits, MaybeTlsStream, Message, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    println!(
        "{:<44} {:>10} {:>10} {:>10}",
        "what", "time, ms", "CPU, ms", "RSS, MiB"
    );
    start_up().await?;
    stream().await?;
    million().await
}

async fn start_up() -> Outcome<()> {
    let mut row = Row::begin("2,500 guilds: make the world");
    let simulator = start(World::generated(&Generated::default())).await?;
    row.end();
    row = Row::begin("2,500 guilds: READY and every GUILD_CREATE");
    let mut socket = log_in(&simulator, 1).await?;
    let mut bytes = 0;
    for _ in 0..2_500 {
        bytes += until(&mut socket, "GUILD_CREATE").await?;
    }
    row.end();
    println!(
        "  {} MiB of JSON, {} KiB a guild",
        bytes >> 20,
        bytes / 2_500 / 1_024
    );
    simulator.stop().await;
    Ok(())
}

async fn stream() -> Outcome<()> {
    let size = Generated {
        guilds: 10,
        members: 1_000,
        ..Generated::default()
    };
    let simulator = start(World::generated(&size)).await?;
    let mut sockets = Vec::new();
    let mut socket = log_in(&simulator, 1 | 1 << 1).await?;
    for _ in 0..10 {
        until(&mut socket, "GUILD_CREATE").await?;
    }
    sockets.push(socket);
    let row = Row::begin("25,000 joins at 5,000/s, one session");
    let (guild, count) = (Generated::guild_id(0), 25_000);
    let begun = Instant::now();
    let burst = Burst {
        guild,
        kind: BurstKind::Joins,
        count,
        per_second: 5_000,
    };
    simulator.handle().start_burst(burst);
    for _ in 0..count {
        until(&mut sockets[0], "GUILD_MEMBER_ADD").await?;
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    row.end();
    println!("  {rate:.0} events/s");
    simulator.stop().await;
    Ok(())
}

async fn million() -> Outcome<()> {
    let size = Generated {
        guilds: 1,
        members: 1_000_000,
        roles: 10,
        emojis: 5,
        channels: 5,
        seed: 1,
    };
    let mut row = Row::begin("1,000,000 members: make the world");
    let simulator = start(World::generated(&size)).await?;
    row.end();
    let mut socket = log_in(&simulator, 1 | 1 << 1).await?;
    until(&mut socket, "GUILD_CREATE").await?;
    row = Row::begin("1,000,000 members: all by op 8");
    let d = json!({ "guild_id": Generated::guild_id(0), "query": "", "limit": 0 });
    socket
        .send(Message::text(json!({ "op": 8, "d": d }).to_string()))
        .await?;
    for _ in 0..1_001 {
        until(&mut socket, "GUILD_MEMBERS_CHUNK").await?;
    }
    row.end();
    simulator.stop().await;
    Ok(())
}

async fn start(world: World) -> Outcome<Simulator> {
    // The client sends no heartbeats.
    let settings = Settings {
        liveness: Liveness::Ignored,
        ..Settings::default()
    };
    let listen = ([127, 0, 0, 1], 0).into();
    Ok(Simulator::start(SimulatorConfig {
        settings,
        ..SimulatorConfig::new(listen, world)
    })
    .await?)
}

async fn log_in(simulator: &Simulator, intents: u64) -> Outcome<Socket> {
    let url = format!("ws://{}/?v=10&encoding=json", simulator.local_addr());
    let builder = ClientBuilder::new().uri(&url)?.limits(Limits::unlimited());
    let (mut socket, _) = builder.connect().await?;
    let identify =
        json!({ "op": 2, "d": { "token": "simulator", "intents": intents, "properties": {} } });
    socket.send(Message::text(identify.to_string())).await?;
    Ok(socket)
}

/// Takes messages up to the next dispatch called `name`; its size.
async fn until(socket: &mut Socket, name: &str) -> Outcome<usize> {
    let wanted = format!("{{\"t\":\"{name}\"");
    loop {
        let waited = tokio::time::timeout(Duration::from_secs(60), socket.next()).await?;
        let message = waited.ok_or("the gateway hung up")??;
        match message.as_text() {
            Some(text) if text.starts_with(&wanted) => return Ok(text.len()),
            Some(_) => {}
            None => return Err(format!("not a text: {:?}", Value::from(message.is_close())).into()),
        }
    }
}

struct Row {
    what: &'static str,
    begun: Instant,
    cpu_ms: u64,
}

impl Row {
    fn begin(what: &'static str) -> Row {
        Row {
            what,
            begun: Instant::now(),
            cpu_ms: cpu_ms(),
        }
    }

    fn end(self) {
        let (time, cpu) = (self.begun.elapsed().as_millis(), cpu_ms() - self.cpu_ms);
        println!("{:<44} {time:>10} {cpu:>10} {:>10}", self.what, rss_mib());
    }
}

/// CPU time of this process: user and system, from its statistics in ticks of 10 ms.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<i64> = after_name
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // The state, which is a letter, has fallen out; utime and stime are the 10th and 11th left.
    fields
        .get(10)
        .zip(fields.get(11))
        .map_or(0, |(user, system)| {
            u64::try_from((user + system) * 10).unwrap_or(0)
        })
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
