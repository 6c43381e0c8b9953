//! Connections that wait.

use std::time::Duration;

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{
    engine::Manner,
    report::{Report, Wanted},
};

/// Ramps up, lets everything settle, and divides the growth by the number of connections.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("idle");
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users(setting.connections))?;
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    let gathered = setting.process.map(|process| process.cost()).transpose()?;
    audience.tell(&mut report, setting.connections, took);
    audience.listen(setting.lasting.max(SETTLING))?;
    let after = setting.process.map(|process| process.cost()).transpose()?;
    // What is held back by the ramp says nothing of the server.
    if setting.ramp > RATE as usize {
        let rate = setting.connections as f64 / took.as_secs_f64();
        report.goal("connections a second", rate, Wanted::AtLeast(RATE), "/s");
    }
    if let (Some(before), Some(gathered), Some(after)) = (before, gathered, after) {
        let connections = audience.engine.open().max(1) as f64;
        let grown = after.resident_bytes.saturating_sub(before.resident_bytes) as f64;
        report.figure("resident before", before.resident_bytes as f64 / 1e6, "MB");
        report.figure("resident after", after.resident_bytes as f64 / 1e6, "MB");
        report.figure("resident a connection", grown / connections, "B");
        let bound = Wanted::Below(if setting.full { 2560.0 } else { 1536.0 });
        report.goal("resident a connection", grown / connections, bound, "B");
        let cpu = gathered.cpu.saturating_sub(before.cpu).as_secs_f64();
        report.figure("server CPU a connection", cpu * 1e6 / connections, "µs");
        let idle = after.cpu.saturating_sub(gathered.cpu).as_secs_f64();
        let share = idle / setting.lasting.max(SETTLING).as_secs_f64();
        report.figure("server CPU while idle", share * 100.0, "%");
    }
    Ok(report)
}

/// Connections a second that are wanted.
const RATE: f64 = 2000.0;
/// Until what the handshakes used has been given back.
const SETTLING: Duration = Duration::from_secs(3);
