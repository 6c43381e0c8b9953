//! Editors of one application form, all at once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Setting, audience::Audience, users};
use crate::{
    clock,
    control::Wanted,
    engine::{Manner, Seen, Watch, text},
    report::{Report, Times},
};

/// Everybody opens the guild's form; then patches are made at `rate`, in turns, each by an
/// editor who knows the newest version. The others must see each patch, once, and soon.
pub fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::new("editors");
    let setting = &setting.full();
    let users = users(setting.connections);
    setting.role(&users)?;
    let mut audience = Audience::new(setting)?;
    let identities = audience.identities(setting, &users)?;
    let user_tokens = setting.api.issue_users(&users, Wanted::USER)?;
    let who = identities
        .iter()
        .cloned()
        .map(|identity| (identity, Manner::Good, None));
    let took = audience.gather(setting.ramp, who)?;
    audience.tell(&mut report, setting.connections, took);

    let mut room = Room::default();
    let links: Vec<usize> = audience.engine.ids().collect();
    for (&link, (identity, user_token)) in links.iter().zip(identities.iter().zip(&user_tokens)) {
        let start = json!({
            "uid": identity.user.map(|user| user.to_string()),
            "gid": setting.guild.to_string(),
            "utokh": &**user_token,
            "uhash": identity.token.as_deref(),
        });
        let command = json!({ "op": 6, "cmd": "APPLICATION_SESSION", "d": start });
        audience.engine.send(link, &command.to_string())?;
    }
    let started = room.listen_until(&mut audience, |room| room.answers >= links.len())?;
    if !started || room.refused > 0 {
        bail!(
            "{} of {} editors opened the form; the last refusal: {}",
            room.answers - room.refused,
            links.len(),
            room.last_refusal
        );
    }
    sections(setting, &mut audience, &mut room, links[0])?;

    let before = setting.process.map(|process| process.cost()).transpose()?;
    let start = clock::now();
    let gap = Duration::from_secs_f64(1.0 / setting.rate);
    let mut made = 0;
    room.answers = 0;
    while start.elapsed() < setting.lasting {
        let editor = links[made % links.len()];
        let path = format!("/sections/{}/title", made % SECTIONS);
        let patch = json!([{ "op": "replace", "path": path, "value": format!("p{made}") }]);
        room.sent.insert(made, clock::now());
        send_patch(setting, &mut audience, room.version, editor, &patch)?;
        made += 1;
        while let Some(rest) = (gap * made as u32).checked_sub(start.elapsed()) {
            audience
                .engine
                .turn(rest.min(Duration::from_millis(5)), &mut room)?;
        }
    }
    let all = room.listen_until(&mut audience, |room| room.answers >= made)?;
    let took = start.elapsed();
    let taken = made - room.refused;
    let wanted = taken * (links.len() - 1);
    room.listen_until(&mut audience, |room| room.seen >= wanted)?;
    report.figure("patches made", made as f64, "");
    report.figure("refused", room.refused as f64, "");
    report.figure("patches a second", taken as f64 / took.as_secs_f64(), "/s");
    report.times("from one editor's send to the others", &room.heard);
    report.times("from the send to its own answer", &room.answered);
    if let (Some(process), Some(before)) = (setting.process, before) {
        let cpu = process.cost()?.cpu.saturating_sub(before.cpu).as_secs_f64();
        report.figure("server CPU a patch", cpu * 1e6 / taken as f64, "µs");
    }
    report.expect(all, || {
        format!("only {} of {made} patches were answered", room.answers)
    });
    report.expect(room.seen == wanted, || {
        format!("{} patch events came, {wanted} should have", room.seen)
    });
    Ok(report)
}

/// Gives the form the sections that will be edited.
fn sections(
    setting: &Setting,
    audience: &mut Audience,
    room: &mut Room,
    editor: usize,
) -> Result<()> {
    let section = json!({ "title": "p", "description": "", "fields": [] });
    let add = json!({ "op": "add", "path": "/sections/-", "value": section });
    room.answers = 0;
    let (version, patch) = (room.version, Value::from(vec![add; SECTIONS]));
    send_patch(setting, audience, version, editor, &patch)?;
    let heard = room.listen_until(audience, |room| room.answers > 0 && room.version > version)?;
    if !heard || room.refused > 0 {
        bail!("the form took no sections: {}", room.last_refusal);
    }
    room.listen_until(audience, |room| room.patches + 1 >= setting.connections)?;
    Ok(())
}

fn send_patch(
    setting: &Setting,
    audience: &mut Audience,
    base: u64,
    editor: usize,
    patch: &Value,
) -> Result<()> {
    let data = json!({ "gid": setting.guild.to_string(), "base": base, "patch": patch });
    let command = json!({ "op": 6, "cmd": "APPLICATION_SESSION_PATCH", "d": data });
    audience
        .engine
        .send(editor, &command.to_string())
        .context("sending a patch")
}

/// What the editors saw.
#[derive(Debug, Default)]
struct Room {
    /// The newest version that anybody saw.
    version: u64,
    /// When each patch was sent.
    sent: BTreeMap<usize, Instant>,
    /// Answers, refusals included.
    answers: usize,
    refused: usize,
    last_refusal: String,
    /// Patch events of any kind.
    patches: usize,
    /// Patch events of those that are timed.
    seen: usize,
    heard: Times,
    answered: Times,
    closed: usize,
}

impl Room {
    fn listen_until(
        &mut self,
        audience: &mut Audience,
        mut holds: impl FnMut(&Room) -> bool,
    ) -> Result<bool> {
        let start = clock::now();
        while start.elapsed() < WITHIN {
            if holds(self) {
                return Ok(true);
            }
            if self.closed > 0 {
                bail!("{} editors were closed", self.closed);
            }
            audience.engine.turn(Duration::from_millis(5), self)?;
        }
        Ok(holds(self))
    }

    fn on_answer(&mut self, answer: &[u8]) {
        self.answers += 1;
        if memchr::memmem::find(answer, b"\"error\"").is_some() {
            self.refused += 1;
            self.last_refusal = String::from_utf8_lossy(answer).into_owned();
        } else if let Some(sent) = self.sent.values().next_back() {
            // One patch is under way at a time as long as the gap is longer than an answer
            // takes; behind that, this is what the newest has waited.
            self.answered.add(clock::now().duration_since(*sent));
        }
        self.learn(answer);
    }

    fn learn(&mut self, text: &[u8]) {
        let version = text::number(text, b"\"apv\":").unwrap_or(0);
        self.version = self.version.max(version);
    }
}

impl Watch for Room {
    fn on(&mut self, _: usize, seen: Seen<'_>) {
        match seen {
            Seen::Answer(answer) => self.on_answer(answer),
            Seen::Event(event) if text::event(event) == Some(b"APPLICATION_SESSION_PATCH") => {
                self.patches += 1;
                self.learn(event);
                let number = text::number(event, b"\"value\":\"p");
                let number = number.and_then(|number| usize::try_from(number).ok());
                if let Some(sent) = number.and_then(|number| self.sent.get(&number)) {
                    self.seen += 1;
                    self.heard.add(clock::now().duration_since(*sent));
                }
            }
            Seen::Closed(_) | Seen::Refused(_) => self.closed += 1,
            Seen::Event(_) | Seen::Live { .. } => {}
        }
    }
}

const SECTIONS: usize = 10;
const WITHIN: Duration = Duration::from_secs(20);
