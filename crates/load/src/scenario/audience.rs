//! Connections on one guild, and what they have seen: the start of every scenario.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{Setting, users};
use crate::{
    clock,
    control::{Emission, Wanted},
    engine::{Engine, Identity, Manner, Seen, Session, Watch, text},
    report::{Report, Times},
};

/// The connections, and what they have seen.
pub struct Audience {
    /// The connections.
    pub engine: Engine,
    /// What they have seen.
    pub sight: Sight,
    guild_token: Arc<str>,
}

/// What connections have seen.
#[derive(Debug, Default)]
pub struct Sight {
    /// How many came live, and how many of them by a resume.
    pub live: usize,
    /// How many of those were resumed.
    pub resumed: usize,
    /// Connections that are over, by close code; 0 for none.
    pub closed: BTreeMap<u16, usize>,
    /// Upgrades refused, by HTTP status.
    pub refused: BTreeMap<u16, usize>,
    /// The last command that was refused.
    pub refusal: Option<Box<str>>,
    /// Which member counts came when, microseconds since 1970, over all links.
    pub arrivals: Vec<(u64, i64)>,
    /// The last member count that each link saw.
    pub counts: Vec<u64>,
    /// How many count events each link saw.
    pub count_events: Vec<u32>,
    /// How many privilege updates each link saw.
    pub privileges: Vec<u32>,
    /// The number of each privilege update at its link, and when it came, microseconds since
    /// 1970, over all links.
    pub privilege_arrivals: Vec<(u32, i64)>,
}

impl Watch for Sight {
    fn on(&mut self, link: usize, seen: Seen<'_>) {
        match seen {
            Seen::Live { resumed } => {
                self.live += 1;
                self.resumed += usize::from(resumed);
                self.room(link);
            }
            Seen::Event(event) => self.on_event(link, event),
            Seen::Answer(answer) => self.refusal = Some(String::from_utf8_lossy(answer).into()),
            Seen::Refused(status) => *self.refused.entry(status).or_default() += 1,
            Seen::Closed(code) => *self.closed.entry(code.unwrap_or(0)).or_default() += 1,
        }
    }
}

impl Sight {
    fn room(&mut self, link: usize) {
        if self.counts.len() <= link {
            self.counts.resize(link + 1, 0);
            self.count_events.resize(link + 1, 0);
            self.privileges.resize(link + 1, 0);
        }
    }

    /// From each emission to its arrivals; those that were conflated away have none.
    pub fn times(&self, emissions: &[Emission]) -> Times {
        let mut times = Times::default();
        self.add_times(emissions, &mut times);
        times
    }

    /// Adds the same to `times`.
    pub fn add_times(&self, emissions: &[Emission], times: &mut Times) {
        let emitted: BTreeMap<u64, i64> = emissions
            .iter()
            .map(|emission| (emission.member_count, emission.unix_us))
            .collect();
        for (count, arrived) in &self.arrivals {
            if let Some(emitted) = emitted.get(count) {
                let us = u64::try_from(arrived - emitted).unwrap_or(0);
                times.add(Duration::from_micros(us));
            }
        }
    }

    /// From each role edit to its privilege updates, which are never conflated: a link's first
    /// since [`Sight::forget_privileges`] is of the first edit.
    pub fn privilege_times(&self, emissions: &[Emission]) -> Times {
        let emitted: BTreeMap<u32, i64> = emissions
            .iter()
            .map(|emission| (emission.number, emission.unix_us))
            .collect();
        let mut times = Times::default();
        for (number, arrived) in &self.privilege_arrivals {
            if let Some(emitted) = emitted.get(number) {
                let us = u64::try_from(arrived - emitted).unwrap_or(0);
                times.add(Duration::from_micros(us));
            }
        }
        times
    }

    /// Privilege updates are counted anew.
    pub fn forget_privileges(&mut self) {
        self.privileges.fill(0);
        self.privilege_arrivals.clear();
    }

    fn on_event(&mut self, link: usize, event: &[u8]) {
        self.room(link);
        match text::event(event) {
            Some(b"GUILD_MEMBER_COUNT_CHANGE") => {
                let Some(count) = text::number(event, b"\"member_count\":") else {
                    return;
                };
                self.counts[link] = count;
                self.count_events[link] += 1;
                self.arrivals.push((count, clock::unix_us()));
            }
            Some(b"GUILD_PRIVILEGE_UPDATE") => {
                self.privileges[link] += 1;
                let arrival = (self.privileges[link], clock::unix_us());
                self.privilege_arrivals.push(arrival);
            }
            Some(_) | None => {}
        }
    }
}

impl Audience {
    /// Full sessions of as many users as there are to be connections, who all hold one role:
    /// them, and the role.
    pub fn of_members(setting: &Setting, report: &mut Report) -> Result<(Audience, u64)> {
        let users = users(setting.connections);
        let role = setting.role(&users)?;
        let mut audience = Audience::new(setting)?;
        let who = audience
            .identities(setting, &users)?
            .into_iter()
            .map(|identity| (identity, Manner::Good, None));
        let took = audience.gather(setting.ramp, who)?;
        audience.tell(report, setting.connections, took);
        Ok((audience, role))
    }

