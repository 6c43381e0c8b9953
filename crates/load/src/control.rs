//! The other hand of a run: tokens from the gateway's HTTP API, events from the simulator's REST.

use std::{sync::Arc, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

use crate::clock;

/// The gateway's HTTP API.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    base: String,
    admin_key: String,
}

/// A token to be issued.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Its kind's name.
    pub kind: &'static str,
    /// Whose.
    pub owner: Option<u64>,
    /// How often it is good; none for ever.
    pub uses: Option<u32>,
}

impl Wanted {
    /// The kind by which a user authenticates.
    pub const GATEWAY_USER: &'static str = "gatewayUser";
    /// The kind of a user's session on the site.
    pub const USER: &'static str = "user";
}

impl Api {
    /// The API at `base`, such as `http://127.0.0.1:7102`.
    #[must_use]
    pub fn new(base: &str, admin_key: &str) -> Api {
        Api {
            agent: agent(),
            base: base.trim_end_matches('/').to_owned(),
            admin_key: admin_key.to_owned(),
        }
    }

    /// Whether Discord's guilds are in.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.agent
            .get(format!("{}/readyz", self.base))
            .call()
            .is_ok()
    }

    /// One figure of `/metrics`, by its whole name and labels; none if it is not there.
    ///
    /// # Errors
    /// If the gateway does not answer.
    pub fn metric(&self, name: &str) -> Result<Option<f64>> {
        let text = self
            .agent
            .get(format!("{}/metrics", self.base))
            .call()
            .context("asking the gateway for its metrics")?
            .body_mut()
            .read_to_string()
            .context("reading the gateway's metrics")?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value
            .map(str::parse)
            .transpose()
            .context("a metric is no number")
    }

    /// The live view of a guild.
    ///
    /// # Errors
    /// If the gateway does not answer or does not know the guild.
    pub fn guild(&self, guild: u64) -> Result<Value> {
        let url = format!("{}/api/v1/guilds/{guild}", self.base);
        let bearer = format!("Bearer {}", self.admin_key);
        let mut answer = self
            .agent
            .get(&url)
            .header("Authorization", &bearer)
            .call()
            .with_context(|| format!("asking the gateway for guild {guild}"))?;
        answer
            .body_mut()
            .read_json()
            .context("reading the gateway's view of the guild")
    }

    /// Issues one token.
    ///
    /// # Errors
    /// If the gateway does not answer or does not take the admin key.
    pub fn issue(&self, wanted: Wanted) -> Result<Arc<str>> {
        let Wanted { kind, owner, uses } = wanted;
        let owner = owner.map(|owner| owner.to_string());
        let mut answer = self
            .agent
            .post(format!("{}/api/v1/tokens", self.base))
            .header("Authorization", &format!("Bearer {}", self.admin_key))
            .send_json(json!({ "kind": kind, "for": owner, "uses": uses }))
            .with_context(|| format!("issuing a {kind} token; is the admin key right?"))?;
        let answer: Value = answer.body_mut().read_json().context("reading the token")?;
        match answer["token"].as_str() {
            Some(token) => Ok(token.into()),
            None => bail!("the gateway's answer holds no token: {answer}"),
        }
    }

    /// Issues one token of this kind each, many at a time so that the store can group them.
    ///
    /// # Errors
    /// As [`Api::issue`], the first one met.
    pub fn issue_users(&self, users: &[u64], kind: &'static str) -> Result<Vec<Arc<str>>> {
        let share = users.len().div_ceil(ISSUERS).max(1);
        thread::scope(|scope| {
            let issuers: Vec<_> = users
                .chunks(share)
                .map(|users| {
                    scope.spawn(|| {
                        users
                            .iter()
                            .map(|&user| {
                                self.issue(Wanted {
                                    kind,
                                    owner: Some(user),
                                    uses: None,
                                })
                            })
                            .collect::<Result<Vec<_>>>()
                    })
                })
                .collect();
            let mut tokens = Vec::with_capacity(users.len());
            for issuer in issuers {
                tokens.extend(issuer.join().expect("an issuing thread does not panic")?);
            }
            Ok(tokens)
        })
    }
}

/// The simulator's REST, as a bot with every right.
#[derive(Debug, Clone)]
pub struct Discord {
    agent: Agent,
    base: String,
    authorization: String,
}

impl Discord {
    /// The REST at `base`, such as `http://127.0.0.1:7103/api/v10`.
    #[must_use]
    pub fn new(base: &str, token: &str) -> Discord {
        Discord {
            agent: agent(),
            base: base.trim_end_matches('/').to_owned(),
            authorization: format!("Bot {token}"),
        }
    }

