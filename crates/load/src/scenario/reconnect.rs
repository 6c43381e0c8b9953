//! Every connection drops at once and resumes.

use anyhow::Result;

use super::{Setting, audience::Audience, users};
use crate::{engine::Manner, report::Report};

/// Full sessions are cut without a word and dial again as fast as they are answered, each asking
/// for its session.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("reconnect");
    let setting = &setting.full();
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users(setting.connections))?;
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let links: Vec<usize> = audience.engine.ids().collect();
    let lost: Vec<_> = links
        .into_iter()
        .filter_map(|link| audience.engine.drop_link(link))
        .collect();
    let wanted = lost.len();
    let before = setting.process.map(|process| process.cost()).transpose()?;
    let live = audience.sight.live;
    let who = lost
        .into_iter()
        .map(|(identity, session)| (identity, Manner::Good, session));
    let took = audience.gather(AT_ONCE, who)?;
    let back = audience.sight.live - live;
    report.figure("back again", back as f64, "");
    report.figure("resumed", audience.sight.resumed as f64, "");
    report.figure("settled after", took.as_secs_f64(), "s");
    report.figure("resumes a second", back as f64 / took.as_secs_f64(), "/s");
    if let (Some(process), Some(before)) = (setting.process, before) {
        let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
        report.figure("server CPU a resume", cpu * 1e6 / back.max(1) as f64, "µs");
    }
    report.expect(audience.sight.resumed == wanted, || {
        format!(
            "{} of {wanted} sessions were resumed",
            audience.sight.resumed
        )
    });
    Ok(report)
}

/// More a second than any server accepts.
pub(super) const AT_ONCE: usize = 1_000_000;
