//! Other servers beside this gateway, in one run and in turns, so that what else the machine
//! does falls on all of them.
//!
//! Every server sends the same text to the same kind of clients; what differs is how it is told
//! to. The gateway is measured whole: its events come from Discord's side.

mod peer;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{
    clock,
    engine::{Engine, Identity, Seen, Watch},
    process::Process,
    report::Report,
};
pub use peer::{Kind, Places};
use peer::{Order, Peer};

/// How large a run is.
#[derive(Debug, Clone)]
pub struct Size {
    /// Sockets of the first two measurements.
    pub few: usize,
    /// Sockets of the third, and of the memory at rest. The bare loop and one other server have
    /// as many each at once.
    pub many: usize,
    /// How often the turn comes round.
    pub cycles: usize,
}

/// Measures these servers; the bare send loop is always among them, and all ratios are to it.
///
/// # Errors
/// If a server does not start, or stops sending.
pub fn run(kinds: &[Kind], places: &Places, size: &Size) -> Result<Report> {
    let mut report = Report::new("peers");
    few(&mut report, kinds, places, size)?;
    many(&mut report, kinds, places, size)?;
    Ok(report)
}

/// All servers at once, one event and sixteen events in flight.
fn few(report: &mut Report, kinds: &[Kind], places: &Places, size: &Size) -> Result<()> {
    let mut stands = vec![Stand::start(Kind::SendLoop, places, size.few)?];
    for &kind in kinds {
        stands.push(Stand::start(kind, places, size.few)?);
    }
    for (in_flight, rounds) in [(1, 40), (16, 10)] {
        for _ in 0..size.cycles {
            for stand in &mut stands {
                for _ in 0..rounds {
                    stand.round(in_flight)?;
                }
            }
        }
        let name = format!("{} sockets, {in_flight} in flight", size.few);
        tell(report, &name, &mut stands);
    }
    Ok(())
}

/// The bare loop and one other at a time: memory at rest, then five events a second.
fn many(report: &mut Report, kinds: &[Kind], places: &Places, size: &Size) -> Result<()> {
    let name = format!("{} sockets", size.many);
    let bare = Stand::start(Kind::SendLoop, places, size.many)?;
    let mut pair = vec![bare];
    for &kind in kinds {
        pair.truncate(1);
        match Stand::start(kind, places, size.many) {
            Ok(stand) => pair.push(stand),
            Err(error) => {
                // What the others showed is not lost with this one.
                report.failures.push(format!("{name}: {error:#}"));
                continue;
            }
        }
        for _ in 0..size.cycles * 5 {
            for stand in &mut pair {
                let start = clock::now();
                stand.round(1)?;
                if let Some(rest) = EVENT_GAP.checked_sub(start.elapsed()) {
                    stand.rest(rest)?;
                }
            }
        }
        let resting = pair[1].resident_a_socket;
        report.figure(format!("{name}: {kind}, resident at rest"), resting, "B");
        tell(report, &format!("{name}, 5 a second"), &mut pair);
    }
    let resting = pair[0].resident_a_socket;
    report.figure(format!("{name}: send loop, resident at rest"), resting, "B");
    Ok(())
}

/// Reports what a frame cost each, the first among them being the bare loop, and forgets it.
fn tell(report: &mut Report, name: &str, stands: &mut [Stand]) {
    let bare = stands.first().map_or(f64::NAN, Stand::micros_a_frame);
    for stand in stands {
        let micros = stand.micros_a_frame();
        let kind = stand.kind;
        report.figure(format!("{name}: {kind}, CPU a frame"), micros, "µs");
        report.figure(format!("{name}: {kind}, ratio"), micros / bare, "");
        (stand.cpu, stand.frames) = (Duration::ZERO, 0);
    }
}

/// One server with its clients, and what it has cost.
struct Stand {
    kind: Kind,
    peer: Peer,
    process: Process,
    engine: Engine,
    heard: Heard,
    resident_a_socket: f64,
    cpu: Duration,
    frames: u64,
}

