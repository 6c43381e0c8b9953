//! Other servers beside this gateway, in one run and in turns, so that what else the machine
//! does falls on all of them.
//!
//! Every server sends the same text to the same kind of clients; what differs is how it is told
//! to. The gateway is measured whole: its events come from Discord's side.

mod broker;
mod kind;
mod peer;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    clock,
    engine::{Engine, Identity, Seen, Watch},
    process::Process,
    report::Report,
};
pub use kind::{Kind, Places};
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
    /// How often the servers of the first two measurements are started anew.
    pub starts: usize,
}

/// Measures these servers, but for those that are not installed; the bare send loop is always
/// among them, and all ratios are to it.
///
/// # Errors
/// If the send loop does not start, or stops sending.
pub fn run(kinds: &[Kind], places: &Places, size: &Size) -> Result<Report> {
    if let Some(missing) = places.missing(Kind::SendLoop) {
        bail!(missing);
    }
    let mut report = Report::new("peers");
    let mut there = Vec::new();
    for &kind in kinds {
        match places.missing(kind) {
            Some(missing) => report.skipped.push(missing),
            None => there.push(kind),
        }
    }
    few(&mut report, &there, places, size)?;
    many(&mut report, &there, places, size)?;
    Ok(report)
}

/// All servers at once, one event and sixteen events in flight. All are started anew several
/// times: what a call costs in the kernel differs from one process to the next of the same
/// program, by where its sockets come to lie.
fn few(report: &mut Report, kinds: &[Kind], places: &Places, size: &Size) -> Result<()> {
    let name = format!("{} sockets", size.few);
    let mut measured = [(1, 40), (16, 10)].map(|burst| (burst, Vec::new()));
    for _ in 0..size.starts {
        let mut bare = Stand::start(Kind::SendLoop, places, size.few, PAUSE)?;
        let mut others = Vec::new();
        for &kind in kinds {
            match Stand::start(kind, places, size.few, PAUSE) {
                Ok(stand) => others.push(stand),
                // What the others show is not lost with one of them, here and below.
                Err(error) => report.failures.push(format!("{name}: {error:#}")),
            }
        }
        for ((in_flight, rounds), cycles) in &mut measured {
            for _ in 0..size.cycles {
                bare.rounds(*rounds, *in_flight)?;
                let floor = bare.end_cycle();
                cycles.push((Kind::SendLoop, floor, floor));
                others.retain_mut(|stand| match stand.rounds(*rounds, *in_flight) {
                    Ok(()) => {
                        cycles.push((stand.kind, stand.end_cycle(), floor));
                        true
                    }
                    Err(error) => {
                        report.failures.push(format!("{name}: {error:#}"));
                        false
                    }
                });
                // Nobody is to come after the same one always.
                if !others.is_empty() {
                    others.rotate_left(1);
                }
            }
        }
    }
    for ((in_flight, _), cycles) in measured {
        let name = format!("{name}, {in_flight} in flight");
        tell(report, &name, cycles);
    }
    Ok(())
}

/// What a frame of one server cost in one cycle, and one of the bare loop's, microseconds of CPU.
type Cycle = (Kind, f64, f64);

/// The bare loop and one other at a time: memory at rest, then five events a second.
fn many(report: &mut Report, kinds: &[Kind], places: &Places, size: &Size) -> Result<()> {
    let name = format!("{} sockets", size.many);
    let mut bare = Stand::start(Kind::SendLoop, places, size.many, SETTLING)?;
    for &kind in kinds {
        let mut cycles = Vec::new();
        let beside = Stand::start(kind, places, size.many, SETTLING).and_then(|mut stand| {
            for _ in 0..size.cycles {
                for _ in 0..EVENTS_A_CYCLE {
                    bare.event()?;
                    stand.event()?;
                }
                let floor = bare.end_cycle();
                cycles.push((Kind::SendLoop, floor, floor));
                cycles.push((stand.kind, stand.end_cycle(), floor));
            }
            Ok(stand)
        });
        let stand = match beside {
            Ok(stand) => stand,
            Err(error) => {
                report.failures.push(format!("{name}: {error:#}"));
                continue;
            }
        };
        let resting = stand.resident_a_socket;
        report.figure(format!("{name}: {kind}, resident at rest"), resting, "B");
        let name = format!("{name}, 5 a second");
        tell(report, &name, cycles);
    }
    let resting = bare.resident_a_socket;
    report.figure(format!("{name}: send loop, resident at rest"), resting, "B");
    Ok(())
}

