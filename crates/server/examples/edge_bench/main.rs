//! Measures the edge on this machine, beside a bare loop over the same sockets.
//!
//! ```text
//! cargo run --release -p guildgate-server --example edge_bench -- idle 10000 basic
//! cargo run --release -p guildgate-server --example edge_bench -- fanout 1000 full 16 200
//! cargo run --release -p guildgate-server --example edge_bench -- memory 10000,100000,1000000 full
//! cargo run --release -p guildgate-server --example edge_bench -- deflate
//! ```
//!
//! `idle SOCKETS KIND [tls]`: resident memory of an authenticated connection on a guild.
//! `fanout SOCKETS KIND INFLIGHT ROUNDS [tls]`: CPU of one frame, the edge's and the bare loop's,
//! in turns; the bare loop never seals what it sends. `memory CLIENTS,… KIND`: the same without sockets, for numbers beyond the limit on
//! open files, at each of these points on the way up; and an event of its own to each, as a role
//! edit makes them. `deflate`: what deflating one text costs and saves. `serve PORT`: for
//! `guildgate-load peers`. KIND is `basic` or `full`. The clients are another process, so that their memory and time are not counted.

mod bare;
mod deflate;
mod memory;
mod node;
mod proc;
mod readers;
mod serve;
mod tls;

use std::{error::Error, io::Read, net::TcpListener, sync::Arc};

use guildgate_server::edge::Handover;
use rustls::ServerConfig;

use node::{Kind, Node};
use readers::{Carrier, Readers};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["idle", sockets, kind] => idle(sockets.parse()?, Kind::named(kind)?, Carrier::Plain),
        ["idle", sockets, kind, "tls"] => idle(sockets.parse()?, Kind::named(kind)?, Carrier::Tls),
        ["fanout", sockets, kind, in_flight, rounds, carrier @ ..] if carrier.len() < 2 => fanout(
            sockets.parse()?,
            Kind::named(kind)?,
            in_flight.parse()?,
            rounds.parse()?,
            Carrier::named(carrier.first().copied().unwrap_or_default()),
        ),
        ["memory", clients, kind] => {
            let points: Result<Vec<usize>, _> = clients.split(',').map(str::parse).collect();
            memory::run(&points?, Kind::named(kind)?)
        }
        ["deflate"] => deflate::run(),
        ["serve", port, ..] => serve::run(port.parse()?),
        ["readers", address, sockets, carrier] => {
            readers::run(address, sockets.parse()?, Carrier::named(carrier))
        }
        _ => Err(
            "usage: edge_bench idle|fanout|memory|deflate|serve …; see the top of its source"
                .into(),
        ),
    }
}

fn idle(sockets: usize, kind: Kind, carrier: Carrier) -> Result<(), Box<dyn Error>> {
    let node = Node::patient()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let server = tls::server()?;
    let mut readers = Readers::start(&listener, sockets, carrier)?;
    // The first few pay for what all share: the threads' stacks, the slab's first blocks.
    let warm_up = 256.min(sockets / 2);
    let mut before = proc::resident_bytes()?;
    for number in 0..sockets {
        if number == warm_up {
            node.wait_for(warm_up);
            before = proc::resident_bytes()?;
        }
        node.hand_over(accept(&listener, &server, number, kind, carrier)?, number);
    }
    node.wait_for(sockets);
    let after = proc::resident_bytes()?;
    println!(
        "idle {kind:?} {carrier:?}: {sockets} sockets, {:.0} resident bytes each",
        (after - before) as f64 / (sockets - warm_up) as f64
    );
    node.broadcast(1_000_000, 1);
    readers.await_frames(sockets)?;
    let event = proc::resident_bytes()?;
    println!(
        "after one event: {:.0} resident bytes each",
        (event - before) as f64 / (sockets - warm_up) as f64
    );
    Ok(())
}

fn fanout(
    sockets: usize,
    kind: Kind,
    in_flight: usize,
    rounds: usize,
    carrier: Carrier,
) -> Result<(), Box<dyn Error>> {
    let node = Node::patient()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let server = tls::server()?;
    let mut edge_readers = Readers::start(&listener, sockets, carrier)?;
    for number in 0..sockets {
        node.hand_over(accept(&listener, &server, number, kind, carrier)?, number);
    }
    node.wait_for(sockets);
    let mut bare_readers = Readers::start(&listener, sockets, Carrier::Plain)?;
    let bare = bare::Bare::start(&listener, sockets)?;
    // Frames all equally long, so that the two sides write the same.
    let mut number = 1_000_000;
    let (mut edge_cpu, mut bare_cpu) = (0, 0);
    // In turns, so that what else the machine does falls on both.
    for _ in 0..rounds {
        let before = proc::cpu_nanos("edge-0")?;
        node.broadcast(number, in_flight);
        edge_readers.await_frames(sockets * in_flight)?;
        edge_cpu += proc::cpu_nanos("edge-0")? - before;

        let before = proc::cpu_nanos("bare")?;
        bare.broadcast(number, in_flight);
        bare_readers.await_frames(sockets * in_flight)?;
        bare_cpu += proc::cpu_nanos("bare")? - before;
        number += in_flight as u64;
    }
    let frames = (sockets * in_flight * rounds) as f64;
    let micros = |nanos: u64| nanos as f64 / frames / 1_000.0;
    println!(
        "fanout {kind:?} {carrier:?}: {sockets} sockets, {in_flight} in flight: edge {:.3} us a frame, bare loop {:.3} us, ratio {:.3}",
        micros(edge_cpu),
        micros(bare_cpu),
        edge_cpu as f64 / bare_cpu as f64,
    );
    let stats = node.stats();
    println!(
        "frames {} writes {} blocked {}",
        stats.frames_out.load(),
        stats.writes.load(),
        stats.blocked.load()
    );
    Ok(())
}

/// The next socket, with all that its client will say.
fn accept(
    listener: &TcpListener,
    server: &Arc<ServerConfig>,
    number: usize,
    kind: Kind,
    carrier: Carrier,
) -> Result<Handover, Box<dyn Error>> {
    let (socket, _) = listener.accept()?;
    let unread = node::script(number, kind);
    match carrier {
        Carrier::Plain => Ok(Handover::plain(socket, node::peer(), unread)?),
        Carrier::Tls => tls::accept(server, socket, unread),
    }
}

/// Reads one byte, or fails if the other end is gone.
fn one_byte(reader: &mut impl Read) -> std::io::Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    Ok(byte[0])
}
