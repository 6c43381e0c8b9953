//! CPU time of Discord's side beside twilight-gateway's typed path, on the same recorded bytes,
//! with decompression counted on both sides.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use guildgate_discord_bench::{
    Audience, Recording, Share, Workload,
    inside::{inflate, ours, ratios, timed, twilight},
};
use twilight_gateway::EventTypeFlags;

fn compare(criterion: &mut Criterion, workload: Workload) {
    let recording = &Recording::of(workload).expect("a recording");
    let name = workload.name();
    let packed: usize = recording.messages.iter().map(Vec::len).sum();
    let bytes = inflate(recording);
    println!(
        "{name}: {} messages, {packed} bytes compressed, {bytes} not",
        recording.messages.len()
    );
    ratios(name, recording);
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.throughput(Throughput::Bytes(u64::try_from(bytes).expect("small")));
    for share in Share::ALL {
        let audience = Audience::of(share);
        group.bench_function(
            format!("guildgate, {} connected", share.name()),
            |bencher| {
                bencher.iter_custom(|iterations| timed(iterations, || ours(recording, &audience)));
            },
        );
    }
    group.bench_function("twilight", |bencher| {
        let wanted = EventTypeFlags::all();
        bencher.iter_custom(|iterations| timed(iterations, || twilight(recording, wanted)));
    });
    group.bench_function("decompression alone", |bencher| {
        bencher.iter_custom(|iterations| timed(iterations, || inflate(recording)));
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    for workload in Workload::ALL {
        compare(criterion, workload);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = all
}
criterion_main!(benches);
