//! Some clients stop reading.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{
    engine::{Identity, Manner},
    report::{Report, Times, Wanted},
};

/// The same events twice, as often: to good clients alone, then with one in ten that stops reading. The
/// others' latency must not change, and every slow one must be closed with 4010 while it does
/// not read, once no more was written to it than a socket may take, and the queue holds.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("slow");
    let setting = &setting.full();
    let all = users(setting.connections);
    let (slow, good) = all.split_at(setting.connections / 10);
    let role = setting.role(&all)?;
    let mut audience = Audience::new(setting)?;
    let as_links = |identities: Vec<Arc<Identity>>, manner| {
        identities
            .into_iter()
            .map(move |identity| (identity, manner, None))
    };
    let identities = audience.identities(setting, good)?;
    let took = audience.gather(setting.ramp, as_links(identities, Manner::Good))?;
    audience.tell(&mut report, good.len(), took);
    let alone = edits(setting, &mut audience, role, FILLING)?;
    let identities = audience.identities(setting, slow)?;
    audience.gather(setting.ramp, as_links(identities, Manner::StopsReading))?;
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let beside = edits(setting, &mut audience, role, FILLING)?;
    report.times("privilege updates, all good", &alone);
    report.times("privilege updates, one in ten slow", &beside);
    let ratio = beside.p99_ms() / alone.p99_ms();
    report.goal(
        "p99 beside slow ones to p99 alone",
        ratio,
        Wanted::Below(1.25),
        "times",
    );
    if let (Some(process), Some(before)) = (setting.process, before) {
        let grown = process
            .cost()?
            .resident_bytes
            .saturating_sub(before.resident_bytes) as f64;
        report.figure("resident growth", grown / 1e6, "MB");
    }
    // Those who read are told at once; what the slow ones were told waits behind all the rest.
    let good_closed = audience.over();
    report.expect(good_closed == 0, || {
        format!("{good_closed} good clients were closed")
    });
    let closed = setting
        .api
        .metric("guildgate_closes_total{code=\"4010\"}")?
        .unwrap_or(0.0);
    report.figure("closed with 4010 while they did not read", closed, "");
    report.expect(closed as usize == slow.len(), || {
        format!(
            "{closed} of {} slow clients were closed while they did not read",
            slow.len()
        )
    });
    let bytes = audience.engine.totals().bytes;
    audience.engine.read_again(&mut audience.sight);
    audience.listen(ENDING)?;
    let bytes = (audience.engine.totals().bytes - bytes) as f64 / slow.len().max(1) as f64;
    report.figure("bytes in the kernel for a slow one", bytes, "B");
    report.goal(
        "bytes in the kernel for a slow one",
        bytes,
        Wanted::Below(TAKEN_MAX),
        "B",
    );
    let ended = audience.over() - good_closed;
    report.figure("slow ones closed", ended as f64, "");
    for (code, count) in &audience.sight.closed {
        report.figure(format!("of them with {code}"), *count as f64, "");
    }
    let told = audience.sight.closed.get(&SLOW).copied().unwrap_or(0);
    report.expect(told == slow.len(), || {
        format!(
            "{told} of {} slow clients were told 4010; {ended} ended",
            slow.len()
        )
    });
    Ok(report)
}

/// Edits the role again and again, at least so often, so that everybody is sent updates that may
/// not be dropped.
fn edits(setting: &Setting, audience: &mut Audience, role: u64, least: u32) -> Result<Times> {
    audience.sight.forget_privileges();
    // An even number, so that the next round begins where this one did.
    let count = (setting.lasting.as_secs_f64() * setting.rate / 2.0).max(1.0) as u32 * 2;
    let count = count.max(least);
    let lasting = setting.lasting.max(Duration::from_secs_f64(
        f64::from(count) / setting.rate.max(1.0),
    ));
    let per_second = setting.rate.max(1.0) as u32;
    let burst = setting
        .discord
        .start_role_edits(setting.guild, role, count, per_second)?;
    audience.listen(lasting + ENDING)?;
    let emitted = setting.discord.burst(burst)?;
    Ok(audience.sight.privilege_times(&emitted.emissions))
}

/// Edits that are sure to fill a client's queue of 256 frames, and what its socket takes.
const FILLING: u32 = 600;
/// Most bytes that a socket of a client with the smallest buffer may take: its kernel's own, and
/// 16 KiB that are not sent, and what was under way.
const TAKEN_MAX: f64 = 64.0 * 1024.0;
/// Close code of a client that is too slow.
const SLOW: u16 = 4010;
/// Until what is under way has come.
const ENDING: Duration = Duration::from_secs(2);
