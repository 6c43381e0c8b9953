//! Open application sessions that wait.

use std::{ops::Range, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Setting, audience::Audience, users};
use crate::{
    clock, control,
    engine::{Manner, Seen, Watch, text},
    report::{Report, Wanted},
};

/// What the sessions edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// All the guild's form.
    Form,
    /// Each its own user's draft of answers to it.
    Answers,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Form => "form",
            Target::Answers => "answers",
        }
    }
}

/// Connects full sessions and lets them settle; gives the form [`FIELDS`] sections; has each
/// connection open an application session, and lets those settle. What a session costs is the
/// growth between the two, and it is to be no more than a connection's. Both come in halves:
/// the second one's growth leaves out what the process takes once, such as the database's
/// caches.
pub fn run(setting: &Setting, target: Target) -> Result<Report> {
    let mut report = Report::new(match target {
        Target::Form => "form-sessions",
        Target::Answers => "draft-sessions",
    });
    let setting = &setting.full();
    let users = users(setting.connections);
    setting.role(&users)?;
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users)?;
    let user_tokens = setting.api.issue_users(&users, control::Wanted::USER)?;
    let resident = || -> Result<f64> {
        let process = setting
            .process
            .context("the gateway's memory: --spawn or --pid")?;
        Ok(process.cost()?.resident_bytes as f64)
    };
    let settling = SETTLING.max(setting.lasting);
    let halves = Halves::of(setting.connections);
    let mut connected = vec![resident()?];
    let mut took = Duration::ZERO;
    for half in halves.ranges() {
        let who = identities[half]
            .iter()
            .cloned()
            .map(|identity| (identity, Manner::Good, None));
        took += audience.gather(setting.ramp, who)?;
        audience.listen(settling)?;
        connected.push(resident()?);
    }
    audience.tell(&mut report, setting.connections, took);

    let starts: Vec<(usize, String)> = {
        let links = audience.engine.ids();
        let who = identities.iter().zip(&user_tokens);
        links
            .zip(who)
            .map(|(link, (identity, user_token))| {
                let start = json!({
                    "uid": identity.user.map(|user| user.to_string()),
                    "gid": setting.guild.to_string(),
                    "utokh": &**user_token,
                    "uhash": identity.token.as_deref(),
                    "target": target.name(),
                });
                let command = json!({ "op": 6, "cmd": "APPLICATION_SESSION", "d": start });
                (link, command.to_string())
            })
            .collect()
    };
    let mut room = Room::default();
    let Some((first, _)) = starts.first() else {
        bail!("no connection came live");
    };
    fill_form(
        setting,
        &mut audience,
        &mut room,
        *first,
        &identities[0].user,
        &user_tokens[0],
    )?;
    let mut opened = vec![resident()?];
    let mut took = Duration::ZERO;
    for half in Halves::of(starts.len()).ranges() {
        let start = clock::now();
        let (open, count) = (room.answers, half.len());
        for (sent, (link, command)) in starts[half].iter().enumerate() {
            audience.engine.send(*link, command)?;
            room.turn_until(&mut audience, |room| {
                room.answers - open + OPENING_MAX > sent
            })?;
        }
        room.turn_until(&mut audience, |room| room.answers - open >= count)?;
        took += start.elapsed();
        room.listen(&mut audience, settling)?;
        opened.push(resident()?);
    }

    let count = starts.len() as f64;
    report.figure("sessions", count, "");
    report.figure("sessions opened a second", count / took.as_secs_f64(), "/s");
    report.figure("resident before", connected[0] / 1e6, "MB");
    report.figure("resident after", opened[2] / 1e6, "MB");
    let connection = (connected[2] - connected[0]) / count;
    report.figure("resident a connection", connection, "B");
    let second = halves.second as f64;
    let name = "resident a connection, second half";
    report.figure(name, (connected[2] - connected[1]) / second, "B");
    let session = (opened[2] - opened[0]) / count;
    let wanted = Wanted::Below(connection);
    report.goal("resident a session, besides", session, wanted, "B");
    let name = "resident a session, besides, second half";
    report.figure(name, (opened[2] - opened[1]) / second, "B");
    report.expect(room.refused == 0, || {
        format!("{} were refused: {}", room.refused, room.last_refusal)
    });
    report.expect(room.closed == 0, || format!("{} were closed", room.closed));
    report.expect(room.ended == 0, || format!("{} sessions ended", room.ended));
    Ok(report)
}

/// A number in two parts.
#[derive(Debug, Clone, Copy)]
struct Halves {
    first: usize,
    second: usize,
}

impl Halves {
    fn of(whole: usize) -> Halves {
        let first = whole / 2;
        Halves {
            first,
            second: whole - first,
        }
    }

    fn ranges(self) -> [Range<usize>; 2] {
        [0..self.first, self.first..self.first + self.second]
    }
}

