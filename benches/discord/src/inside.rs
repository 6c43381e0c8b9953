//! Both ways of taking a recording in, within one process.
//!
//! Ours is the whole machine: inflate, envelope, decode, session. twilight's is its public
//! `parse` behind our decompressor, since its own is private; its session keeping is left out.

use std::{hint::black_box, time::Duration};

use cpu_time::ThreadTime;
use guildgate_discord::{Compression, Inflater};
use twilight_gateway::{Event, EventTypeFlags};

use crate::{Audience, Recording, Share, run, shard};

/// twilight's way: text, `parse`, its event.
pub fn twilight(recording: &Recording, wanted: EventTypeFlags) -> usize {
    let mut inflater = Inflater::new(Compression::ZstdStream).expect("a decoder");
    let mut events = 0;
    for message in &recording.messages {
        let bytes = inflater.push(message).expect("sound").expect("whole");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let event = twilight_gateway::parse(text, wanted).expect("it knows every key");
        events += usize::from(event.is_some());
        black_box(event.map(Event::from));
    }
    events
}

/// Ours: the whole machine, for those who are connected.
pub fn ours(recording: &Recording, audience: &Audience) -> usize {
    run(&mut shard(audience), recording)
}

/// What both share.
pub fn inflate(recording: &Recording) -> usize {
    let mut inflater = Inflater::new(Compression::ZstdStream).expect("a decoder");
    let mut whole = |message: &Vec<u8>| {
        inflater
            .push(message)
            .expect("sound")
            .map_or(0, <[u8]>::len)
    };
    recording.messages.iter().map(&mut whole).sum()
}

/// CPU time of this thread, which a busy machine disturbs least.
pub fn timed(iterations: u64, mut once: impl FnMut() -> usize) -> Duration {
    let start = ThreadTime::now();
    for _ in 0..iterations {
        black_box(once());
    }
    start.elapsed()
}

/// The median of some rounds, taken in turns so that the machine's moods meet all alike.
pub fn ratios(name: &str, recording: &Recording) {
    const ROUNDS: usize = 9;
    let audiences = Share::ALL.map(Audience::of);
    let mut rounds = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        rounds[0].push(timed(1, || ours(recording, &audiences[0])));
        rounds[1].push(timed(1, || inflate(recording)));
        rounds[2].push(timed(1, || twilight(recording, EventTypeFlags::all())));
        rounds[3].push(timed(1, || twilight(recording, EventTypeFlags::READY)));
        rounds[4].push(timed(1, || ours(recording, &audiences[1])));
        rounds[5].push(timed(1, || ours(recording, &audiences[2])));
    }
    let [nobody, inflating, typed, filtered, one_in_ten, everybody] = rounds.map(|mut round| {
        round.sort_unstable();
        round[ROUNDS / 2].as_secs_f64() * 1e3
    });
    println!(
        "{name}: {inflating:.1} ms decompression alone; twilight {typed:.1}, all filtered out {filtered:.1}"
    );
    for (share, we) in Share::ALL.iter().zip([nobody, one_in_ten, everybody]) {
        println!(
            "{name}, {} connected: {we:.1} ms, ratio {:.2} in all, {:.2} without decompression; against filtered {:.2} and {:.2}",
            share.name(),
            typed / we,
            (typed - inflating) / (we - inflating),
            filtered / we,
            (filtered - inflating) / (we - inflating),
        );
    }
}
