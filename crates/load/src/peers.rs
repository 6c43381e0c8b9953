//! Other servers beside this gateway, in one run and in turns, so that what else the machine
//! does falls on all of them.
//!
//! Every server sends the same text to the same kind of clients; what differs is how it is told
//! to. The gateway is measured whole: its events come from Discord's side.
//!
//! What is counted is the server's processor time, so the clients, which share the machine, are
//! kept from adding to it. They read once the server has sent everything: a reader on another
//! processor that keeps up falls asleep in between, and each time the server's next call pays for
//! waking it, more than for the frame; whoever sends a little slower pays more often. And between
//! visits there is a pause, after which the kernel acknowledges the next sixteen segments of a
//! connection at once, and so within the server's call; later ones it acknowledges when they are
//! read, which is cheaper for the server by a third. Sixteen rounds a visit are all of one kind.

mod broker;
mod kind;
mod peer;

use std::{io, sync::Arc, time::Duration};

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
    let mut measured = [1, 16].map(|in_flight| (in_flight, Vec::new()));
    for _ in 0..size.starts {
        let mut stands = vec![Stand::start(Kind::SendLoop, places, size.few, PAUSE)?];
        for &kind in kinds {
            match Stand::start(kind, places, size.few, PAUSE) {
                Ok(stand) => stands.push(stand),
                // What the others show is not lost with one of them, here and below.
                Err(error) => report.failures.push(format!("{name}: {error:#}")),
            }
        }
        for (in_flight, costs) in &mut measured {
            for _ in 0..size.cycles {
                let mut failed = Vec::new();
                for stand in &mut stands {
                    let visited = stand
                        .rest(PAUSE)
                        .and_then(|()| stand.visit(ROUNDS, *in_flight))
                        .with_context(|| format!("measuring {}", stand.kind));
                    if let Err(error) = visited {
                        failed.push(stand.kind);
                        report.failures.push(format!("{name}: {error:#}"));
                    }
                }
                stands.retain(|stand| !failed.contains(&stand.kind));
                // Nobody is to come after the same one always.
                stands.reverse();
            }
            costs.extend(compare(&mut stands)?);
        }
    }
    for (in_flight, costs) in measured {
        tell(report, &format!("{name}, {in_flight} in flight"), &costs);
    }
    Ok(())
}

/// The bare loop and one other at a time: memory at rest, then five events a second.
fn many(report: &mut Report, kinds: &[Kind], places: &Places, size: &Size) -> Result<()> {
    let name = format!("{} sockets", size.many);
    let mut stands = vec![Stand::start(Kind::SendLoop, places, size.many, SETTLING)?];
    for &kind in kinds {
        stands.truncate(1);
        stands[0].rounds.clear();
        let costs = Stand::start(kind, places, size.many, SETTLING).and_then(|stand| {
            stands.push(stand);
            for _ in 0..size.cycles * EVENTS_A_CYCLE {
                for stand in &mut stands {
                    stand
                        .event()
                        .with_context(|| format!("measuring {}", stand.kind))?;
                }
            }
            compare(&mut stands)
        });
        match costs {
            Ok(costs) => tell(report, &format!("{name}, 5 a second"), &costs),
            Err(error) => report.failures.push(format!("{name}: {error:#}")),
        }
        if let [_, stand] = &stands[..] {
            let resting = stand.resident_a_socket;
            report.figure(format!("{name}: {kind}, resident at rest"), resting, "B");
        }
    }
    let resting = stands[0].resident_a_socket;
    report.figure(format!("{name}: send loop, resident at rest"), resting, "B");
    Ok(())
}

/// What a frame of one server cost between two starts, microseconds of CPU, and its ratio to the
/// bare loop's meanwhile.
type Cost = (Kind, f64, f64);

/// What these servers have cost since the last time: the lower quartile of their rounds. What else
/// the machine does only ever adds to a round, and does so for longer than a visit.
fn compare(stands: &mut [Stand]) -> Result<Vec<Cost>> {
    let own: Vec<(Kind, f64)> = stands
        .iter_mut()
        .map(|stand| {
            let rounds = std::mem::take(&mut stand.rounds);
            (stand.kind, quantile(rounds, 0.25))
        })
        .collect();
    let bare = own.iter().find(|(kind, _)| *kind == Kind::SendLoop);
    let (_, bare) = bare.context("the send loop, which all are compared with, has failed")?;
    Ok(own
        .iter()
        .map(|(kind, own)| (*kind, *own, own / bare))
        .collect())
}

