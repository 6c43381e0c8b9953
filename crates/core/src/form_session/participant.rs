//! Who takes part in a session, and what each is due for next.

use guildgate_model::{Mono, Now, Permissions, UserId};

use super::{
    HEARTBEAT_INTERVAL, Standing, TOLD_PERMISSIONS_MAX, Ticket, Verified, ordered::Ordered,
};
use crate::ClientId;

/// One client in a session.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) user: UserId,
    pub(super) tag: Box<str>,
    pub(super) standing: Standing,
    pub(super) auth: Auth,
    pub(super) link: Link,
    pub(super) heartbeat: Heartbeat,
    /// What its start was marked with.
    pub(super) nonce: Option<Box<str>>,
    /// The sets that the user was told since they last proved to know one.
    told: Vec<Permissions>,
    armed: Option<Mono>,
}

/// Whether the client's tokens hold.
#[derive(Debug)]
pub(super) enum Auth {
    /// They do: patches are taken.
    Good(Verified),
    /// It must authenticate again until then: patches are held.
    Required { until: Mono },
    /// It has sent tokens, which are being looked at; that takes as long as it takes.
    Checking(Ticket),
}

/// Whether the client has a socket. One without cannot answer a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Attached,
    Detached,
}

/// Where the session's own heartbeat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heartbeat {
    /// The next is sent then.
    Due(Mono),
    /// One was sent; its answer is awaited until then.
    Awaited(Mono),
}

impl Participant {
    pub(super) fn new(
        user: UserId,
        tag: Box<str>,
        standing: Standing,
        verified: Verified,
        now: Now,
    ) -> Participant {
        Participant {
            user,
            tag,
            standing,
            auth: Auth::Good(verified),
            link: Link::Attached,
            heartbeat: Heartbeat::Due(now.mono + HEARTBEAT_INTERVAL),
            nonce: None,
            told: vec![standing.permissions()],
            armed: None,
        }
    }

    /// Notes what the user is told of their permissions.
    pub(super) fn tell(&mut self, permissions: Permissions) {
        if self.told.len() == TOLD_PERMISSIONS_MAX {
            self.told.remove(0);
        }
        self.told.push(permissions);
    }

    /// Whether the user was told this set. Not only the last one counts: the client may have
    /// answered before the last one reached it, and may not be on the guild to be told at all.
    pub(super) fn was_told(&self, known: &str) -> bool {
        known
            .parse()
            .is_ok_and(|known: Permissions| self.told.contains(&known))
    }

    /// From here on only the set that stands counts as told.
    pub(super) fn settle(&mut self) {
        self.told = vec![self.standing.permissions()];
    }

    fn due(&self, now: Now) -> Option<Mono> {
        let auth = match &self.auth {
            Auth::Good(verified) => verified.expires_at.map(|at| now.mono_at(at)),
            Auth::Required { until } => Some(*until),
            Auth::Checking(_) => None,
        };
        let heartbeat = match (self.link, self.heartbeat) {
            (Link::Attached, Heartbeat::Due(at) | Heartbeat::Awaited(at)) => Some(at),
            (Link::Detached, _) => None,
        };
        auth.into_iter().chain(heartbeat).min()
    }
}

/// All clients in a session, found by client, by user and by who is due next.
#[derive(Debug, Default)]
pub(super) struct Participants {
    by_client: Ordered<ClientId, Box<Participant>>,
    by_user: Ordered<(UserId, ClientId)>,
    timers: Ordered<(Mono, ClientId)>,
    users: usize,
}

/// Whether a client is its user's only one in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Only,
    OneOfSeveral,
}

impl Participants {
    pub(super) fn insert(&mut self, client: ClientId, participant: Participant, now: Now) -> Share {
        let share = self.share_of(participant.user);
        if share == Share::Only {
            self.users += 1;
        }
        self.by_user.insert((participant.user, client), ());
        self.by_client.insert(client, Box::new(participant));
        self.rearm(client, now);
        share
    }

    pub(super) fn remove(&mut self, client: ClientId) -> Option<(Box<Participant>, Share)> {
        let participant = self.by_client.remove(client)?;
        self.by_user.remove((participant.user, client));
        if let Some(at) = participant.armed {
            self.timers.remove((at, client));
        }
        let share = self.share_of(participant.user);
        if share == Share::Only {
            self.users -= 1;
        }
        Some((participant, share))
    }

    pub(super) fn find(&self, client: ClientId) -> Option<&Participant> {
        self.by_client.get(client).map(Box::as_ref)
    }

    /// Changes a participant, and what it is due for.
    pub(super) fn edit<T>(
        &mut self,
        client: ClientId,
        now: Now,
        change: impl FnOnce(&mut Participant) -> T,
    ) -> Option<T> {
        let result = change(self.by_client.get_mut(client)?);
        self.rearm(client, now);
        Some(result)
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.by_client.iter().map(|(client, _)| client)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (ClientId, &Participant)> {
        self.by_client.iter().map(|(client, one)| (client, &**one))
    }

    pub(super) fn clients_of(&self, user: UserId) -> Vec<ClientId> {
        let first = ClientId {
            slot: 0,
            generation: 0,
            edge: 0,
        };
        self.by_user
            .keys_from((user, first))
            .take_while(|(owner, _)| *owner == user)
            .map(|(_, client)| client)
            .collect()
    }

    /// Each user once, with one of their tags.
    pub(super) fn users(&self) -> impl Iterator<Item = (UserId, &str)> {
        let mut last = None;
        self.by_user.iter().filter_map(move |((user, client), ())| {
            let is_new = last.replace(user) != Some(user);
            let tag = &self.by_client.get(client)?.tag;
            is_new.then_some((user, &**tag))
        })
    }

    pub(super) fn count_users(&self) -> usize {
        self.users
    }

    pub(super) fn len(&self) -> usize {
        self.by_client.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_client.len() == 0
    }

    /// Somebody whose time has come.
    pub(super) fn due(&self, now: Mono) -> Option<ClientId> {
        let (at, client) = self.timers.first()?;
        (at <= now).then_some(client)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.timers.first().map(|(at, _)| at)
    }

    fn share_of(&self, user: UserId) -> Share {
        if self.clients_of(user).is_empty() {
            Share::Only
        } else {
            Share::OneOfSeveral
        }
    }

    fn rearm(&mut self, client: ClientId, now: Now) {
        let Some(participant) = self.by_client.get_mut(client) else {
            return;
        };
        let due = participant.due(now);
        if due == participant.armed {
            return;
        }
        if let Some(at) = std::mem::replace(&mut participant.armed, due) {
            self.timers.remove((at, client));
        }
        if let Some(at) = due {
            self.timers.insert((at, client), ());
        }
    }
}
