//! Every connection drops at once and resumes.

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{engine::Manner, report::Report};

/// Full sessions are cut without a word and dial again as fast as the ramp allows, each asking
/// for its session.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("reconnect");
    let setting = &setting.full();
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users(setting.connections))?;
    let who = identities
        .iter()
        .cloned()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let links: Vec<usize> = audience.engine.ids().collect();
    let sessions: Vec<_> = links
        .into_iter()
        .map(|link| audience.engine.drop_link(link))
        .collect();
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let live = audience.sight.live;
    // Links were dialled in order and keep their places, so the sessions are in that order too.
    let who = identities
        .into_iter()
        .zip(sessions)
        .map(|(identity, session)| (identity, Manner::Good, session));
    let took = audience.gather(setting.ramp, who)?;
    let back = audience.sight.live - live;
    report.figure("back again", back as f64, "");
    report.figure("resumed", audience.sight.resumed as f64, "");
    report.figure("settled after", took.as_secs_f64(), "s");
    report.figure("resumes a second", back as f64 / took.as_secs_f64(), "/s");
    if let (Some(process), Some(before)) = (setting.process, before) {
        let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
        report.figure("server CPU a resume", cpu * 1e6 / back.max(1) as f64, "µs");
    }
    report.expect(audience.sight.resumed == setting.connections, || {
        format!(
            "{} of {} sessions were resumed",
            audience.sight.resumed, setting.connections
        )
    });
    Ok(report)
}
