//! A recording instead of a world: what a session gets is what was recorded.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use guildgate_model::Mono;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{ConnectionId, Discord, session::Job};
use crate::{
    event::Dispatch,
    recording::{Direction, Recording},
};

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times its own speed; 1 is as it was.
    Times(f64),
    /// As fast as the client takes it.
    AsTaken,
}

/// A recording to play to every session.
#[derive(Debug, Clone)]
pub struct Playback {
    events: Arc<[(Duration, Arc<Dispatch>)]>,
    speed: Speed,
}

#[derive(Deserialize)]
struct Frame<'a> {
    op: u8,
    #[serde(borrow)]
    t: Option<&'a str>,
    #[serde(borrow)]
    d: Option<&'a RawValue>,
}

impl Playback {
    /// Plays `recording`'s dispatches, from READY on; RESUMED and what comes before READY is
    /// left out.
    ///
    /// A recording that had to begin anew has another READY. A session that is played has none,
    /// for it did not end: it hears instead that the guilds are gone that the other READY no
    /// longer lists, and the others come again as they do after an outage.
    #[must_use]
    pub fn new(recording: &Recording, speed: Speed) -> Playback {
        let incoming = recording
            .frames
            .iter()
            .filter(|frame| frame.dir == Direction::In);
        let mut events: Vec<(Duration, Arc<Dispatch>)> = Vec::new();
        let mut start = None;
        let mut guilds = Guilds::default();
        for recorded in incoming {
            let Ok(Frame {
                op: 0,
                t: Some(name),
                d: Some(data),
            }) = serde_json::from_str::<Frame<'_>>(recorded.frame.get())
            else {
                continue;
            };
            let begins = name == "READY";
            let again = begins && start.is_some();
            if begins {
                start.get_or_insert(recorded.t_ms);
            }
            // The name goes into frames as it is.
            let plain =
                |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            let Some(start) = start else {
                continue;
            };
            let gone = guilds.heed(name, data.get());
            let at = Duration::from_millis(recorded.t_ms.saturating_sub(start));
            events.extend(gone.iter().map(|id| {
                let left = Dispatch::new("GUILD_DELETE", &json!({ "id": id }));
                (at, left)
            }));
            if !again && name != "RESUMED" && name.bytes().all(plain) {
                let dispatch = Dispatch {
                    name: name.to_owned().into(),
                    data: data.get().into(),
                };
                events.push((at, Arc::new(dispatch)));
            }
        }
        Playback {
            events: events.into(),
            speed,
        }
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// When, after a session began, the event with this index is due; none past the end, or
    /// where the client sets the speed.
    fn due(&self, index: usize) -> Option<Duration> {
        let (at, _) = self.events.get(index)?;
        match self.speed {
            Speed::Times(times) if times > 0.0 => {
                Some(Duration::try_from_secs_f64(at.as_secs_f64() / times).unwrap_or(Duration::MAX))
            }
            Speed::Times(_) | Speed::AsTaken => None,
        }
    }
}

/// The guilds that a recorded bot is in, as its events go by.
#[derive(Debug, Default)]
struct Guilds(BTreeSet<String>);

impl Guilds {
    /// Takes an event; the guilds that it shows to be gone without having said so.
    fn heed(&mut self, name: &str, data: &str) -> Vec<String> {
        #[derive(Deserialize)]
        struct Guild {
            id: String,
            unavailable: Option<bool>,
        }
        #[derive(Deserialize)]
        struct Ready {
            guilds: Vec<Guild>,
        }
        match name {
            "READY" => {
                let Ok(ready) = serde_json::from_str::<Ready>(data) else {
                    return Vec::new();
                };
                let listed = ready.guilds.into_iter().map(|guild| guild.id).collect();
                let before = std::mem::replace(&mut self.0, listed);
                before.difference(&self.0).cloned().collect()
            }
            "GUILD_CREATE" => {
                if let Ok(guild) = serde_json::from_str::<Guild>(data) {
                    self.0.insert(guild.id);
                }
                Vec::new()
            }
            "GUILD_DELETE" => {
                if let Ok(guild) = serde_json::from_str::<Guild>(data)
                    && guild.unavailable.is_none()
                {
                    self.0.remove(&guild.id);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

/// How far a session has been played to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Played {
    since: Mono,
    next: usize,
}

impl Discord {
    /// Plays the recording to a new session, with the session's own READY put right.
    pub(super) fn start_playback(&mut self, key: &str, own_ready: &Value) {
        let Some(playback) = self.playback.clone() else {
            return;
        };
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let recorded = playback
            .events
            .first()
            .filter(|(_, first)| first.name == "READY");
        let mut ready = recorded
            .and_then(|(_, first)| serde_json::from_str(&first.data).ok())
            .unwrap_or_else(|| own_ready.clone());
        for field in ["session_id", "resume_gateway_url", "shard"] {
            ready[field] = own_ready[field].clone();
        }
        session.played = Some(Played {
            since: self.now.mono,
            next: usize::from(recorded.is_some()),
        });
        session.jobs.clear();
        session.pending.clear();
        match playback.speed {
            Speed::Times(_) => {}
            Speed::AsTaken => session.jobs.push_back(Job::Play),
        }
        self.tell(key, Dispatch::new("READY", &ready));
        self.play();
    }

    /// Gives every session what is due of the recording.
    pub(super) fn play(&mut self) {
        let Some(playback) = self.playback.clone() else {
            return;
        };
        let now = self.now.mono;
        let mut woken: Vec<ConnectionId> = Vec::new();
        for session in self.sessions.values_mut() {
            let Some(mut played) = session.played else {
                continue;
            };
            while playback
                .due(played.next)
                .is_some_and(|due| played.since + due <= now)
            {
                session.push(playback.events[played.next].1.clone(), &self.settings);
                self.counters.dispatches += 1;
                played.next += 1;
                woken.extend(super::state::connection_of(session));
            }
            session.played = Some(played);
        }
        woken.into_iter().for_each(|id| self.wake(id));
    }

    /// Gives one session the next event of the recording, as it has taken all before.
    pub(super) fn play_next(&mut self, key: &str) {
        let Some(playback) = self.playback.clone() else {
            return;
        };
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Some(played) = &mut session.played else {
            return;
        };
        let Some((_, dispatch)) = playback.events.get(played.next) else {
            return;
        };
        played.next += 1;
        session.jobs.push_back(Job::Play);
        self.tell(key, dispatch.clone());
    }

    /// When the next event of the recording is due to any session.
    pub(super) fn playback_deadline(&self) -> Option<Mono> {
        let playback = self.playback.as_ref()?;
        let due = |played: Played| playback.due(played.next).map(|due| played.since + due);
        self.sessions
            .values()
            .filter_map(|session| session.played)
            .filter_map(due)
            .min()
    }
}

impl Playback {
    /// A world in which the recorded bot is in no guild, for the calls that a client makes
    /// before it identifies.
    #[must_use]
    pub fn world(&self) -> crate::World {
        let ready = self
            .events
            .first()
            .and_then(|(_, first)| serde_json::from_str::<Value>(&first.data).ok());
        let ready = ready.unwrap_or(json!({}));
        let id = ready["user"]["id"].as_str().and_then(|id| id.parse().ok());
        let name = ready["user"]["username"].as_str().unwrap_or("recorded");
        crate::World::empty(id.unwrap_or(crate::demo_ids::BOT), name)
    }
}
