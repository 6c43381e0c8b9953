//! The book of requests for members: what waits, what is answered, and what never was.
//!
//! Users wanted of one guild are gathered into requests of a hundred. A request for a whole
//! guild waits for the 30 s that Discord asks for between two. Every request has a nonce, by
//! which its chunks are told from others'.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use guildgate_model::{GuildId, Mono, UserId};

use crate::{
    Intents, MembersChunk, Opcode,
    payload::{
        NONCE_BYTES_MAX, REQUEST_PREFIX_MAX, REQUEST_USERS_MAX, RateLimited, RequestMembers,
    },
};

/// How long after a request for a whole guild the next one of that guild may go out.
///
/// Source: Discord, "Gateway Events: Request Guild Members", rate limit.
pub const FULL_REQUEST_SPACING: Duration = Duration::from_secs(30);
/// How long to wait for the next chunk of an answer.
pub const CHUNK_TIMEOUT: Duration = Duration::from_secs(15);
/// The most requests that may wait.
pub const REQUESTS_MAX: usize = 4096;
/// How often a request for single users is sent at most, when its answer stalls.
const ATTEMPTS_MAX: u8 = 3;

/// Why a request for members was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Discord drops a longer nonce, and the answer could not be told from others.
    #[error("a nonce may have {NONCE_BYTES_MAX} bytes, and this one has {0}: shorten it")]
    NonceTooLong(usize),
    /// More users than one request may name.
    #[error("a request may name {REQUEST_USERS_MAX} users, and this one names {0}: split it")]
    TooManyUsers(usize),
    /// Both `query` and `user_ids`, which Discord does not take together.
    #[error("a request for members has either a query or user ids, and this one has both")]
    Ambiguous,
    /// More members by a part of their name than one request may ask for.
    #[error(
        "a request by name may ask for {REQUEST_PREFIX_MAX} members, and this one asks for {0}: \
         ask for fewer, or for all with an empty query and limit 0"
    )]
    TooManyByName(u32),
    /// Neither `query` nor `user_ids`: Discord would close the connection with 4001.
    #[error("a request for members needs either a query or user ids")]
    Unspecified,
    /// All members of a guild, without the right to them.
    #[error(
        "all members of a guild need the GUILD_MEMBERS intent: switch on \"Server Members \
         Intent\" on the application's Bot page, and add the intent to the configuration"
    )]
    NeedsGuildMembers,
    /// [`REQUESTS_MAX`] are waiting.
    #[error("{REQUESTS_MAX} requests for members are waiting: try again later")]
    Full,
}

/// How a request ended, or why it goes on waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembersOutcome {
    /// Every chunk came.
    Complete {
        /// Where.
        guild: GuildId,
        /// Which request.
        nonce: Box<str>,
        /// Users asked for that no chunk mentioned: not members either.
        unmentioned: Vec<UserId>,
    },
    /// The answer stopped coming.
    Partial {
        /// Where.
        guild: GuildId,
        /// Which request.
        nonce: Box<str>,
        /// How many chunks came.
        received: u32,
        /// Of how many, if any came.
        expected: Option<u32>,
        /// What happens now.
        then: AfterStall,
    },
    /// Discord asks for patience; the request is sent again after that.
    Held {
        /// Where.
        guild: GuildId,
        /// How long.
        retry_after: Duration,
    },
}

/// What becomes of a request whose answer stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterStall {
    /// It is sent again.
    Retried,
    /// It is dropped.
    GivenUp,
}

/// The book of one shard.
#[derive(Debug)]
pub struct MemberRequests {
    tag: u32,
    counter: u64,
    waiting: VecDeque<Waiting>,
    in_flight: BTreeMap<Box<str>, InFlight>,
    held_until: BTreeMap<GuildId, Mono>,
    full_after: BTreeMap<GuildId, Mono>,
}

#[derive(Debug)]
struct Waiting {
    request: RequestMembers,
    nonce: Box<str>,
    attempts: u8,
}

#[derive(Debug)]
struct InFlight {
    waiting: Waiting,
    order: u64,
    deadline: Mono,
    seen: BTreeSet<u32>,
    expected: Option<u32>,
    sought: BTreeSet<UserId>,
}

impl MemberRequests {
    /// An empty book. `tag` tells its nonces from those of an earlier process, whose answers
    /// may still come after a resume.
    #[must_use]
    pub fn new(tag: u32) -> MemberRequests {
        MemberRequests {
            tag,
            counter: 0,
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            held_until: BTreeMap::new(),
            full_after: BTreeMap::new(),
        }
    }

