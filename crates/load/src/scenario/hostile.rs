//! Clients that mean harm, beside good ones.

mod attack;
mod kind;
mod raw;
mod upgraded;

use std::{thread, time::Duration};

use anyhow::{Context as _, Result};

use super::{Setting, audience::Audience};
use crate::{
    clock,
    engine::Manner,
    report::{Report, Times, Wanted},
    weight,
};
use attack::{Attack, Ends};
pub use kind::AttackKind;

/// Good connections hear events before and during each attack; each attacker must end as the
/// protocol has it, and the good ones must notice nothing.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("hostile");
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &super::users(setting.connections))?;
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let mut good = Good::new(setting, audience)?;
    let mut alone = Times::default();
    good.hear(setting, &mut alone)?;
    report.times("nobody hostile", &alone);
    let alone = alone.p99_ms();

    for kind in &setting.kinds {
        let (name, count) = (kind.describe(), kind.count(setting.attackers));
        let mut attack = kind.attack(setting.gateway, count)?;
        let times = beside(&mut report, setting, &mut good, (name, count), &mut *attack)?;
        report.times(&format!("beside {name}"), &times);
        let bound = alone.mul_add(SLOWER_MAX, JITTER_MS);
        let name = format!("beside {name}, p99");
        report.goal(name, times.p99_ms(), Wanted::Below(bound), "ms");
    }
    good.judge(&mut report);
    Ok(report)
}

/// One attack: the good ones hear events from before its first socket until its last has ended.
fn beside(
    report: &mut Report,
    setting: &Setting,
    good: &mut Good,
    (name, count): (&str, usize),
    attack: &mut dyn Attack,
) -> Result<Times> {
    let before = resident(setting)?;
    let mut most = before;
    let mut times = Times::default();
    thread::scope(|scope| -> Result<()> {
        // A thread of its own, for what it takes to attack is not to be counted as the good
        // ones' waiting.
        let attacker = scope.spawn(|| {
            weight::give_way().context("letting the attackers' thread give way")?;
            carry_out(attack, count, setting.authenticate_within)
        });
        while !attacker.is_finished() {
            good.hear(setting, &mut times)?;
            most = most.max(resident(setting)?);
        }
        attacker.join().expect("an attacking thread does not panic")
    })?;
    if let (Some(before), Some(most)) = (before, most) {
        let each = most.saturating_sub(before) as f64 / count as f64;
        let name = format!("{name}: memory an attacker");
        report.goal(name, each, Wanted::Below(ATTACKER_BYTES_MAX), "B");
    }
    let Ends { by_code, cut } = attack.ends();
    for (code, count) in by_code {
        report.figure(format!("{name}: ended with {code}"), *count as f64, "");
    }
    report.figure(format!("{name}: cut"), *cut as f64, "");
    let rightly = attack.rightly_ended();
    report.expect(rightly == count, || {
        format!("{name}: {rightly} of {count} ended as the protocol has it")
    });
    attack.stop();
    Ok(times)
}

/// Has all of them come, and do what they do until they have ended or had their time.
fn carry_out(attack: &mut dyn Attack, count: usize, authenticate_within: Duration) -> Result<()> {
    attack.begin()?;
    let waiting = clock::now();
    let within = attack.over_within(authenticate_within) + LEEWAY;
    while attack.ends().all() < count && waiting.elapsed() < within {
        attack.go_on()?;
        clock::pause();
    }
    Ok(())
}

fn resident(setting: &Setting) -> Result<Option<u64>> {
    let cost = setting.process.map(|process| process.cost()).transpose()?;
    Ok(cost.map(|cost| cost.resident_bytes))
}

/// The good connections, and the true count.
struct Good {
    audience: Audience,
    count: u64,
}

impl Good {
    fn new(setting: &Setting, audience: Audience) -> Result<Good> {
        let guild = setting.api.guild(setting.guild)?;
        let count = guild["member_count"].as_u64();
        Ok(Good {
            audience,
            count: count.context("the guild has no count")?,
        })
    }

    /// Brings in one member after another, for the good ones to hear of.
    fn hear(&mut self, setting: &Setting, times: &mut Times) -> Result<()> {
        let audience = &mut self.audience;
        audience.sight.arrivals.clear();
        let joins = (setting.rate * setting.lasting.as_secs_f64()).max(1.0) as u32;
        let burst =
            setting
                .discord
                .start_joins(setting.guild, joins, setting.rate.max(1.0) as u32)?;
        audience.listen(setting.lasting)?;
        self.count += u64::from(joins);
        let count = self.count;
        audience.listen_until(DRAINING, |sight| {
            sight.counts.iter().all(|&seen| seen == count)
        })?;
        let emitted = setting.discord.burst(burst)?;
        audience.sight.add_times(&emitted.emissions, times);
        Ok(())
    }

    fn judge(&self, report: &mut Report) {
        let sight = &self.audience.sight;
        let closed = sight.closed.values().sum::<usize>();
        report.expect(closed == 0, || {
            format!("{closed} good connections were closed")
        });
        let deaf = sight.counts.iter().filter(|&&seen| seen != self.count);
        let deaf = deaf.count();
        report.expect(deaf == 0, || {
            format!("{deaf} good connections do not show the true count")
        });
    }
}

/// How many times longer the good ones may wait beside attackers, and what any may wait more.
const SLOWER_MAX: f64 = 2.0;
const JITTER_MS: f64 = 5.0;
/// Memory that one attacker may cost while it lasts.
const ATTACKER_BYTES_MAX: f64 = 32.0 * 1024.0;
/// How much later an attacker may end.
const LEEWAY: Duration = Duration::from_secs(10);
const DRAINING: Duration = Duration::from_secs(10);
