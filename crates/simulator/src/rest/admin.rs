//! The simulator's own calls, under `/simulator`: what Discord does by itself, and what goes
//! wrong there, on demand. They need no token; whoever reaches the port may use them.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{self, FromRequestParts, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use guildgate_model::{GuildId, UserId};
use http::{Method, StatusCode, Uri, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{World, extract::faulty_part};
use crate::{
    Burst, Change, ChangeError, Corruption, Fault, Motion, Target,
    driver::Shared,
    world::{Availability, Guild, ID_MAX, Join},
};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(overview))
        .route("/counters", get(counters))
        .route("/faults", post(fault))
        .route("/guilds", post(add_guild))
        .route("/guilds/{guild}", axum::routing::delete(remove_bot))
        .route(
            "/guilds/{guild}/outage",
            post(start_outage).delete(end_outage),
        )
        .route(
            "/guilds/{guild}/members/{user}",
            axum::routing::put(join).delete(leave),
        )
        .route("/bursts", post(start_burst))
        .route("/bursts/{number}", get(burst))
        .route("/motion", post(motion))
        .route("/storm", post(storm))
        .route("/dispatch", post(dispatch))
        .route("/clock", post(clock))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
}

/// A call that cannot be done, in words.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Refusal {
        Refusal(StatusCode::CONFLICT, error.to_string())
    }
}

/// The ids in a path.
struct Path<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Refusal> {
        if let Ok(extract::Path(read)) = extract::Path::from_request_parts(parts, state).await {
            return Ok(Path(read));
        }
        let (name, value) = faulty_part(parts, state).await.unwrap_or_default();
        let why = format!("the {name} in the path is {value:?}: expected a decimal number");
        Err(Refusal(StatusCode::BAD_REQUEST, why))
    }
}

async fn not_found(uri: Uri) -> Refusal {
    let path = format!("/simulator{}", uri.path());
    let why = format!("there is no {path:?}: docs/simulator.md lists the calls");
    Refusal(StatusCode::NOT_FOUND, why)
}

async fn not_allowed(method: Method) -> Refusal {
    let why = format!("{method} is no method of this call: docs/simulator.md lists the calls");
    Refusal(StatusCode::METHOD_NOT_ALLOWED, why)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal(
            StatusCode::BAD_REQUEST,
            format!("the body is not what was expected: {error}"),
        )
    })
}

async fn overview(State(shared): World) -> Json<Value> {
    Json(shared.with(|discord| {
        json!({
            "guilds": discord.world.guild_count(),
            "sessions": discord.session_list(),
            "counters": discord.counters,
            "time_ms": discord.now.wall,
        })
    }))
}

async fn counters(State(shared): World) -> Json<Value> {
    Json(json!(shared.with(|discord| discord.counters)))
}

