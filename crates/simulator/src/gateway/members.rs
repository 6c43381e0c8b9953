//! GUILD_CREATE and op 8: the answers that list members.
//!
//! Source: Discord, "Gateway Events: Guild Create" and "Request Guild Members".

use guildgate_model::{GuildId, UserId};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    CloseCode, Discord,
    commands::read_id,
    intents,
    session::{Job, MembersJob},
};
use crate::{
    event::Dispatch,
    world::{
        Availability, Guild, World,
        view::{self, MemberList},
    },
};

impl Discord {
    /// Makes the next piece of a large answer.
    pub(super) fn step(&mut self, key: &str, job: Job) {
        match job {
            Job::Backfill(guild) => self.backfill(key, guild),
            Job::Members(job) => self.members_chunk(key, *job),
            Job::Play => self.play_next(key),
        }
    }

    fn backfill(&mut self, key: &str, id: GuildId) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if !session.pending.remove(&id) {
            return;
        }
        let (user, intents, large) = (session.user, session.intents, session.large_threshold);
        let Some(guild) = self.world.guild(id) else {
            return;
        };
        let dispatch = match guild.availability {
            Availability::Down => {
                Dispatch::new("GUILD_DELETE", &json!({ "id": id, "unavailable": true }))
            }
            Availability::Up => {
                let listed = self.listed(guild, user, intents, large);
                let members = MemberList {
                    world: &self.world,
                    guild,
                    users: &listed,
                };
                let presences = match intents & intents::GUILD_PRESENCES {
                    0 => Vec::new(),
                    _ => self.presences(&listed),
                };
                Dispatch::new(
                    "GUILD_CREATE",
                    &view::guild_create(guild, large, members, presences),
                )
            }
        };
        self.tell(key, dispatch);
    }

    /// Whom GUILD_CREATE lists: oneself and those in voice; with GUILD_PRESENCES everybody in
    /// a small guild, and in a larger one those who are online, or have a role or a name there.
    fn listed(&self, guild: &Guild, own: UserId, intents: u64, large: u64) -> Vec<UserId> {
        let count = guild.members.count();
        let sees_presences = intents & intents::GUILD_PRESENCES != 0;
        if !sees_presences || count > self.settings.presence_members_max {
            let voice = guild
                .voice
                .iter()
                .map(|state| state.user)
                .filter(|&user| user != own);
            return [own].into_iter().chain(voice).collect();
        }
        let wanted = |member: &crate::world::Member| {
            count <= large
                || member.user == own
                || member.nick.is_some()
                || !member.roles.is_empty()
                || self.status(member.user).is_some()
        };
        let wanted = guild.members.iter().filter(|member| wanted(member));
        wanted.map(|member| member.user).collect()
    }

    /// Op 8.
    pub(super) fn request_members(&mut self, key: &str, d: &Value) -> Result<(), CloseCode> {
        let asked = match &d["guild_id"] {
            Value::Array(ids) if ids.len() == 1 => &ids[0],
            asked => asked,
        };
        let id = read_id(asked).map(GuildId).ok_or(CloseCode::DECODE_ERROR)?;
        let (Some(session), Some(guild)) = (self.sessions.get_mut(key), self.world.guild(id))
        else {
            return Ok(());
        };
        let nonce = d["nonce"]
            .as_str()
            .filter(|nonce| nonce.len() <= NONCE_BYTES_MAX);
        let presences =
            d["presences"] == json!(true) && session.intents & intents::GUILD_PRESENCES != 0;
        let limit = d["limit"].as_u64();
        match (&d["user_ids"], d["query"].as_str(), limit) {
            (Value::Null, None, _) => Err(CloseCode::UNKNOWN_OPCODE),
            (Value::Null, Some(""), None | Some(0)) => {
                if session.intents & intents::GUILD_MEMBERS == 0 {
                    // Discord gives no answer to a request that the intents do not cover.
                    return Ok(());
                }
                let window = self.settings.full_members_window;
                let last = session.full_requests.get(&id).copied();
                if let Some(last) = last.filter(|&last| self.now.mono < last + window) {
                    let wait = (last + window).since(self.now.mono).as_secs_f64();
                    let data = json!({
                        "opcode": 8, "retry_after": wait, "meta": { "guild_id": id, "nonce": nonce },
                    });
                    self.tell(key, Dispatch::new("RATE_LIMITED", &data));
                    return Ok(());
                }
                session.full_requests.insert(id, self.now.mono);
                session.jobs.push_back(Job::Members(Box::new(MembersJob {
                    guild: id,
                    after: UserId(0),
                    chunk: 0,
                    chunks: guild.members.count().div_ceil(CHUNK_MAX as u64).max(1),
                    presences,
                    nonce: nonce.map(Into::into),
                })));
                if let Some(connection) = super::state::connection_of(session) {
                    self.wake(connection);
                }
                Ok(())
            }
            (Value::Null, Some(query), limit) => {
                let max = usize::try_from(limit.unwrap_or(ANSWERS_MAX)).unwrap_or(usize::MAX);
                let max = if max == 0 { 100 } else { max.min(100) };
                let found = matching(&self.world, guild, query, max);
                self.one_chunk(key, id, &found, None, presences, nonce);
                Ok(())
            }
            (asked, _, _) => {
                let single = std::slice::from_ref(asked);
                let asked = asked.as_array().map_or(single, Vec::as_slice);
                let ids: Vec<UserId> = asked
                    .iter()
                    .take(100)
                    .filter_map(read_id)
                    .map(UserId)
                    .collect();
                let (found, missing): (Vec<UserId>, Vec<UserId>) = ids
                    .into_iter()
                    .partition(|&user| guild.members.contains(user));
                self.one_chunk(key, id, &found, Some(&missing), presences, nonce);
                Ok(())
            }
        }
    }

    fn one_chunk(
        &mut self,
        key: &str,
        id: GuildId,
        found: &[UserId],
        not_found: Option<&[UserId]>,
        presences: bool,
        nonce: Option<&str>,
    ) {
        let Some(guild) = self.world.guild(id) else {
            return;
        };
        let chunk = ChunkView {
            guild_id: id,
            members: MemberList {
                world: &self.world,
                guild,
                users: found,
            },
            chunk_index: 0,
            chunk_count: 1,
            not_found,
            presences: presences.then(|| self.presences(found)),
            nonce,
        };
        let dispatch = Dispatch::new("GUILD_MEMBERS_CHUNK", &chunk);
        self.tell(key, dispatch);
    }

    fn members_chunk(&mut self, key: &str, mut job: MembersJob) {
        let Some(guild) = self.world.guild(job.guild) else {
            return;
        };
        let part: Vec<UserId> = guild
            .members
            .after(job.after)
            .take(CHUNK_MAX)
            .map(|member| member.user)
            .collect();
        let chunk = ChunkView {
            guild_id: job.guild,
            members: MemberList {
                world: &self.world,
                guild,
                users: &part,
            },
            chunk_index: job.chunk,
            chunk_count: job.chunks,
            not_found: None,
            presences: job.presences.then(|| self.presences(&part)),
            nonce: job.nonce.as_deref(),
        };
        let dispatch = Dispatch::new("GUILD_MEMBERS_CHUNK", &chunk);
        job.chunk += 1;
        job.after = part.last().copied().unwrap_or(UserId(u64::MAX));
        self.tell(key, dispatch);
        if job.chunk < job.chunks
            && let Some(session) = self.sessions.get_mut(key)
        {
            session.jobs.push_front(Job::Members(Box::new(job)));
        }
    }
}

/// GUILD_MEMBERS_CHUNK.
#[derive(Serialize)]
struct ChunkView<'a> {
    guild_id: GuildId,
    members: MemberList<'a>,
    chunk_index: u64,
    chunk_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_found: Option<&'a [UserId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presences: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// Members whose name, shown name or nick begins with `query`, whatever the case.
pub(crate) fn matching(world: &World, guild: &Guild, query: &str, max: usize) -> Vec<UserId> {
    let query = query.to_lowercase();
    let begins = |name: &str| name.to_lowercase().starts_with(&query);
    let fits = |member: &crate::world::Member| {
        let user = world.user(member.user);
        member.nick.as_deref().is_some_and(begins)
            || begins(&user.name)
            || user.global_name.as_deref().is_some_and(begins)
    };
    let found = guild.members.iter().filter(|member| fits(member));
    found.take(max).map(|member| member.user).collect()
}

/// Members a GUILD_MEMBERS_CHUNK.
const CHUNK_MAX: usize = 1_000;
/// Longest nonce that is echoed.
const NONCE_BYTES_MAX: usize = 32;
/// Members that a query finds when it names no limit.
const ANSWERS_MAX: u64 = 1;
