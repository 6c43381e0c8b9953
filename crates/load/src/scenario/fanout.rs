//! One event after another to everybody on a guild.

use std::time::Duration;

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{clock, engine::Manner, report::Report};

/// Members join one by one; everybody hears every count, once, since the gateway under test is
/// to run with `count_interval = "0s"`.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("fanout");
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users(setting.connections))?;
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let first = setting.api.guild(setting.guild)?["member_count"]
        .as_u64()
        .unwrap_or(0);
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let frames_before = audience.engine.totals().frames;
    let joins = (setting.rate * setting.lasting.as_secs_f64()).max(1.0) as u32;
    let start = clock::now();
    let burst = setting
        .discord
        .start_joins(setting.guild, joins, setting.rate.max(1.0) as u32)?;
    let last = first + u64::from(joins);
    let all = |counts: &[u64]| counts.iter().all(|&count| count == last);
    audience.listen_until(setting.lasting + DRAINING, |sight| all(&sight.counts))?;
    let took = start.elapsed();
    let frames = audience.engine.totals().frames - frames_before;
    let emitted = setting.discord.burst(burst)?;
    let sight = &audience.sight;
    report.figure("events", f64::from(emitted.emitted), "");
    report.figure("frames", frames as f64, "");
    report.figure("frames a second", frames as f64 / took.as_secs_f64(), "/s");
    report.times("from emission to socket", &sight.times(&emitted.emissions));
    if let (Some(process), Some(before)) = (setting.process, before) {
        let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
        report.figure("server CPU a frame", cpu * 1e6 / frames as f64, "µs");
    }
    let missing = sight
        .count_events
        .iter()
        .filter(|&&seen| seen < joins)
        .count();
    let twice = sight
        .count_events
        .iter()
        .filter(|&&seen| seen > joins)
        .count();
    report.figure("links that missed an event", missing as f64, "");
    report.figure("links that saw one twice", twice as f64, "");
    report.expect(missing == 0, || {
        format!("{missing} links missed an event; is count_interval 0s?")
    });
    report.expect(twice == 0, || format!("{twice} links saw an event twice"));
    Ok(report)
}

const DRAINING: Duration = Duration::from_secs(10);
