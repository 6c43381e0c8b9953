//! Thousands of joins a second on one guild.

use std::time::Duration;

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{
    clock,
    engine::Manner,
    report::{Report, Wanted},
};

/// Joins come at `rate`; meanwhile a role is changed now and then, and those updates must not
/// wait behind the counts. In the end every link shows the true count.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("storm");
    let mut audience = Audience::new(setting)?;
    let holders = users(HOLDERS.min(setting.connections));
    let role = setting.role(&holders)?;
    let full = Setting {
        full: true,
        connections: holders.len(),
        ..setting.clone()
    };
    let basic = Setting {
        full: false,
        connections: setting.connections - holders.len(),
        ..setting.clone()
    };
    let mut identities = audience.identities(&full, &holders)?;
    identities.extend(audience.identities(&basic, &[])?);
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let first = setting.api.guild(setting.guild)?["member_count"]
        .as_u64()
        .unwrap_or(0);
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let joins = (setting.rate * setting.lasting.as_secs_f64()) as u32;
    let start = clock::now();
    setting
        .discord
        .start_joins(setting.guild, joins, setting.rate as u32)?;
    let edits = (setting.lasting.as_secs_f64() * f64::from(EDITS_A_SECOND)).max(1.0) as u32;
    let burst = setting
        .discord
        .start_role_edits(setting.guild, role, edits, EDITS_A_SECOND)?;
    let last = first + u64::from(joins);
    let all = |counts: &[u64]| counts.iter().all(|&count| count == last);
    let converged =
        audience.listen_until(setting.lasting + CONVERGING, |sight| all(&sight.counts))?;
    let after = setting.process.map(|process| process.cost()).transpose()?;
    let took = start.elapsed();
    audience.listen(Duration::from_millis(500))?;
    let emitted = setting.discord.burst(burst)?;
    let sight = &audience.sight;
    report.figure("joins", f64::from(joins), "");
    report.figure(
        "count frames",
        sight.count_events.iter().map(|&seen| f64::from(seen)).sum(),
        "",
    );
    report.figure("settled after", took.as_secs_f64(), "s");
    let times = sight.privilege_times(&emitted.emissions);
    report.times("privilege updates meanwhile", &times);
    let p99 = times.p99_ms();
    report.goal(
        "privilege updates meanwhile, p99",
        p99,
        Wanted::Below(250.0),
        "ms",
    );
    if let (Some(before), Some(after)) = (before, after) {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        report.figure(
            "server CPU",
            cpu / took.as_secs_f64() * 100.0,
            "% of one core",
        );
        let grown = after.resident_bytes.saturating_sub(before.resident_bytes) as f64;
        report.figure("resident growth", grown / 1e6, "MB");
        let share = cpu / took.as_secs_f64() * 100.0;
        report.goal("server CPU", share, Wanted::Below(100.0), "% of one core");
        let bound = Wanted::Below(GROWTH_MB_MAX);
        report.goal("resident growth", grown / 1e6, bound, "MB");
    }
    let astray = sight.counts.iter().filter(|&&count| count != last).count();
    report.expect(converged, || {
        format!("{astray} links do not show the true count {last}")
    });
    Ok(report)
}

/// How many of the links hold the role that is edited.
const HOLDERS: usize = 500;
const EDITS_A_SECOND: u32 = 2;
/// Memory that counts as flat: allocators round, and tables grow once.
const GROWTH_MB_MAX: f64 = 16.0;
const CONVERGING: Duration = Duration::from_secs(20);
