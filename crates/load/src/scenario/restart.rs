//! The gateway is restarted, and every session goes on in the next process.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{Setting, audience::Audience, reconnect::AT_ONCE};
use crate::{clock, engine::Manner, process::Process, report::Report, spawn::Spawned};

/// Full sessions on one guild; the gateway is told to stop, closes them, and is started again.
/// All dial again as fast as they are answered, each asking for its session. Then a role that all
/// hold is changed, and each must hear of their own permissions, once.
pub fn run(setting: &Setting, gateway: &mut Spawned) -> Result<Report> {
    let mut report = Report::new("reconnect --restart");
    let setting = &setting.full();
    let (mut audience, role) = Audience::of_members(setting, &mut report)?;
    let wanted = audience.engine.open();

    audience.engine.keep_lost();
    stop(gateway, &mut audience, &mut report)?;
    let asked_away = audience.sight.closed.get(&GOING_AWAY).copied().unwrap_or(0);
    report.expect(asked_away == wanted, || {
        format!("{asked_away} of {wanted} were closed with {GOING_AWAY}")
    });
    let lost = audience.engine.take_lost();
    let start = clock::now();
    gateway.start_again()?;
    report.figure("ready again after", start.elapsed().as_secs_f64(), "s");

    come_back(setting, &mut audience, lost, gateway, &mut report)?;
    hear(setting, &mut audience, role, &mut report)?;
    Ok(report)
}

/// Lets the clients read while the gateway stops.
fn stop(gateway: &mut Spawned, audience: &mut Audience, report: &mut Report) -> Result<()> {
    let start = clock::now();
    gateway.stop()?;
    while !gateway.has_stopped()? || audience.engine.open() > 0 {
        if start.elapsed() > STOPPED_WITHIN {
            let open = audience.engine.open();
            bail!("not stopped within {STOPPED_WITHIN:?}: {open} connections are open");
        }
        audience.listen(Duration::from_millis(5))?;
    }
    report.figure("stopped after", start.elapsed().as_secs_f64(), "s");
    Ok(())
}

fn come_back(
    setting: &Setting,
    audience: &mut Audience,
    lost: Vec<crate::engine::Lost>,
    gateway: &Spawned,
    report: &mut Report,
) -> Result<()> {
    let wanted = lost.len();
    let process = Process::new(gateway.pid);
    let before = process.cost()?;
    let (live, over) = (audience.sight.live, audience.over());
    let who = lost
        .into_iter()
        .map(|(identity, session)| (identity, Manner::Good, session));
    let took = audience.gather(AT_ONCE, who)?;
    let (back, refused) = (audience.sight.live - live, audience.over() - over);
    let resumed = audience.sight.resumed;
    report.figure("back again", back as f64, "");
    report.figure("resumed", resumed as f64, "");
    report.figure("refused or closed", refused as f64, "");
    report.figure("settled after", took.as_secs_f64(), "s");
    report.figure("resumes a second", back as f64 / took.as_secs_f64(), "/s");
    let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
    report.figure("server CPU a resume", cpu * 1e6 / back.max(1) as f64, "µs");
    report.expect(resumed == wanted, || {
        format!("{resumed} of {wanted} sessions were resumed")
    });
    report.expect(refused == 0, || format!("{refused} were refused or closed"));
    // Of the new process, which counts from nought.
    let connects = setting.api.metric("guildgate_guild_connects_total")?;
    let connects = connects.unwrap_or(0.0);
    report.figure("guild connects after the restart", connects, "");
    report.expect(connects == 0.0, || {
        format!("{connects} asked for their guild again")
    });
    Ok(())
}

/// That they came back is worth little unless they hear of what they may do.
fn hear(setting: &Setting, audience: &mut Audience, role: u64, report: &mut Report) -> Result<()> {
    let links: Vec<usize> = audience.engine.ids().collect();
    audience.sight.forget_privileges();
    let burst = setting
        .discord
        .start_role_edits(setting.guild, role, 1, 1)?;
    let heard = |privileges: &[u32], link: usize| privileges.get(link) == Some(&1);
    audience.listen_until(HEARD_WITHIN, |sight| {
        links.iter().all(|&link| heard(&sight.privileges, link))
    })?;
    let edit = setting.discord.burst(burst)?;
    let privileges = &audience.sight.privileges;
    let astray = links
        .iter()
        .filter(|&&link| !heard(privileges, link))
        .count();
    report.expect(astray == 0, || {
        format!("{astray} did not hear once of the edit of their role")
    });
    let times = audience.sight.privilege_times(&edit.emissions);
    report.times("from a role edit to the socket", &times);
    Ok(())
}

/// The close code of a gateway that goes away.
const GOING_AWAY: u16 = 1001;
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const HEARD_WITHIN: Duration = Duration::from_secs(30);
