//! From a dial to an active session.

use std::time::Duration;

use guildgate_model::Mono;

use super::{
    Epoch, Heart, Importance, Link, Note, Output, Purpose, SendLimiter, Session, Shard, State,
    Told, message,
};
use crate::{
    Compression, Inflater,
    payload::{ClientPayload, Identify, LARGE_THRESHOLD, Resume},
};

impl Shard {
    pub(super) fn dial(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.link = None;
        self.inflater = Inflater::new(self.config.compression).ok();
        let session = self.session.as_ref();
        let base = session
            .filter(|_| !self.ladder.avoids_resume_host())
            .and_then(|session| session.resume_url.as_deref())
            .unwrap_or(&self.config.gateway_url);
        let url = gateway_url(base, self.config.compression.transport());
        let purpose = match session {
            Some(_) => Purpose::Resume,
            None => Purpose::Identify,
        };
        out.push(Output::Note(Note::Dialling {
            purpose,
            url: url.as_str().into(),
        }));
        out.push(Output::Dial {
            epoch: self.epoch,
            url,
        });
        let until = now + self.config.timeouts.dial;
        self.state = State::Dialing { until };
    }

    pub(super) fn on_hello(
        &mut self,
        now: Mono,
        interval: Option<Duration>,
        out: &mut Vec<Output>,
    ) {
        let heart = Heart::new(now, interval, &mut self.rng);
        let limiter = SendLimiter::new(heart.interval());
        self.link = Some(Link { heart, limiter });
        match &self.session {
            Some(Session {
                id: Some(id),
                progress,
                ..
            }) => {
                let resume = ClientPayload::Resume(Resume {
                    token: self.config.token.clone(),
                    session_id: id.clone(),
                    seq: progress.received().unwrap_or(0),
                });
                let until = now + self.config.timeouts.ready;
                self.state = State::Resuming { until, replayed: 0 };
                self.send_vital(now, &resume, out);
            }
            Some(Session { id: None, .. }) | None => {
                self.session = None;
                self.state = State::AwaitPermit;
                out.push(Output::AskPermit { epoch: self.epoch });
            }
        }
    }

    pub(super) fn identify(&mut self, now: Mono, out: &mut Vec<Output>) {
        let shard = self.config.shard;
        let (low, high) = LARGE_THRESHOLD.into_inner();
        let identify = ClientPayload::Identify(Box::new(Identify {
            token: self.config.token.clone(),
            properties: self.config.properties.clone(),
            compress: (self.config.compression == Compression::Payload).then_some(true),
            large_threshold: Some(self.config.large_threshold.clamp(low, high)),
            shard: Some([i64::from(shard.id), i64::from(shard.count)]),
            presence: self.presence.clone(),
            intents: self.intents,
        }));
        let until = now + self.config.timeouts.ready;
        self.state = State::Identifying { until };
        self.outbox.on_identified();
        self.send_vital(now, &identify, out);
    }

    /// Sends what the connection depends on. The limit has room: it is the connection's first
    /// payloads, or what was kept back for it.
    pub(super) fn send_vital(&mut self, now: Mono, payload: &ClientPayload, out: &mut Vec<Output>) {
        if let Some(link) = &mut self.link
            && link.limiter.admit(now, Importance::Vital).is_ok()
            && let Ok(message) = message(payload)
        {
            out.push(Output::Send {
                epoch: self.epoch,
                message,
            });
        }
    }

    pub(super) fn activate(&mut self, now: Mono) {
        self.state = State::Active { since: now };
        self.ladder.on_active();
        self.told = Told::Up;
        self.outbox.requests.on_link_up(now);
    }
}

/// The URL to dial: Discord's version and encoding, and the transport's compression, added to
/// a base that may end in a slash and may have a query of its own.
fn gateway_url(base: &str, compress: Option<&str>) -> String {
    let (path, query) = base.split_once('?').unwrap_or((base, ""));
    let after_scheme = path.find("://").map_or(0, |at| at + 3);
    let slash = if path[after_scheme..].contains('/') {
        ""
    } else {
        "/"
    };
    let mut url = format!("{path}{slash}?v=10&encoding=json");
    if let Some(compress) = compress {
        url.push_str("&compress=");
        url.push_str(compress);
    }
    let ours = ["v=", "encoding=", "compress="];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if !ours.iter().any(|key| pair.starts_with(key)) {
            url.push('&');
            url.push_str(pair);
        }
    }
    url
}
