//! What the passing of time brings: late heartbeats, ends, expired sessions, movement.

use guildgate_model::Mono;

use super::{
    Close, CloseCode, ConnectionId, Discord,
    connection::Phase,
    session::{Link, Session},
    storm::Storm,
};
use crate::config::Liveness;

impl Discord {
    /// What is due has its turn: late heartbeats, ends, sessions past resuming, movement.
    pub(crate) fn tick(&mut self) {
        let now = self.now.mono;
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.tick_connection(id, now);
        }
        let over = |session: &Session| matches!(session.link, Link::Down { until } if until <= now);
        let expired = self.sessions.iter().filter(|(_, session)| over(session));
        let expired: Vec<Box<str>> = expired.map(|(key, _)| key.clone()).collect();
        for key in expired {
            self.forget(&key);
        }
        self.move_world();
        self.play();
        self.blow();
    }

    fn tick_connection(&mut self, id: ConnectionId, now: Mono) {
        let liveness = self.settings.liveness;
        let silence_at = self.silence_at(id);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some((at, close)) = connection.ending
            && at <= now
        {
            connection.ending = None;
            return self.end(id, close);
        }
        if connection.reconnect_at.is_some_and(|at| at <= now) {
            connection.reconnect_at = None;
            self.ask_to_reconnect(id);
        }
        if let (Some(at), Liveness::Required { code, .. }) = (silence_at, liveness)
            && at <= now
        {
            return self.close(id, CloseCode::of(code));
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.held_until.is_some_and(|until| until <= now) {
            connection.held_until = None;
            self.wakes.insert(id);
        }
    }

    /// Sends op 7, and closes the connection some time later.
    pub(super) fn ask_to_reconnect(&mut self, id: ConnectionId) {
        let at = self.now.mono + self.settings.reconnect_close;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.say(7, &serde_json::Value::Null);
            connection.ending = Some((at, Close::With(CloseCode::UNKNOWN_ERROR)));
            self.wake(id);
        }
    }

    /// When a connection will have been silent for too long.
    fn silence_at(&self, id: ConnectionId) -> Option<Mono> {
        let connection = self.connections.get(&id)?;
        match (self.settings.liveness, &connection.phase) {
            (Liveness::Required { grace, .. }, Phase::Waiting | Phase::Live(_)) => {
                Some(connection.heard + self.settings.heartbeat_interval + grace)
            }
            (Liveness::Required { .. } | Liveness::Ignored, _) => None,
        }
    }

    /// When [`Discord::tick`] is next needed.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let of_connections = self.connections.iter().flat_map(|(&id, connection)| {
            let ending = connection.ending.map(|(at, _)| at);
            [
                ending,
                connection.reconnect_at,
                connection.held_until,
                self.silence_at(id),
            ]
        });
        let of_sessions = self.sessions.values().map(|session| match session.link {
            Link::Up(_) => None,
            Link::Down { until } => Some(until),
        });
        of_connections
            .chain(of_sessions)
            .chain([
                self.movement.deadline(),
                self.playback_deadline(),
                self.storm.map(Storm::deadline),
            ])
            .flatten()
            .min()
    }
}