    /// Wants these users, together with others of that guild that wait already.
    ///
    /// # Errors
    /// [`RequestError::Full`]; those before it are taken.
    pub fn want(&mut self, guild: GuildId, users: &[UserId]) -> Result<(), RequestError> {
        for &user in users {
            let mut batches = self.waiting.iter_mut().filter_map(|waiting| {
                let request = &mut waiting.request;
                (request.guild_id == guild && waiting.attempts == 0)
                    .then_some(request.user_ids.as_mut())
                    .flatten()
            });
            let open =
                batches.find(|batch| batch.contains(&user) || batch.len() < REQUEST_USERS_MAX);
            match open {
                Some(batch) if batch.contains(&user) => {}
                Some(batch) => batch.push(user),
                None => self.enqueue(RequestMembers::users(guild, vec![user]))?,
            }
        }
        Ok(())
    }

    /// Takes a request as it is, within Discord's rules and the session's `intents`.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn push(
        &mut self,
        mut request: RequestMembers,
        intents: Intents,
    ) -> Result<(), RequestError> {
        let nonce_bytes = request.nonce.as_ref().map_or(0, |nonce| nonce.len());
        if nonce_bytes > NONCE_BYTES_MAX {
            return Err(RequestError::NonceTooLong(nonce_bytes));
        }
        match (&request.user_ids, &request.query) {
            (None, None) => return Err(RequestError::Unspecified),
            (Some(_), Some(_)) => return Err(RequestError::Ambiguous),
            (Some(users), None) if users.len() > REQUEST_USERS_MAX => {
                return Err(RequestError::TooManyUsers(users.len()));
            }
            (None, Some(_)) => {
                if let Some(limit) = request.limit.filter(|limit| *limit > REQUEST_PREFIX_MAX) {
                    return Err(RequestError::TooManyByName(limit));
                }
            }
            (Some(_), None) => {}
        }
        if request.is_full() && !intents.contains(Intents::GUILD_MEMBERS) {
            return Err(RequestError::NeedsGuildMembers);
        }
        if !intents.contains(Intents::GUILD_PRESENCES) {
            request.presences = None;
        }
        self.enqueue(request)
    }

    fn enqueue(&mut self, request: RequestMembers) -> Result<(), RequestError> {
        if self.waiting.len() >= REQUESTS_MAX {
            return Err(RequestError::Full);
        }
        let asked = request.nonce.clone().filter(|nonce| {
            !self.in_flight.contains_key(nonce)
                && self.waiting.iter().all(|waiting| waiting.nonce != *nonce)
        });
        let nonce = asked.unwrap_or_else(|| {
            self.counter += 1;
            format!("{:x}.{:x}", self.tag, self.counter).into()
        });
        self.waiting.push_back(Waiting {
            request,
            nonce,
            attempts: 0,
        });
        Ok(())
    }

    /// The next request to send, which counts as sent.
    pub fn next(&mut self, now: Mono) -> Option<RequestMembers> {
        let index = self
            .waiting
            .iter()
            .position(|waiting| self.free_at(&waiting.request) <= now)?;
        let mut waiting = self.waiting.remove(index)?;
        waiting.attempts += 1;
        self.held_until.retain(|_, until| *until > now);
        self.full_after.retain(|_, until| *until > now);
        if waiting.request.is_full() {
            self.full_after
                .insert(waiting.request.guild_id, now + FULL_REQUEST_SPACING);
        }
        let mut sent = waiting.request.clone();
        sent.nonce = Some(waiting.nonce.clone());
        self.counter += 1;
        let sought = waiting.request.user_ids.iter().flatten().copied().collect();
        self.in_flight.insert(
            waiting.nonce.clone(),
            InFlight {
                waiting,
                order: self.counter,
                deadline: now + CHUNK_TIMEOUT,
                seen: BTreeSet::new(),
                expected: None,
                sought,
            },
        );
        Some(sent)
    }

    /// Takes note of a chunk; answers with the outcome once it is the last one missing.
    pub fn on_chunk(&mut self, now: Mono, chunk: &MembersChunk) -> Option<MembersOutcome> {
        let nonce = self.asked_by(chunk)?;
        let request = self.in_flight.get_mut(&nonce)?;
        request.deadline = now + CHUNK_TIMEOUT;
        request.expected = Some(chunk.count);
        if chunk.index < chunk.count {
            request.seen.insert(chunk.index);
        }
        for member in &chunk.members {
            request.sought.remove(&member.user);
        }
        for user in &chunk.not_found {
            request.sought.remove(user);
        }
        if u64::try_from(request.seen.len()).unwrap_or(u64::MAX) < u64::from(chunk.count) {
            return None;
        }
        let request = self.in_flight.remove(&nonce)?;
        Some(MembersOutcome::Complete {
            guild: chunk.guild,
            nonce,
            unmentioned: request.sought.into_iter().collect(),
        })
    }

    /// A server that drops nonces is answered in order.
    fn asked_by(&self, chunk: &MembersChunk) -> Option<Box<str>> {
        match &chunk.nonce {
            Some(nonce) => self.in_flight.contains_key(nonce).then(|| nonce.clone()),
            None => self
                .in_flight
                .iter()
                .filter(|(_, request)| request.waiting.request.guild_id == chunk.guild)
                .min_by_key(|(_, request)| request.order)
                .map(|(nonce, _)| nonce.clone()),
        }
    }

    /// Discord refused a request: that guild's wait, the others go on.
    pub fn on_rate_limited(&mut self, now: Mono, limited: &RateLimited) -> Option<MembersOutcome> {
        if limited.opcode != Opcode::RequestMembers.number() {
            return None;
        }
        let refused = match (&limited.meta.nonce, limited.meta.guild_id) {
            (Some(nonce), _) if self.in_flight.contains_key(nonce) => Some(nonce.clone()),
            (_, Some(guild)) => self
                .in_flight
                .iter()
                .filter(|(_, request)| request.waiting.request.guild_id == guild)
                .max_by_key(|(_, request)| request.order)
                .map(|(nonce, _)| nonce.clone()),
            _ => None,
        };
        let refused = refused.and_then(|nonce| self.in_flight.remove(&nonce));
        let guild = refused
            .as_ref()
            .map(|request| request.waiting.request.guild_id)
            .or(limited.meta.guild_id)?;
        let retry_after = Duration::try_from_secs_f64(limited.retry_after)
            .unwrap_or(FULL_REQUEST_SPACING)
            .min(Duration::from_hours(1));
        self.held_until.insert(guild, now + retry_after);
        if let Some(mut request) = refused {
            // Being told to wait is no failed attempt.
            request.waiting.attempts -= 1;
            self.waiting.push_front(request.waiting);
        }
        Some(MembersOutcome::Held { guild, retry_after })
    }

    /// Gives up on answers that stalled; single users are asked for again.
    pub fn on_time(&mut self, now: Mono) -> Vec<MembersOutcome> {
        if self.in_flight.is_empty() {
            return Vec::new();
        }
        let stalled: Vec<Box<str>> = self
            .in_flight
            .iter()
            .filter(|(_, request)| request.deadline <= now)
            .map(|(nonce, _)| nonce.clone())
            .collect();
        let mut outcomes = Vec::new();
        for nonce in stalled {
            let Some(request) = self.in_flight.remove(&nonce) else {
                continue;
            };
            let guild = request.waiting.request.guild_id;
            let again = request.waiting.request.user_ids.is_some()
                && request.waiting.attempts < ATTEMPTS_MAX;
            outcomes.push(MembersOutcome::Partial {
                guild,
                nonce,
                received: u32::try_from(request.seen.len()).unwrap_or(u32::MAX),
                expected: request.expected,
                then: if again {
                    AfterStall::Retried
                } else {
                    AfterStall::GivenUp
                },
            });
            if again {
                self.waiting.push_back(request.waiting);
            }
        }
        outcomes
    }

    /// The session is new: answers that were on their way went with the old one.
    pub fn on_new_session(&mut self) {
        let mut lost: Vec<InFlight> = std::mem::take(&mut self.in_flight).into_values().collect();
        lost.sort_by_key(|request| request.order);
        for mut request in lost.into_iter().rev() {
            request.waiting.attempts -= 1;
            self.waiting.push_front(request.waiting);
        }
    }

    /// The connection is down: nothing can stall until it is back.
    pub fn on_link_up(&mut self, now: Mono) {
        for request in self.in_flight.values_mut() {
            request.deadline = now + CHUNK_TIMEOUT;
        }
    }

    /// When the first request that waits may be sent.
    #[must_use]
    pub fn next_at(&self) -> Option<Mono> {
        self.waiting
            .iter()
            .map(|waiting| self.free_at(&waiting.request))
            .min()
    }

    /// When the first answer stalls.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.in_flight
            .values()
            .map(|request| request.deadline)
            .min()
    }

    fn free_at(&self, request: &RequestMembers) -> Mono {
        let guild = &request.guild_id;
        let held = self.held_until.get(guild).copied().unwrap_or(Mono::ZERO);
        if request.is_full() {
            held.max(self.full_after.get(guild).copied().unwrap_or(Mono::ZERO))
        } else {
            held
        }
    }
}

#[cfg(test)]
mod tests;