    /// Adds a member with these roles.
    ///
    /// # Errors
    /// If the simulator does not answer or refuses.
    pub fn join(&self, guild: u64, user: u64, roles: &[u64]) -> Result<()> {
        let roles: Vec<String> = roles.iter().map(u64::to_string).collect();
        let path = format!("/guilds/{guild}/members/{user}");
        let url = format!("{}{path}", self.base);
        let body = json!({ "access_token": "load", "roles": roles });
        let start = clock::now();
        loop {
            let call = self.agent.put(&url);
            let call = call.header("Authorization", &self.authorization);
            match call.send_json(&body) {
                Ok(_) => return Ok(()),
                // Discord's limits hold here too.
                Err(ureq::Error::StatusCode(429)) if start.elapsed() < LIMITED_MAX => {
                    clock::pause();
                }
                Err(error) => return Err(error).with_context(|| format!("PUT {path}")),
            }
        }
    }

    /// Adds many members with these roles, several at a time.
    ///
    /// # Errors
    /// As [`Discord::join`], the first one met.
    pub fn join_all(&self, guild: u64, users: &[u64], roles: &[u64]) -> Result<()> {
        let share = users.len().div_ceil(ISSUERS).max(1);
        thread::scope(|scope| {
            let joiners: Vec<_> = users
                .chunks(share)
                .map(|users| {
                    scope.spawn(|| {
                        users
                            .iter()
                            .try_for_each(|&user| self.join(guild, user, roles))
                    })
                })
                .collect();
            joiners
                .into_iter()
                .try_for_each(|joiner| joiner.join().expect("a joining thread does not panic"))
        })
    }

    /// Makes a role and tells its id.
    ///
    /// # Errors
    /// If the simulator does not answer or refuses.
    pub fn make_role(&self, guild: u64, name: &str, permissions: u64) -> Result<u64> {
        let path = format!("/guilds/{guild}/roles");
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Authorization", &self.authorization)
            .send_json(json!({ "name": name, "permissions": permissions.to_string() }))
            .with_context(|| format!("POST {path}"))?;
        let answer: Value = answer
            .body_mut()
            .read_json()
            .context("reading the new role")?;
        answer["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .context("the new role has no id")
    }

    /// Begins a burst of `count` joins, `per_second` of them a second; tells its number.
    ///
    /// # Errors
    /// If the simulator does not answer or refuses.
    pub fn start_joins(&self, guild: u64, count: u32, per_second: u32) -> Result<u64> {
        self.start(guild, json!("joins"), count, per_second)
    }

    /// Begins a burst of `count` edits of a role, each of which changes what its holders may do.
    ///
    /// # Errors
    /// If the simulator does not answer or refuses.
    pub fn start_role_edits(
        &self,
        guild: u64,
        role: u64,
        count: u32,
        per_second: u32,
    ) -> Result<u64> {
        let kind = json!({ "role_updates": role.to_string() });
        self.start(guild, kind, count, per_second)
    }

    fn start(&self, guild: u64, kind: Value, count: u32, per_second: u32) -> Result<u64> {
        let body = json!({
            "guild": guild.to_string(),
            "kind": kind,
            "count": count,
            "per_second": per_second,
        });
        let mut answer = self
            .agent
            .post(format!("{}/simulator/bursts", self.root()))
            .send_json(body)
            .context("starting a burst of events")?;
        let answer: Value = answer
            .body_mut()
            .read_json()
            .context("reading the burst's number")?;
        answer["burst"].as_u64().context("the burst has no number")
    }

    /// How far a burst has come.
    ///
    /// # Errors
    /// If the simulator does not answer or has forgotten the burst.
    pub fn burst(&self, number: u64) -> Result<Burst> {
        let mut answer = self
            .agent
            .get(format!("{}/simulator/bursts/{number}", self.root()))
            .call()
            .with_context(|| format!("asking for burst {number}"))?;
        answer
            .body_mut()
            .read_json()
            .context("reading the burst's report")
    }

    /// Where the simulator's own calls are: beside Discord's.
    fn root(&self) -> &str {
        self.base.split("/api/").next().unwrap_or(&self.base)
    }
}

/// How far a burst has come, as the simulator tells it.
#[derive(Debug, Deserialize)]
pub struct Burst {
    /// How many changes were made.
    pub emitted: u32,
    /// The last of them, oldest first.
    pub emissions: Vec<Emission>,
}

/// One change of a burst.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Emission {
    /// Its number, from 1.
    pub number: u32,
    /// When it was made: microseconds since 1970.
    pub unix_us: i64,
    /// How many members the guild had after it.
    pub member_count: u64,
}

/// One that keeps a connection for each call that is under way: opened anew for every call,
/// they would use up the ports.
fn agent() -> Agent {
    Agent::config_builder()
        .max_idle_connections(ISSUERS)
        .max_idle_connections_per_host(ISSUERS)
        .build()
        .into()
}

/// How many calls are under way at once.
const ISSUERS: usize = 32;
/// How long a call that is told to wait is tried again.
const LIMITED_MAX: Duration = Duration::from_secs(600);