/// Gives the form a few fields, by a session of the first connection's that ends again.
fn fill_form(
    setting: &Setting,
    audience: &mut Audience,
    room: &mut Room,
    editor: usize,
    user: &Option<u64>,
    user_token: &str,
) -> Result<()> {
    let guild = setting.guild.to_string();
    let gateway_token = setting.api.issue(control::Wanted {
        kind: control::Wanted::GATEWAY_USER,
        owner: *user,
        uses: None,
    })?;
    let start = json!({
        "uid": user.map(|user| user.to_string()), "gid": guild,
        "utokh": user_token, "uhash": &*gateway_token,
    });
    let field = |number: usize| {
        json!({ "id": format!("f{number}"), "title": "A question of some length", "type": 1,
                "description": "", "length": [0, 2000], "required": false })
    };
    let fields: Vec<Value> = (0..FIELDS).map(field).collect();
    let section = json!({ "title": "About you", "description": "", "fields": fields });
    let patch = json!([
        { "op": "add", "path": "/sections/-", "value": section },
        { "op": "replace", "path": "/status", "value": 1 },
    ]);
    for step in [
        "APPLICATION_SESSION",
        "APPLICATION_SESSION_PATCH",
        "APPLICATION_SESSION_END",
    ] {
        let data = match step {
            "APPLICATION_SESSION" => start.clone(),
            "APPLICATION_SESSION_PATCH" => {
                json!({ "gid": guild, "base": room.version, "patch": patch })
            }
            _ => json!({ "gid": guild }),
        };
        let answers = room.answers;
        let command = json!({ "op": 6, "cmd": step, "d": data });
        audience.engine.send(editor, &command.to_string())?;
        room.turn_until(audience, |room| room.answers > answers)?;
        if room.refused > 0 {
            bail!("the form could not be filled: {}", room.last_refusal);
        }
    }
    // Its own end is told behind the answer, and is none of those that should not be.
    room.turn_until(audience, |room| room.ended > 0)?;
    room.ended = 0;
    Ok(())
}

/// What the sessions' clients saw, and the heartbeats that they owe.
#[derive(Debug, Default)]
struct Room {
    version: u64,
    answers: usize,
    refused: usize,
    last_refusal: String,
    closed: usize,
    ended: usize,
    heartbeats: Vec<usize>,
}

impl Room {
    fn turn_until(
        &mut self,
        audience: &mut Audience,
        mut holds: impl FnMut(&Room) -> bool,
    ) -> Result<()> {
        let start = clock::now();
        while !holds(self) {
            if start.elapsed() > WITHIN {
                bail!("no answer within {WITHIN:?}; {} came", self.answers);
            }
            self.turn(audience)?;
        }
        Ok(())
    }

    fn listen(&mut self, audience: &mut Audience, lasting: Duration) -> Result<()> {
        let start = clock::now();
        while start.elapsed() < lasting {
            self.turn(audience)?;
        }
        Ok(())
    }

    fn turn(&mut self, audience: &mut Audience) -> Result<()> {
        audience.engine.turn(Duration::from_millis(5), self)?;
        let heartbeat = json!({ "op": 6, "cmd": "APPLICATION_SESSION_HB_M", "d": null });
        let heartbeat = heartbeat.to_string();
        for link in std::mem::take(&mut self.heartbeats) {
            audience.engine.send(link, &heartbeat)?;
        }
        Ok(())
    }
}

impl Watch for Room {
    fn on(&mut self, link: usize, seen: Seen<'_>) {
        match seen {
            Seen::Answer(answer) if is_heartbeats(answer) => {}
            Seen::Answer(answer) => {
                self.answers += 1;
                let version = text::number(answer, b"\"apv\":").unwrap_or(0);
                self.version = self.version.max(version);
                if memchr::memmem::find(answer, b"\"error\"").is_some() {
                    self.refused += 1;
                    self.last_refusal = String::from_utf8_lossy(answer).into_owned();
                }
            }
            Seen::Event(event) => match text::event(event) {
                Some(b"APPLICATION_SESSION_HB_P") => self.heartbeats.push(link),
                Some(b"APPLICATION_SESSION_END") => self.ended += 1,
                Some(_) | None => {}
            },
            Seen::Closed(_) | Seen::Refused(_) => self.closed += 1,
            Seen::Live { .. } => {}
        }
    }
}

fn is_heartbeats(answer: &[u8]) -> bool {
    memchr::memmem::find(answer, b"APPLICATION_SESSION_HB_M").is_some()
}

/// Fields of the form.
const FIELDS: usize = 10;
/// Starts under way at once.
const OPENING_MAX: usize = 64;
/// Until what opening used has been given back: the allocator keeps pages for ten seconds.
const SETTLING: Duration = Duration::from_secs(12);
const WITHIN: Duration = Duration::from_secs(30);
