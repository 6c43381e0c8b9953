//! A role edit that touches everybody.

use std::time::Duration;

use anyhow::Result;

use super::{
    Setting,
    audience::{Audience, users},
};
use crate::{clock, engine::Manner, report::Report};

/// Everybody holds one role; it is changed, and each must hear of their own permissions, once a
/// change.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("roles");
    let setting = &Setting {
        full: true,
        api: setting.api.clone(),
        discord: setting.discord.clone(),
        ..*setting
    };
    let users = users(setting.connections);
    let role = setting.discord.make_role(setting.guild, "load", 0)?;
    setting.discord.join_all(setting.guild, &users, &[role])?;
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users)?;
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let before = setting.process.map(|process| process.cost()).transpose()?;
    let edits = (setting.lasting.as_secs_f64() * setting.rate).max(1.0) as u32;
    for edit in 1..=edits {
        // High bits that no other role has, so that the sets tell the edits apart.
        let extra = u64::from(edit) << UNUSED_BIT;
        let sent = clock::now();
        setting.discord.change_role(setting.guild, role, extra)?;
        let everybody = |privileges: &[u32]| privileges.iter().all(|&seen| seen >= edit);
        audience.listen_until(WITHIN, |sight| everybody(&sight.privileges))?;
        for link in &audience.sight.privileges {
            report.expect(*link == edit, || {
                format!("a link heard {link} times of {edit} edits")
            });
        }
        if let Some(last) = audience.sight.last {
            audience
                .sight
                .privilege_times
                .add(last.duration_since(sent));
        }
    }
    report.failures.dedup();
    report.figure("edits", f64::from(edits), "");
    report.times(
        "from the edit to the last of all links",
        &audience.sight.privilege_times,
    );
    if let (Some(process), Some(before)) = (setting.process, before) {
        let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
        let updates = f64::from(edits) * setting.connections as f64;
        report.figure("server CPU a privilege update", cpu * 1e6 / updates, "µs");
    }
    Ok(report)
}

/// The lowest bit of the range that Discord does not use.
const UNUSED_BIT: u32 = 54;
const WITHIN: Duration = Duration::from_secs(20);
