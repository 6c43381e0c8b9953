//! CPU time of Discord's side beside twilight-gateway's typed path, on the same bytes, with
//! decompression counted on both sides.
//!
//! Ours is the whole machine: inflate, envelope, decode, session. twilight's is its public
//! `parse` behind the same decompressor; its own session keeping is left out.

use std::{hint::black_box, time::Duration};

use cpu_time::ThreadTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use guildgate_discord::{Compression, Inflater};
use guildgate_discord_bench::{Maker, Recording, run, shard};
use twilight_gateway::EventTypeFlags;

const GUILDS: u64 = 2_500;
const EVENTS: u64 = 20_000;

fn twilight(recording: &Recording, wanted: EventTypeFlags) -> usize {
    let mut inflater = Inflater::new(Compression::ZstdStream).expect("a decoder");
    let mut events = 0;
    for message in &recording.messages {
        let bytes = inflater.push(message).expect("sound").expect("whole");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let event = twilight_gateway::parse(text, wanted).expect("it knows every key");
        events += usize::from(event.is_some());
        black_box(event);
    }
    events
}

fn ours(recording: &Recording) -> usize {
    run(&mut shard(), recording)
}

/// CPU time of this thread, which a busy machine disturbs least.
fn timed(iterations: u64, mut once: impl FnMut() -> usize) -> Duration {
    let start = ThreadTime::now();
    for _ in 0..iterations {
        black_box(once());
    }
    start.elapsed()
}

fn compare(criterion: &mut Criterion, name: &str, recording: &Recording, wanted: EventTypeFlags) {
    let bytes: usize = recording.payloads.iter().map(String::len).sum();
    let packed: usize = recording.messages.iter().map(Vec::len).sum();
    println!(
        "{name}: {} payloads, {bytes} bytes, {packed} compressed",
        recording.payloads.len()
    );
    let (we, they) = (
        timed(1, || ours(recording)),
        timed(1, || twilight(recording, wanted)),
    );
    println!(
        "{name}: once, {we:?} against {they:?}: {:.1} times",
        they.as_secs_f64() / we.as_secs_f64()
    );
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.throughput(Throughput::Bytes(u64::try_from(bytes).expect("small")));
    group.bench_function("guildgate", |bencher| {
        bencher.iter_custom(|iterations| timed(iterations, || ours(recording)));
    });
    group.bench_function("twilight", |bencher| {
        bencher.iter_custom(|iterations| timed(iterations, || twilight(recording, wanted)));
    });
    group.bench_function("decompression alone", |bencher| {
        bencher.iter_custom(|iterations| {
            timed(iterations, || {
                let mut inflater = Inflater::new(Compression::ZstdStream).expect("a decoder");
                let whole = |message: &Vec<u8>| {
                    inflater
                        .push(message)
                        .expect("sound")
                        .map_or(0, <[u8]>::len)
                };
                recording.messages.iter().map(whole).sum()
            })
        });
    });
    group.finish();
}

fn start_up(criterion: &mut Criterion) {
    let mut maker = Maker::new(1);
    let recording = Recording::of((0..GUILDS).map(|_| ("GUILD_CREATE", maker.guild())));
    compare(criterion, "start-up", &recording, EventTypeFlags::all());
}

fn stream(criterion: &mut Criterion) {
    let mut maker = Maker::new(2);
    let recording = Recording::of((0..EVENTS).map(|index| maker.update(index)));
    compare(criterion, "updates", &recording, EventTypeFlags::all());
}

fn unneeded(criterion: &mut Criterion) {
    let mut maker = Maker::new(3);
    let recording = Recording::of((0..EVENTS).map(|index| maker.unneeded(index)));
    compare(
        criterion,
        "unneeded, typed",
        &recording,
        EventTypeFlags::all(),
    );
    let wanted = EventTypeFlags::READY | EventTypeFlags::GUILD_CREATE;
    compare(criterion, "unneeded, filtered", &recording, wanted);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5));
    targets = start_up, stream, unneeded
}
criterion_main!(benches);