/// Reports what a frame cost: the median over the cycles, of the time itself and of its ratio to
/// the bare loop's in the same cycle, since the machine's own pace changes between cycles.
fn tell(report: &mut Report, name: &str, cycles: Vec<Cycle>) {
    let mut kinds: Vec<Kind> = cycles.iter().map(|(kind, ..)| *kind).collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds {
        let own = cycles.iter().filter(|(other, ..)| *other == kind);
        let ratio = median(own.clone().map(|(_, own, bare)| own / bare).collect());
        let micros = median(own.map(|(_, own, _)| *own).collect());
        report.figure(format!("{name}: {kind}, CPU a frame"), micros, "µs");
        report.figure(format!("{name}: {kind}, ratio"), ratio, "");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        Some(upper) if values.len().is_multiple_of(2) => (values[middle - 1] + upper) / 2.0,
        Some(value) => *value,
        None => f64::NAN,
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
    /// Of this cycle.
    cpu: Duration,
    /// Of this cycle.
    frames: u64,
}

impl Stand {
    fn start(kind: Kind, places: &Places, sockets: usize, rest: Duration) -> Result<Stand> {
        let peer = Peer::start(kind, places).with_context(|| format!("starting {kind}"))?;
        let mut engine = Engine::new(peer.address)?.at(peer.path);
        let mut heard = Heard::default();
        let process = Process::new(peer.pid);
        // The first few pay for what all share.
        let warm = sockets.min(WARM_UP);
        dial(&mut engine, &mut heard, &peer, warm).with_context(|| format!("dialling {kind}"))?;
        let before = process.resident_bytes()?;
        dial(&mut engine, &mut heard, &peer, sockets)
            .with_context(|| format!("dialling {kind}"))?;
        settle(&mut engine, &mut heard, rest)?;
        let grown = process.resident_bytes()?.saturating_sub(before);
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

    /// Has everybody told so many events at once, waits until they have heard, and that again.
    /// What the server does after the last of them counts as well.
    fn rounds(&mut self, rounds: u32, in_flight: u32) -> Result<()> {
        let before = self.process.cost()?.cpu;
        for _ in 0..rounds {
            self.round(in_flight)?;
        }
        // The kernel's account of a thread that is running is behind by up to a clock tick.
        settle(&mut self.engine, &mut self.heard, AFTERMATH)?;
        self.cpu += self.process.cost()?.cpu.saturating_sub(before);
        Ok(())
    }

    fn round(&mut self, in_flight: u32) -> Result<()> {
        let wanted = self.engine.open() as u64 * u64::from(in_flight);
        self.heard.events = 0;
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
        self.frames += wanted;
        Ok(())
    }

    /// One event, and rest for as long as five a second leave.
    fn event(&mut self) -> Result<()> {
        let start = clock::now();
        self.rounds(1, 1)?;
        match EVENT_GAP.checked_sub(start.elapsed()) {
            Some(rest) => settle(&mut self.engine, &mut self.heard, rest),
            None => Ok(()),
        }
    }

    /// What a frame cost since the last time, microseconds of CPU.
    fn end_cycle(&mut self) -> f64 {
        let micros = self.cpu.as_secs_f64() * 1e6 / self.frames as f64;
        (self.cpu, self.frames) = (Duration::ZERO, 0);
        micros
    }
}

/// Opens connections until there are `sockets` in all.
fn dial(engine: &mut Engine, heard: &mut Heard, peer: &Peer, sockets: usize) -> Result<()> {
    let identity = |number: usize| Identity {
        token: peer.full.then(|| "gggu_anyone".into()),
        user: peer.full.then_some(FIRST_USER + number as u64),
        guild: peer.guild.clone(),
    };
    let nobody = Arc::new(identity(0));
    let mut moved = (clock::now(), heard.live);
    while heard.live < sockets {
        while engine.open() < sockets && engine.open() - heard.live < DIALLING_MAX {
            let identity = match peer.full {
                true => Arc::new(identity(engine.open())),
                false => Arc::clone(&nobody),
            };
            engine
                .dial(identity, peer.manner, None)
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
const EVENTS_A_CYCLE: usize = 5;
/// Longer than a clock tick, and than any of the servers is busy after its last frame.
const AFTERMATH: Duration = Duration::from_millis(20);
const EVENT_GAP: Duration = Duration::from_millis(200);
/// Before memory is looked at: longer than what was freed on the way takes to be given back.
const SETTLING: Duration = Duration::from_secs(3);
/// Before the first event otherwise.
const PAUSE: Duration = Duration::from_millis(500);
const STUCK_AFTER: Duration = Duration::from_secs(60);
const FIRST_USER: u64 = 1_000_000_000_000_000_000;
const WARM_UP: usize = 256;
/// Less than the shortest queue that any of them listens with.
const DIALLING_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
