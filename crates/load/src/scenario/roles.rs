//! A role edit that touches everybody.

use std::time::Duration;

use anyhow::Result;

use super::{Setting, audience::Audience};
use crate::report::{Report, Wanted};

/// Everybody holds one role; it is changed, and each must hear of their own permissions, once a
/// change.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("roles");
    let setting = &setting.full();
    let (mut audience, role) = Audience::of_members(setting, &mut report)?;

    let before = setting.process.map(|process| process.cost()).transpose()?;
    let edits = (setting.lasting.as_secs_f64() * setting.rate).max(1.0) as u32;
    let per_second = setting.rate.max(1.0) as u32;
    let burst = setting
        .discord
        .start_role_edits(setting.guild, role, edits, per_second)?;
    let all = |privileges: &[u32]| privileges.iter().all(|&seen| seen >= edits);
    audience.listen_until(setting.lasting + WITHIN, |sight| all(&sight.privileges))?;
    let emitted = setting.discord.burst(burst)?;
    let heard = &audience.sight.privileges;
    let astray = heard.iter().filter(|&&seen| seen != edits).count();
    report.expect(astray == 0, || {
        format!("{astray} links did not hear each of {edits} edits once")
    });
    report.figure("edits", f64::from(edits), "");
    let times = audience.sight.privilege_times(&emitted.emissions);
    report.times("from the edit to the socket", &times);
    report.goal(
        "edit to socket, p99",
        times.p99_ms(),
        Wanted::Below(1000.0),
        "ms",
    );
    if let (Some(process), Some(before)) = (setting.process, before) {
        let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
        let updates = f64::from(edits) * setting.connections as f64;
        report.figure("server CPU a privilege update", cpu * 1e6 / updates, "µs");
    }
    Ok(report)
}

const WITHIN: Duration = Duration::from_secs(20);