/// What `POST /simulator/faults` takes.
#[derive(Deserialize)]
struct FaultCall {
    #[serde(default)]
    target: Target,
    #[serde(flatten)]
    fault: FaultKind,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FaultKind {
    Reconnect { close_after_ms: Option<u64> },
    InvalidSession { resumable: bool },
    LoseAcks,
    SendAcks,
    AskHeartbeat,
    Drop,
    Close { code: u16 },
    Corrupt { corruption: Corruption },
    Pace { bytes_per_second: Option<u32> },
    Delay { ms: u64 },
    ForgetSessions,
    RestoreBudget,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Fault {
        match kind {
            FaultKind::Reconnect { close_after_ms } => Fault::Reconnect {
                close_after: close_after_ms.map(Duration::from_millis),
            },
            FaultKind::InvalidSession { resumable } => Fault::InvalidSession { resumable },
            FaultKind::LoseAcks => Fault::LoseAcks,
            FaultKind::SendAcks => Fault::SendAcks,
            FaultKind::AskHeartbeat => Fault::AskHeartbeat,
            FaultKind::Drop => Fault::Drop,
            FaultKind::Close { code } => Fault::Close { code },
            FaultKind::Corrupt { corruption } => Fault::Corrupt(corruption),
            FaultKind::Pace { bytes_per_second } => Fault::Pace { bytes_per_second },
            FaultKind::Delay { ms } => Fault::Delay(Duration::from_millis(ms)),
            FaultKind::ForgetSessions => Fault::ForgetSessions,
            FaultKind::RestoreBudget => Fault::RestoreBudget,
        }
    }
}

async fn fault(State(shared): World, body: Bytes) -> Result<Json<Value>, Refusal> {
    let call: FaultCall = read(&body)?;
    let met = shared.with(|discord| discord.fault(&call.target, &call.fault.into()));
    Ok(Json(json!({ "connections": met })))
}

#[derive(Deserialize)]
struct GuildCall {
    id: Option<GuildId>,
    name: String,
    owner: UserId,
}

async fn add_guild(State(shared): World, body: Bytes) -> Result<Json<Value>, Refusal> {
    let call: GuildCall = read(&body)?;
    if let Some(id) = call.id.filter(|id| id.0 == 0 || id.0 > ID_MAX) {
        let why = format!("{id} is no guild's id: expected a whole number from 1 to {ID_MAX}");
        return Err(Refusal(StatusCode::BAD_REQUEST, why));
    }
    shared.with(|discord| {
        let wall = discord.now.wall;
        let id = call
            .id
            .unwrap_or_else(|| GuildId(discord.world.new_id(wall)));
        let guild = Guild::new(id, &call.name, call.owner);
        discord.change(Change::AddGuild(Box::new(guild)))?;
        Ok(Json(json!({ "id": id })))
    })
}

async fn remove_bot(
    State(shared): World,
    Path(guild): Path<GuildId>,
) -> Result<StatusCode, Refusal> {
    shared.with(|discord| discord.change(Change::RemoveBot(guild)))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn start_outage(
    State(shared): World,
    Path(guild): Path<GuildId>,
) -> Result<StatusCode, Refusal> {
    set_availability(&shared, guild, Availability::Down)
}

async fn end_outage(
    State(shared): World,
    Path(guild): Path<GuildId>,
) -> Result<StatusCode, Refusal> {
    set_availability(&shared, guild, Availability::Up)
}

fn set_availability(
    shared: &Shared,
    guild: GuildId,
    availability: Availability,
) -> Result<StatusCode, Refusal> {
    shared.with(|discord| {
        discord.change(Change::SetAvailability {
            guild,
            availability,
        })
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user joins of their own accord: no permission is asked for.
async fn join(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<StatusCode, Refusal> {
    shared.with(|discord| discord.change(Change::Join(Join::new(guild, user))))?;
    Ok(StatusCode::NO_CONTENT)
}

/// A member leaves of their own accord.
async fn leave(
    State(shared): World,
    Path((guild, user)): Path<(GuildId, UserId)>,
) -> Result<StatusCode, Refusal> {
    shared.with(|discord| discord.change(Change::Leave { guild, user }))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn start_burst(State(shared): World, body: Bytes) -> Result<Json<Value>, Refusal> {
    let burst: Burst = read(&body)?;
    if shared.with(|discord| discord.world.guild(burst.guild).is_none()) {
        return Err(ChangeError::UnknownGuild(burst.guild).into());
    }
    Ok(Json(
        json!({ "burst": shared.with(|discord| discord.start_burst(burst)) }),
    ))
}

async fn burst(State(shared): World, Path(number): Path<u64>) -> Result<Json<Value>, Refusal> {
    let report = shared.with(|discord| discord.burst(number).map(|report| json!(report)));
    report.map(Json).ok_or_else(|| {
        Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no burst {number} that is remembered"),
        )
    })
}

#[derive(Deserialize)]
struct MotionCall {
    /// The mean time between two movements; null is stillness.
    every_ms: Option<u64>,
}

async fn motion(State(shared): World, body: Bytes) -> Result<StatusCode, Refusal> {
    let call: MotionCall = read(&body)?;
    let motion = match call.every_ms {
        None => Motion::Still,
        Some(ms) => Motion::Lively {
            every: Duration::from_millis(ms.max(1)),
        },
    };
    shared.with(|discord| discord.set_motion(motion));
    Ok(StatusCode::NO_CONTENT)
}

async fn storm(State(shared): World, body: Bytes) -> Result<StatusCode, Refusal> {
    let call: MotionCall = read(&body)?;
    let every = call.every_ms.map(|ms| Duration::from_millis(ms.max(1)));
    shared.with(|discord| discord.set_storm(every));
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct DispatchCall {
    t: String,
    d: Value,
    guild_id: Option<GuildId>,
}

async fn dispatch(State(shared): World, body: Bytes) -> Result<StatusCode, Refusal> {
    let call: DispatchCall = read(&body)?;
    // The name goes into the frame as it is.
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if call.t.is_empty() || !call.t.bytes().all(plain) {
        let why = format!(
            "{:?} is no event's name: expected capitals and underscores",
            call.t
        );
        return Err(Refusal(StatusCode::BAD_REQUEST, why));
    }
    shared.with(|discord| discord.dispatch_raw(&call.t, call.guild_id, &call.d));
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct ClockCall {
    advance_ms: u64,
}

async fn clock(State(shared): World, body: Bytes) -> Result<Json<Value>, Refusal> {
    let call: ClockCall = read(&body)?;
    shared.advance(Duration::from_millis(call.advance_ms));
    Ok(Json(
        json!({ "time_ms": shared.with(|discord| discord.now.wall) }),
    ))
}
