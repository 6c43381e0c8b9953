//! Some clients stop reading.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{
    engine::{Identity, Manner},
    report::{Report, Times},
};

/// The same events twice: to good clients alone, then with one in ten that stops reading. The
/// others' latency must not change, and the slow ones are closed.
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
    let alone = edits(setting, &mut audience, role)?;
    let identities = audience.identities(setting, slow)?;
    audience.gather(setting.ramp, as_links(identities, Manner::StopsReading))?;
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let beside = edits(setting, &mut audience, role)?;
    report.times("privilege updates, all good", &alone);
    report.times("privilege updates, one in ten slow", &beside);
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
    audience.engine.read_again(&mut audience.sight);
    audience.listen(ENDING)?;
    let ended = audience.over() - good_closed;
    report.figure("slow ones closed", ended as f64, "");
    for (code, count) in &audience.sight.closed {
        report.figure(format!("of them with {code}"), *count as f64, "");
    }
    report.expect(ended == slow.len(), || {
        format!("{ended} of {} slow clients were closed", slow.len())
    });
    Ok(report)
}

/// Edits the role again and again, so that everybody is sent updates that may not be dropped.
fn edits(setting: &Setting, audience: &mut Audience, role: u64) -> Result<Times> {
    audience.sight.forget_privileges();
    // An even number, so that the next round begins where this one did.
    let count = (setting.lasting.as_secs_f64() * setting.rate / 2.0).max(1.0) as u32 * 2;
    let per_second = setting.rate.max(1.0) as u32;
    let burst = setting
        .discord
        .start_role_edits(setting.guild, role, count, per_second)?;
    audience.listen(setting.lasting + ENDING)?;
    let emitted = setting.discord.burst(burst)?;
    Ok(audience.sight.privilege_times(&emitted.emissions))
}

/// Until what is under way has come.
const ENDING: Duration = Duration::from_secs(2);
