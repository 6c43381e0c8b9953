//! Clients that mean harm, beside good ones.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{Setting, audience::Audience};
use crate::{
    clock,
    engine::{Engine, Identity, Manner, Seen, Watch},
    report::{Report, Times},
};

/// Good connections hear events before and during each attack; what becomes of the attackers
/// is counted.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("hostile");
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &super::users(setting.connections))?;
    let who = identities
        .into_iter()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);
    let before = setting.process.map(|process| process.cost()).transpose()?;

    let mut joiner = Joiner::new(setting)?;
    report.times("nobody hostile", &joiner.hear(setting, &mut audience)?);

    let silent = raw(setting.gateway, ATTACKERS, b"")?;
    report.times(
        "beside half-open sockets",
        &joiner.hear(setting, &mut audience)?,
    );

    let trickling = raw(
        setting.gateway,
        ATTACKERS,
        b"GET /gateway HTTP/1.1\r\nX-A: ",
    )?;
    report.times(
        "beside headers that never end",
        &joiner.hear_while(setting, &mut audience, || {
            for socket in &trickling {
                // A refused byte is what the server is meant to come to.
                let _ = (&mut &*socket).write(b"a");
            }
        })?,
    );

    let long = vec![b'a'; 1 << 20];
    let flooding = raw(setting.gateway, ATTACKERS / 10, b"GET / HTTP/1.1\r\nX-A: ")?;
    for socket in &flooding {
        let _ = (&mut &*socket).write(&long);
    }
    report.times(
        "beside a MiB of header",
        &joiner.hear(setting, &mut audience)?,
    );
    tell_end(&mut report, "a MiB of header", &flooding);

    // Opcode 1 (text), final, masked, with the length 2^63 - 1.
    let huge = [
        0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
    ];
    upgraded(
        &mut report,
        setting,
        &mut joiner,
        &mut audience,
        "frames of 2^63 bytes",
        &huge,
    )?;
    let pings: Vec<u8> = [0x89, 0x80, 0, 0, 0, 0].repeat(10_000);
    upgraded(
        &mut report,
        setting,
        &mut joiner,
        &mut audience,
        "ping floods",
        &pings,
    )?;
    upgraded(
        &mut report,
        setting,
        &mut joiner,
        &mut audience,
        "never authenticating",
        b"",
    )?;

    if let (Some(process), Some(before)) = (setting.process, before) {
        let grown = process
            .cost()?
            .resident_bytes
            .saturating_sub(before.resident_bytes) as f64;
        report.figure("resident growth", grown / 1e6, "MB");
    }
    // Late, since a server may give them some time.
    audience.listen(PATIENCE)?;
    tell_end(&mut report, "half-open sockets", &silent);
    tell_end(&mut report, "headers that never end", &trickling);
    let closed = audience.sight.closed.values().sum::<usize>();
    report.expect(closed == 0, || {
        format!("{closed} good connections were closed")
    });
    let deaf = audience
        .sight
        .counts
        .iter()
        .filter(|&&count| count != joiner.count)
        .count();
    report.expect(deaf == 0, || {
        format!("{deaf} good connections do not show the true count")
    });
    Ok(report)
}

/// Brings in one member after another, for the good ones to hear of.
struct Joiner {
    count: u64,
}

impl Joiner {
    fn new(setting: &Setting) -> Result<Joiner> {
        let guild = setting.api.guild(setting.guild)?;
        Ok(Joiner {
            count: guild["member_count"]
                .as_u64()
                .context("the guild has no count")?,
        })
    }

    fn hear(&mut self, setting: &Setting, audience: &mut Audience) -> Result<Times> {
        self.hear_while(setting, audience, || {})
    }

    fn hear_while(
        &mut self,
        setting: &Setting,
        audience: &mut Audience,
        mut meanwhile: impl FnMut(),
    ) -> Result<Times> {
        audience.sight.arrivals.clear();
        let start = clock::now();
        let joins = (setting.rate * setting.lasting.as_secs_f64()).max(1.0) as u32;
        let burst =
            setting
                .discord
                .start_joins(setting.guild, joins, setting.rate.max(1.0) as u32)?;
        while start.elapsed() < setting.lasting {
            meanwhile();
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
}

/// Counts how upgraded attackers end.
#[derive(Default)]
struct Ends {
    live: usize,
    closed: std::collections::BTreeMap<u16, usize>,
}

impl Watch for Ends {
    fn on(&mut self, _: usize, seen: Seen<'_>) {
        match seen {
            Seen::Closed(code) => *self.closed.entry(code.unwrap_or(0)).or_default() += 1,
            Seen::Refused(status) => *self.closed.entry(status).or_default() += 1,
            Seen::Live { .. } => self.live += 1,
            Seen::Event(_) | Seen::Answer(_) => {}
        }
    }
}

/// Attackers that upgrade, never authenticate, and send `bytes`.
fn upgraded(
    report: &mut Report,
    setting: &Setting,
    joiner: &mut Joiner,
    audience: &mut Audience,
    name: &str,
    bytes: &[u8],
) -> Result<()> {
    let mut engine = Engine::new(setting.gateway)?;
    let mut ends = Ends::default();
    let nobody = std::sync::Arc::new(Identity {
        token: None,
        user: None,
        guild: None,
    });
    let links = (0..ATTACKERS)
        .map(|_| engine.dial(nobody.clone(), Manner::Mute, None))
        .collect::<Result<Vec<_>, _>>()?;
    let upgrading = clock::now();
    while !engine.is_upgraded() && upgrading.elapsed() < UPGRADING {
        engine.turn(Duration::from_millis(10), &mut ends)?;
    }
    let times = joiner.hear_while(setting, audience, || {
        for &link in &links {
            // A refused byte is what the server is meant to come to.
            let _ = engine.send_raw(link, bytes);
        }
        let _ = engine.turn(Duration::ZERO, &mut ends);
    })?;
    report.times(&format!("beside {name}"), &times);
    for (code, count) in ends.closed {
        report.figure(format!("{name}: ended with {code}"), count as f64, "");
    }
    Ok(())
}

fn raw(gateway: SocketAddr, count: usize, head: &[u8]) -> Result<Vec<TcpStream>> {
    (0..count)
        .map(|_| {
            let mut socket = TcpStream::connect(gateway)?;
            socket.write_all(head)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect()
}

/// Tells how many of these the server has closed.
fn tell_end(report: &mut Report, name: &str, sockets: &[TcpStream]) {
    let mut answer = [0; 1024];
    let ended = sockets
        .iter()
        .filter(|socket| match (&mut &**socket).read(&mut answer) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        })
        .count();
    report.figure(format!("{name}: answered or closed"), ended as f64, "");
    report.figure(format!("{name}: in all"), sockets.len() as f64, "");
}

const ATTACKERS: usize = 200;
/// Longer than a server should wait for an upgrade.
const PATIENCE: Duration = Duration::from_secs(15);
const DRAINING: Duration = Duration::from_secs(10);
const UPGRADING: Duration = Duration::from_secs(10);
