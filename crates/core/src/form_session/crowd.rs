//! A crowd: a session with too many users to tell each of who comes and goes.
//!
//! Who is in one knows what the last list named to them. Once few enough are left, each is told
//! what brings that list up to date.

use std::{collections::BTreeMap, sync::Arc};

use guildgate_model::UserId;
use guildgate_wire::{EventFrame, ParticipantView};

use super::{FormSession, Output, PRESENCE_USERS_MAX, participant::Share};
use crate::ClientId;

/// Users and their tags, as a list of participants names them, in order.
pub(super) type Named = Arc<[(UserId, Box<str>)]>;

/// A JOIN or LEAVE, and of whom.
type About = (UserId, Arc<EventFrame>);

/// What was named to each client.
#[derive(Debug)]
pub(super) struct Crowd {
    named: BTreeMap<ClientId, Named>,
    /// The last list; most clients share it with others.
    last: Named,
}

impl Crowd {
    fn name(&mut self, client: ClientId, list: Named) {
        if list != self.last {
            self.last = list;
        }
        self.named.insert(client, Arc::clone(&self.last));
    }
}

impl FormSession {
    /// Who is named to a client; `own` is its user if they are not to be named.
    pub(super) fn others(&self, own: Option<UserId>) -> impl Iterator<Item = (UserId, &str)> {
        let others = self.participants.users();
        others
            .filter(move |(user, _)| Some(*user) != own)
            .take(PRESENCE_USERS_MAX)
    }

    /// Keeps what a list names, where it matters: in a crowd, and before one that may begin.
    pub(super) fn named(&self, own: Option<UserId>) -> Option<Named> {
        let is_near = self.participants.count_users() >= PRESENCE_USERS_MAX;
        is_near.then(|| self.others(own).map(|(id, tag)| (id, tag.into())).collect())
    }

    /// In a crowd, notes what a client was named.
    pub(super) fn note_named(&mut self, client: ClientId, named: Option<Named>) {
        if let (Some(crowd), Some(named)) = (&mut self.crowd, named) {
            crowd.name(client, named);
        }
    }

    /// Tells the others that somebody has come, to whom `named` was named. The first who is one
    /// too many begins a crowd: everybody else has been told of everybody but them.
    pub(super) fn tell_joined(
        &mut self,
        client: ClientId,
        share: Share,
        named: Option<Named>,
        event: &Arc<EventFrame>,
        out: &mut Vec<Output>,
    ) {
        if self.crowd.is_some() {
            return self.note_named(client, named);
        }
        if share == Share::OneOfSeveral {
            return;
        }
        match named {
            Some(last) if self.participants.count_users() > PRESENCE_USERS_MAX => {
                let clients = self.participants.clients();
                let named = clients.map(|client| (client, Arc::clone(&last))).collect();
                self.crowd = Some(Box::new(Crowd { named, last }));
            }
            Some(_) | None => self.tell_presence(client, event, out),
        }
    }

    /// Tells the others that somebody has gone; the last who was one too many ends a crowd.
    pub(super) fn tell_left(
        &mut self,
        client: ClientId,
        share: Share,
        who: &ParticipantView<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(crowd) = &mut self.crowd {
            crowd.named.remove(&client);
            if self.participants.count_users() <= PRESENCE_USERS_MAX {
                self.disperse(out);
            }
        } else if share == Share::Only {
            let event = EventFrame::session_leave(self.key.guild, who);
            self.tell_presence(client, &event, out);
        }
    }

    /// Brings everybody's list up to date.
    fn disperse(&mut self, out: &mut Vec<Output>) {
        let Some(crowd) = self.crowd.take() else {
            return;
        };
        // Most clients in a row share a list, and so what is new to it.
        let mut news: Option<(&Named, Vec<About>)> = None;
        for (client, named) in &crowd.named {
            let Some(own) = self.participants.find(*client).map(|one| one.user) else {
                continue;
            };
            let (_, events) = match news.take() {
                Some(known) if Arc::ptr_eq(known.0, named) => news.insert(known),
                Some(_) | None => news.insert((named, self.news(named))),
            };
            let others = events.iter().filter(|(user, _)| *user != own);
            out.extend(others.map(|(_, event)| Output::Event {
                client: *client,
                event: event.clone(),
            }));
        }
    }

    /// What makes `named` a list of who is here: a LEAVE or JOIN of each that it differs in.
    fn news(&self, named: &Named) -> Vec<About> {
        let guild = self.key.guild;
        let here: BTreeMap<UserId, &str> = self.participants.users().collect();
        let gone = named.iter().filter(|(user, _)| !here.contains_key(user));
        let left = gone.map(|(uid, tag)| {
            let who = ParticipantView { uid: *uid, tag };
            (*uid, EventFrame::session_leave(guild, &who))
        });
        let is_named = |user: &UserId| named.iter().any(|(named, _)| named == user);
        let new = here.iter().filter(|(user, _)| !is_named(user));
        let joined = new.map(|(uid, tag)| {
            let who = ParticipantView { uid: *uid, tag };
            (*uid, EventFrame::session_join(guild, &who))
        });
        left.chain(joined).collect()
    }
}
