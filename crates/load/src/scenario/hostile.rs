//! Clients that mean harm, beside good ones.

mod attack;
mod raw;
mod upgraded;

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Setting, audience::Audience};
use crate::{
    clock,
    engine::Manner,
    report::{Report, Times, Wanted},
};
use attack::{Attack, Ends};
use raw::Raw;
use upgraded::Upgraded;

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
    let alone = good.hear(setting, || Ok(()))?;
    report.times("nobody hostile", &alone);
    let alone = alone.p99_ms();

    let gateway = setting.gateway;
    let count = setting.attackers;
    // Each is longer than the longest header that is read.
    let floods = (count / 10).max(1);
    let mut attacks: [(&str, usize, Box<dyn Attack>); 7] = [
        (
            "half-open sockets",
            count,
            Box::new(Raw::silent(gateway, count)),
        ),
        (
            "headers that never end",
            count,
            Box::new(Raw::trickling(gateway, count)),
        ),
        (
            "a MiB of header",
            floods,
            Box::new(Raw::long(gateway, floods)),
        ),
        (
            "frames of 2^63 bytes",
            count,
            Box::new(Upgraded::huge(gateway, count)?),
        ),
        (
            "ping floods",
            count,
            Box::new(Upgraded::pings(gateway, count)?),
        ),
        (
            "one byte a second",
            count,
            Box::new(Upgraded::byte_by_byte(gateway, count)?),
        ),
        (
            "never authenticating",
            count,
            Box::new(Upgraded::mute(gateway, count)?),
        ),
    ];
    for (name, count, attack) in &mut attacks {
        let times = beside(
            &mut report,
            setting,
            &mut good,
            (name, *count),
            &mut **attack,
        )?;
        report.times(&format!("beside {name}"), &times);
        let bound = alone.mul_add(SLOWER_MAX, JITTER_MS);
        let name = format!("beside {name}, p99");
        report.goal(name, times.p99_ms(), Wanted::Below(bound), "ms");
    }
    good.judge(&mut report);
    Ok(report)
}

/// One attack, from its first socket to its end.
fn beside(
    report: &mut Report,
    setting: &Setting,
    good: &mut Good,
    (name, count): (&str, usize),
    attack: &mut dyn Attack,
) -> Result<Times> {
    let before = resident(setting)?;
    attack.begin()?;
    let times = good.hear(setting, || attack.go_on())?;
    if let (Some(before), Some(during)) = (before, resident(setting)?) {
        let each = during.saturating_sub(before) as f64 / count as f64;
        let name = format!("{name}: memory an attacker");
        report.goal(name, each, Wanted::Below(ATTACKER_BYTES_MAX), "B");
    }
    let waiting = clock::now();
    let within = attack.over_within(setting.authenticate_within) + LEEWAY;
    while attack.ends().all() < count && waiting.elapsed() < within {
        attack.go_on()?;
        good.audience.listen(Duration::from_millis(50))?;
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
    fn hear(
        &mut self,
        setting: &Setting,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<Times> {
        let audience = &mut self.audience;
        audience.sight.arrivals.clear();
        let start = clock::now();
        let joins = (setting.rate * setting.lasting.as_secs_f64()).max(1.0) as u32;
        let burst =
            setting
                .discord
                .start_joins(setting.guild, joins, setting.rate.max(1.0) as u32)?;
        while start.elapsed() < setting.lasting {
            meanwhile()?;
            audience.listen(Duration::from_millis(50))?;
        }
        self.count += u64::from(joins);
        let count = self.count;
        audience.listen_until(DRAINING, |sight| {
            sight.counts.iter().all(|&seen| seen == count)
        })?;
        let emitted = setting.discord.burst(burst)?;
        Ok(audience.sight.times(&emitted.emissions))
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