    /// Nobody yet.
    ///
    /// # Errors
    /// If the gateway issues no guild token.
    pub fn new(setting: &Setting) -> Result<Audience> {
        let wanted = Wanted {
            kind: "gatewayGuild",
            owner: Some(setting.guild),
            uses: Some(1_000_000_000),
        };
        Ok(Audience {
            engine: Engine::new(setting.gateway).context("opening epoll")?,
            sight: Sight::default(),
            guild_token: setting.api.issue(wanted)?,
        })
    }

    /// Basic identities on the guild, or full ones of `users` where those are given.
    ///
    /// # Errors
    /// If the gateway issues no tokens.
    pub fn identities(&self, setting: &Setting, users: &[u64]) -> Result<Vec<Arc<Identity>>> {
        let guild = Some((setting.guild, Arc::clone(&self.guild_token)));
        if !setting.full {
            let basic = Arc::new(Identity {
                token: None,
                user: None,
                guild,
            });
            return Ok(vec![basic; setting.connections]);
        }
        let tokens = setting.api.issue_users(users, Wanted::GATEWAY_USER)?;
        Ok(users
            .iter()
            .zip(tokens)
            .map(|(&user, token)| {
                Arc::new(Identity {
                    token: Some(token),
                    user: Some(user),
                    guild: guild.clone(),
                })
            })
            .collect())
    }

    /// Dials all of these, at most `ramp` a second and [`DIALLING_MAX`] handshakes at once, and
    /// waits until each is live or over. Tells how long it took.
    ///
    /// # Errors
    /// If the system gives no more sockets, or nothing moves for long.
    pub fn gather(
        &mut self,
        ramp: usize,
        who: impl IntoIterator<Item = (Arc<Identity>, Manner, Option<Session>)>,
    ) -> Result<Duration> {
        let start = clock::now();
        let mut who = who.into_iter();
        let mut dialled = 0;
        let (live, over) = (self.sight.live, self.over());
        let let_in = self.engine.totals().let_in;
        let mut moved = (start, 0);
        loop {
            let settled = self.sight.live - live + self.over() - over;
            let due = (start.elapsed().as_secs_f64() * ramp as f64) as usize + 1;
            // Who is let in and waits for the guild waits for Discord, and keeps nobody out.
            let let_in = (self.engine.totals().let_in - let_in) as usize;
            let past = settled.max(let_in + self.over() - over);
            while dialled < due && dialled.saturating_sub(past) < DIALLING_MAX {
                let Some((identity, manner, resume)) = who.next() else {
                    break;
                };
                self.engine
                    .dial(identity, manner, resume)
                    .context("dialling; a process may open only so many files (ulimit -n)")?;
                dialled += 1;
            }
            if settled >= dialled && who.size_hint().0 == 0 {
                return Ok(start.elapsed());
            }
            if settled != moved.1 {
                moved = (clock::now(), settled);
            } else if moved.0.elapsed() > STUCK_AFTER {
                bail!(
                    "{settled} of {dialled} connections settled, then nothing moved for {STUCK_AFTER:?}"
                );
            }
            self.engine
                .turn(Duration::from_millis(1), &mut self.sight)?;
        }
    }

    /// Reads for `lasting`.
    ///
    /// # Errors
    /// If epoll fails.
    pub fn listen(&mut self, lasting: Duration) -> Result<()> {
        let start = clock::now();
        while let Some(rest) = lasting.checked_sub(start.elapsed()) {
            self.engine
                .turn(rest.min(Duration::from_millis(20)), &mut self.sight)?;
        }
        Ok(())
    }

    /// Reads until `holds`, at most `within`; whether it came to hold.
    ///
    /// # Errors
    /// If epoll fails.
    pub fn listen_until(
        &mut self,
        within: Duration,
        mut holds: impl FnMut(&Sight) -> bool,
    ) -> Result<bool> {
        let start = clock::now();
        while start.elapsed() < within {
            if holds(&self.sight) {
                return Ok(true);
            }
            self.engine
                .turn(Duration::from_millis(5), &mut self.sight)?;
        }
        Ok(holds(&self.sight))
    }

    /// How many connections were refused or are over.
    pub fn over(&self) -> usize {
        self.sight.refused.values().sum::<usize>() + self.sight.closed.values().sum::<usize>()
    }

    /// Notes how the gathering went.
    pub fn tell(&self, report: &mut Report, wanted: usize, took: Duration) {
        report.figure("connections", self.sight.live as f64, "");
        report.figure(
            "connections a second",
            wanted as f64 / took.as_secs_f64(),
            "/s",
        );
        for (status, count) in &self.sight.refused {
            report.figure(format!("upgrades refused with {status}"), *count as f64, "");
        }
        for (code, count) in &self.sight.closed {
            report.figure(format!("closed with {code}"), *count as f64, "");
        }
        report.expect(self.sight.live >= wanted, || {
            let refusal = self.sight.refusal.as_deref().unwrap_or("none was refused");
            format!(
                "{} of {wanted} connections came live; {refusal}",
                self.sight.live
            )
        });
    }
}

/// How many handshakes are under way at once.
const DIALLING_MAX: usize = 512;
/// Longer than the gateway lets anybody wait for Discord.
const STUCK_AFTER: Duration = Duration::from_secs(120);
