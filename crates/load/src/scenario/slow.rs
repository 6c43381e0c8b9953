//! Some clients stop reading.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{
    Setting,
    audience::{Audience, users},
};
use crate::{
    clock,
    engine::{Identity, Manner},
    report::{Report, Times},
};

/// The same events twice: to good clients alone, then with one in ten that stops reading. The
/// others' latency must not change, and the slow ones are closed.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("slow");
    let setting = &Setting {
        full: true,
        api: setting.api.clone(),
        discord: setting.discord.clone(),
        ..*setting
    };
    let all = users(setting.connections);
    let (slow, good) = all.split_at(setting.connections / 10);
    let role = setting.discord.make_role(setting.guild, "load", 0)?;
    setting.discord.join_all(setting.guild, &all, &[role])?;
    let mut audience = Audience::new(setting)?;
    let as_links = |identities: Vec<Arc<Identity>>, manner| {
        identities
            .into_iter()
            .map(move |identity| (identity, manner, None))
    };
    let identities = audience.identities(setting, good)?;
    let took = audience.gather(setting.ramp, as_links(identities, Manner::Good))?;
    audience.tell(&mut report, good.len(), took);
    let alone = edits(setting, &mut audience, role, 1)?;
    let identities = audience.identities(setting, slow)?;
    audience.gather(setting.ramp, as_links(identities, Manner::StopsReading))?;
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let beside = edits(setting, &mut audience, role, 2)?;
    report.times("privilege updates, all good", &alone);
    report.times("privilege updates, one in ten slow", &beside);
    if let (Some(process), Some(before)) = (setting.process, before) {
        let grown = process
            .cost()?
            .resident_bytes
            .saturating_sub(before.resident_bytes) as f64;
        report.figure("resident growth", grown / 1e6, "MB");
    }
    let good_closed = audience.sight.closed.values().sum::<usize>();
    report.expect(good_closed == 0, || {
        format!("{good_closed} good clients were closed")
    });
    Ok(report)
}

/// Changes the role again and again, so that everybody is sent updates that may not be dropped.
fn edits(setting: &Setting, audience: &mut Audience, role: u64, round: u64) -> Result<Times> {
    audience.sight.privilege_times = Times::default();
    let start = clock::now();
    let mut edit = 0;
    while start.elapsed() < setting.lasting {
        edit += 1;
        let set = (edit % 256 * 4 + round) << UNUSED_BIT;
        audience.sight.sent.insert(set, clock::now());
        setting.discord.change_role(setting.guild, role, set)?;
        audience.listen(Duration::from_secs_f64(1.0 / setting.rate))?;
    }
    Ok(std::mem::take(&mut audience.sight.privilege_times))
}

/// The lowest bit of the range that Discord does not use.
const UNUSED_BIT: u32 = 54;