/// Reports the median over the starts.
fn tell(report: &mut Report, name: &str, costs: &[Cost]) {
    let mut kinds: Vec<Kind> = costs.iter().map(|(kind, ..)| *kind).collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds {
        let own = costs.iter().filter(|(other, ..)| *other == kind);
        let micros = median(own.clone().map(|(_, micros, _)| *micros).collect());
        let ratio = median(own.map(|(.., ratio)| *ratio).collect());
        report.figure(format!("{name}: {kind}, CPU a frame"), micros, "µs");
        report.figure(format!("{name}: {kind}, ratio"), ratio, "");
    }
}

fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of all values is at most, between the two next to it.
fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = last as f64 * part;
    let below = values[place.floor() as usize];
    let above = values[place.ceil() as usize];
    below + (above - below) * place.fract()
}

/// One server with its clients, and what it has cost.
struct Stand {
    kind: Kind,
    peer: Peer,
    process: Process,
    engine: Engine,
    heard: Heard,
    resident_a_socket: f64,
    /// What a frame cost in each round, microseconds of CPU.
    rounds: Vec<f64>,
}

impl Stand {
    fn start(kind: Kind, places: &Places, sockets: usize, rest: Duration) -> Result<Stand> {
        Stand::with_clients(kind, places, sockets, rest)
            .with_context(|| format!("starting {kind}, with {sockets} connections"))
    }

    fn with_clients(kind: Kind, places: &Places, sockets: usize, rest: Duration) -> Result<Stand> {
        let peer = Peer::start(kind, places)?;
        let mut engine = Engine::new(peer.address)?.at(peer.path);
        let mut heard = Heard::default();
        let process = Process::new(peer.pid);
        // The first few pay for what all share.
        let warm = sockets.min(WARM_UP);
        dial(&mut engine, &mut heard, &peer, warm)?;
        let before = process.resident_bytes()?;
        dial(&mut engine, &mut heard, &peer, sockets)?;
        settle(&mut engine, &mut heard, rest)?;
        let grown = process.resident_bytes()?.saturating_sub(before);
        Ok(Stand {
            kind,
            peer,
            process,
            engine,
            heard,
            resident_a_socket: grown as f64 / (sockets - warm).max(1) as f64,
            rounds: Vec::new(),
        })
    }

    /// Has everybody told so many events at once, waits until they have heard, and that again.
    /// A round's cost is what is spent from its beginning to that of the next, so that what the
    /// server does after its last frame counts as well.
    fn visit(&mut self, rounds: usize, in_flight: u32) -> Result<()> {
        let mut before = self.process.cost()?.cpu;
        for round in 1..=rounds {
            let frames = self.round(in_flight)?;
            if round == rounds {
                self.rest(AFTERMATH)?;
            }
            let after = self.process.cost()?.cpu;
            let spent = after.saturating_sub(before);
            self.rounds.push(spent.as_secs_f64() * 1e6 / frames as f64);
            before = after;
        }
        Ok(())
    }

    /// How many frames came.
    fn round(&mut self, in_flight: u32) -> Result<u64> {
        let wanted = self.engine.open() as u64 * u64::from(in_flight);
        self.heard.events = 0;
        self.peer.order(Order(in_flight))?;
        let start = clock::now();
        let process = self.process;
        self.engine
            .turn_after(STUCK_AFTER, &mut self.heard, || at_rest(process))?;
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
        Ok(wanted)
    }

    /// One event, and rest for as long as five a second leave.
    fn event(&mut self) -> Result<()> {
        let start = clock::now();
        self.visit(1, 1)?;
        self.rest(EVENT_GAP.saturating_sub(start.elapsed()))
    }

    fn rest(&mut self, time: Duration) -> Result<()> {
        settle(&mut self.engine, &mut self.heard, time)
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

/// Waits until a process has had nothing to do for a moment.
fn at_rest(process: Process) -> io::Result<()> {
    let start = clock::now();
    let mut seen = 0;
    while seen < 2 {
        if start.elapsed() > STUCK_AFTER {
            return Err(io::Error::other("the server does not come to rest"));
        }
        clock::pause_for(Duration::from_millis(1));
        seen = if process.is_at_rest()? { seen + 1 } else { 0 };
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
/// Before the first event otherwise, and between visits: longer than a connection may be silent
/// and go on as before, 200 ms.
const PAUSE: Duration = Duration::from_millis(250);
/// As many as the kernel acknowledges at once after a pause.
const ROUNDS: usize = 16;
const STUCK_AFTER: Duration = Duration::from_secs(60);
const FIRST_USER: u64 = 1_000_000_000_000_000_000;
const WARM_UP: usize = 256;
/// Less than the shortest queue that any of them listens with.
const DIALLING_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(vec![5.0, 1.0, 2.0, 3.0, 4.0], 0.25), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
