//! Clients without sockets: what each costs as their number grows.

use std::{
    error::Error,
    sync::{Arc, atomic::Ordering},
};

use guildgate_server::edge::{Handover, MemorySink};

use crate::{
    node::{self, Kind, Node},
    proc,
};

/// Grows one edge from point to point, and measures at each.
pub fn run(points: &[usize], kind: Kind) -> Result<(), Box<dyn Error>> {
    let node = Node::patient()?;
    let sink = Arc::new(MemorySink::default());
    let before = proc::resident_bytes()?;
    let mut clients = 0;
    for &point in points {
        let began = proc::cpu_nanos("edge-0")?;
        let new = point.saturating_sub(clients).max(1);
        while clients < point {
            let unread = node::script(clients, kind);
            let handover = Handover::memory(Arc::clone(&sink), node::peer(), unread);
            node.hand_over(handover, clients);
            clients += 1;
        }
        node.wait_for(clients);
        until_written(&sink, WRITES_TO_CONNECT * clients as u64);
        let connected = proc::cpu_nanos("edge-0")?;
        let resident = proc::resident_bytes()? - before;

        let writes = sink.writes.load(Ordering::Relaxed);
        node.broadcast(1_000_000, 1);
        until_written(&sink, writes + clients as u64);
        let told = proc::cpu_nanos("edge-0")?;
        node.edit_role(|sent| until_written(&sink, writes + (clients + sent) as u64));
        let edited = proc::cpu_nanos("edge-0")?;

        let micros = |nanos: u64, clients: usize| nanos as f64 / clients as f64 / 1_000.0;
        println!(
            "memory {kind:?}: {clients} clients, {:.0} resident bytes each, connecting {:.2} us \
             each, one event {:.3} us each, an event of their own {:.3} us each",
            resident as f64 / clients as f64,
            micros(connected - began, new),
            micros(told - connected, clients),
            micros(edited - told, clients),
        );
    }
    Ok(())
}

fn until_written(sink: &MemorySink, writes: u64) {
    while sink.writes.load(Ordering::Relaxed) < writes {
        std::thread::yield_now();
    }
}

/// Being asked to authenticate, being let in, and being on the guild: one write each, at least.
const WRITES_TO_CONNECT: u64 = 1;
