//! Whole processes side by side: each connects to a gateway that plays a recording as fast as
//! the socket takes it, runs until its last event, and says what CPU time and memory it took.
//!
//! Without arguments it plays to both, each workload in turn, after a comparison in-process.

use std::{net::SocketAddr, process::Command, sync::Arc, time::Duration};

use cpu_time::ProcessTime;
use futures_util::{SinkExt, StreamExt};
use guildgate_discord::{Input, Output};
use guildgate_discord_bench::{
    Audience, EPOCH, Recording, Share, Workload, inside::ratios, is_last, shard,
};
use guildgate_model::Now;
use tokio::net::TcpListener;
use tokio_websockets::{ClientBuilder, Limits, Message, ServerBuilder};
use twilight_gateway::{ConfigBuilder, Event, EventTypeFlags, Intents, ShardId};

const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match &arguments[..] {
        [_, who, gateway] => {
            let gateway = gateway.parse().expect("an address");
            let events = match who.as_str() {
                "twilight" => runtime.block_on(twilight(gateway, EventTypeFlags::all())),
                "twilight-filtered" => runtime.block_on(twilight(gateway, filtered())),
                name => {
                    let share = Share::ALL.into_iter().find(|share| share.name() == name);
                    let share = share.expect("it knows twilight, twilight-filtered and the shares");
                    runtime.block_on(guildgate(gateway, &Audience::of(share)))
                }
            };
            let cpu = ProcessTime::now().as_duration();
            println!("{} {} {events}", cpu.as_micros(), peak_kib());
        }
        _ => Workload::ALL.into_iter().for_each(compare),
    }
}

/// What a bot that needs guilds, roles and members asks twilight for.
fn filtered() -> EventTypeFlags {
    EventTypeFlags::READY
        | EventTypeFlags::GUILD_CREATE
        | EventTypeFlags::GUILD_DELETE
        | EventTypeFlags::GUILD_UPDATE
        | EventTypeFlags::ROLE_CREATE
        | EventTypeFlags::ROLE_UPDATE
        | EventTypeFlags::ROLE_DELETE
        | EventTypeFlags::MEMBER_ADD
        | EventTypeFlags::MEMBER_UPDATE
        | EventTypeFlags::MEMBER_REMOVE
}

fn compare(workload: Workload) {
    let recording = Recording::of(workload).expect("a recording");
    let messages = recording.messages.len();
    ratios(workload.name(), &recording);
    let gateway = play(recording);
    println!("{}: {messages} messages", workload.name());
    let program = std::env::current_exe().expect("this program");
    let ours = Share::ALL.map(Share::name);
    // Only updates depend on who is connected.
    let ours = match workload {
        Workload::Updates => &ours[..],
        Workload::StartUp | Workload::Unneeded => &ours[1..2],
    };
    for who in ours.iter().chain(&["twilight", "twilight-filtered"]) {
        let mut rounds: Vec<(u64, u64)> = (0..ROUNDS)
            .map(|_| {
                let run = Command::new(&program)
                    .args([*who, &gateway.to_string()])
                    .output()
                    .expect("it runs");
                let said = String::from_utf8_lossy(&run.stdout);
                let mut words = said.split(' ').map(|word| word.trim().parse().ok());
                match (words.next().flatten(), words.next().flatten()) {
                    (Some(cpu), Some(peak)) => (cpu, peak),
                    _ => panic!("{who} failed: {}", String::from_utf8_lossy(&run.stderr)),
                }
            })
            .collect();
        rounds.sort_unstable();
        let (cpu_us, peak_kib) = rounds[ROUNDS / 2];
        println!(
            "  {who:<18} {:>8.1} ms CPU {:>7.1} MiB peak",
            cpu_us as f64 / 1e3,
            peak_kib as f64 / 1024.0,
        );
    }
}

/// A gateway in a thread of its own that plays a recording to whoever identifies.
fn play(recording: Recording) -> SocketAddr {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let messages: Vec<Message> = recording
        .messages
        .into_iter()
        .map(Message::binary)
        .collect();
    let messages: Arc<[Message]> = messages.into();
    std::thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((stream, _)) = listener.accept().await {
                let messages = Arc::clone(&messages);
                tokio::spawn(async move {
                    let accepted = ServerBuilder::new().accept(stream).await;
                    let (_, mut socket) = accepted.expect("a client");
                    let (hello, rest) = messages.split_first().expect("HELLO");
                    // A client that hangs up has had enough.
                    let _ = socket.send(hello.clone()).await;
                    let _ = socket.next().await;
                    for message in rest {
                        if socket.feed(message.clone()).await.is_err() {
                            return;
                        }
                    }
                    let _ = socket.flush().await;
                    while let Some(Ok(_)) = socket.next().await {}
                });
            }
        });
    });
    address
}

async fn guildgate(gateway: SocketAddr, audience: &Audience) -> usize {
    let url = format!("ws://{gateway}/?v=10&encoding=json&compress=zstd-stream");
    let builder = ClientBuilder::new().uri(&url).expect("a URL");
    let (mut socket, _) = builder
        .limits(Limits::unlimited())
        .connect()
        .await
        .expect("a socket");
    let mut shard = shard(audience);
    let mut out = Vec::new();
    let mut events = 0;
    let begun = tokio::time::Instant::now();
    loop {
        let message = socket.next().await.expect("open").expect("sound");
        let now = Now {
            mono: guildgate_model::Mono::ZERO + begun.elapsed(),
            ..Now::default()
        };
        let bytes: &[u8] = message.as_payload();
        let input = Input::Binary {
            epoch: EPOCH,
            bytes,
        };
        shard.handle(now, input, &mut out);
        let mut ask = false;
        let mut sends = Vec::new();
        for output in out.drain(..) {
            match output {
                Output::Event { event, .. } => {
                    events += 1;
                    if is_last(&event) {
                        return events;
                    }
                }
                Output::AskPermit { .. } => ask = true,
                Output::Send { message, .. } => sends.push(message),
                _ => {}
            }
        }
        if ask {
            shard.handle(now, Input::Permit { epoch: EPOCH }, &mut out);
            sends.extend(out.drain(..).filter_map(|output| match output {
                Output::Send { message, .. } => Some(message),
                _ => None,
            }));
        }
        for message in sends {
            let sent = socket.send(Message::text(message.text)).await;
            sent.expect("it listens");
        }
    }
}

async fn twilight(gateway: SocketAddr, wanted: EventTypeFlags) -> usize {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("this process has no other");
    let config = ConfigBuilder::new("simulator".to_owned(), Intents::all())
        .proxy_url(format!("ws://{gateway}"))
        .build();
    let mut shard = twilight_gateway::Shard::with_config(ShardId::ONE, config);
    let mut events = 0;
    loop {
        let next = twilight_gateway::StreamExt::next_event(&mut shard, wanted);
        let waited = tokio::time::timeout(Duration::from_secs(60), next).await;
        let event = waited.expect("it goes on").expect("open").expect("sound");
        events += 1;
        if matches!(event, Event::GuildDelete(_)) {
            return events;
        }
    }
}

/// The most memory that this process had at once.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .expect("a size")
}