impl Stand {
    fn start(kind: Kind, places: &Places, sockets: usize) -> Result<Stand> {
        let peer = Peer::start(kind, places).with_context(|| format!("starting {kind}"))?;
        let mut engine = Engine::new(peer.address)?.at(peer.path);
        let mut heard = Heard::default();
        let process = Process::new(peer.pid);
        // The first few pay for what all share.
        let warm = sockets.min(WARM_UP);
        dial(&mut engine, &mut heard, &peer, warm)?;
        let before = process.cost()?.resident_bytes;
        dial(&mut engine, &mut heard, &peer, sockets)?;
        settle(&mut engine, &mut heard, SETTLING)?;
        let grown = process.cost()?.resident_bytes.saturating_sub(before);
        Ok(Stand {
            kind,
            peer,
            process,
            engine,
            heard,
            resident_a_socket: grown as f64 / (sockets - warm).max(1) as f64,
            cpu: Duration::ZERO,
            frames: 0,
        })
    }

    /// Has everybody told so many events at once, and waits until they have heard.
    fn round(&mut self, in_flight: u32) -> Result<()> {
        let wanted = self.engine.open() as u64 * u64::from(in_flight);
        self.heard.events = 0;
        let before = self.process.cost()?.cpu;
        self.peer.order(Order(in_flight))?;
        let start = clock::now();
        while self.heard.events < wanted {
            self.engine
                .turn(Duration::from_millis(10), &mut self.heard)?;
            if start.elapsed() > STUCK_AFTER || self.heard.lost > 0 {
                bail!(
                    "{}: {} of {wanted} events came, {} connections were lost",
                    self.kind,
                    self.heard.events,
                    self.heard.lost
                );
            }
        }
        self.cpu += self.process.cost()?.cpu.saturating_sub(before);
        self.frames += wanted;
        Ok(())
    }

    fn rest(&mut self, time: Duration) -> Result<()> {
        settle(&mut self.engine, &mut self.heard, time)
    }

    fn micros_a_frame(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.frames as f64
    }
}

/// Opens connections until there are `sockets` in all.
fn dial(engine: &mut Engine, heard: &mut Heard, peer: &Peer, sockets: usize) -> Result<()> {
    let nobody = Identity {
        token: None,
        user: None,
        guild: peer.guild.clone(),
    };
    let nobody = std::sync::Arc::new(nobody);
    let mut moved = (clock::now(), heard.live);
    while heard.live < sockets {
        while engine.open() < sockets && engine.open() - heard.live < DIALLING_MAX {
            engine
                .dial(nobody.clone(), peer.manner, None)
                .context("dialling; a process may open only so many files (ulimit -n)")?;
        }
        engine.turn(Duration::from_millis(5), heard)?;
        if heard.live > moved.1 {
            moved = (clock::now(), heard.live);
        }
        if moved.0.elapsed() > STUCK_AFTER || heard.lost > 0 {
            bail!(
                "{} of {sockets} connections came, {} were lost",
                heard.live,
                heard.lost
            );
        }
    }
    Ok(())
}

fn settle(engine: &mut Engine, heard: &mut Heard, time: Duration) -> Result<()> {
    let start = clock::now();
    while let Some(rest) = time.checked_sub(start.elapsed()) {
        engine.turn(rest.min(Duration::from_millis(20)), heard)?;
    }
    Ok(())
}

#[derive(Default)]
struct Heard {
    live: usize,
    lost: usize,
    events: u64,
}

impl Watch for Heard {
    fn on(&mut self, _: usize, seen: Seen<'_>) {
        match seen {
            Seen::Live { .. } => self.live += 1,
            Seen::Event(_) => self.events += 1,
            Seen::Closed(_) | Seen::Refused(_) => self.lost += 1,
            Seen::Answer(_) => {}
        }
    }
}

/// What every server sends: an event as the gateway words it.
const TEXT: &str = r#"{"op":5,"t":"GUILD_MEMBER_COUNT_CHANGE","ev":"GUILD_MEMBER_COUNT_CHANGE","d":{"guild_id":"1190000000000000000","member_count":10001}}"#;
const EVENT_GAP: Duration = Duration::from_millis(200);
const SETTLING: Duration = Duration::from_secs(3);
const STUCK_AFTER: Duration = Duration::from_secs(60);
const WARM_UP: usize = 256;
/// Less than the shortest queue that any of them listens with.
const DIALLING_MAX: usize = 64;
