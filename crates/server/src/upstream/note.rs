//! What the machines say of themselves: one log line each, and the figures.

use std::sync::atomic::{AtomicU64, Ordering};

use guildgate_discord::{AfterStall, Intents, Loss, MembersOutcome, Note, Privilege, Purpose};
use guildgate_model::ShardId;

/// How Discord's side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// How many shards there are; none while that is not known.
    pub shards: Option<u32>,
    /// How many of them are active.
    pub active: u32,
    /// Privileged intents that Discord refused and that the shards go on without.
    pub refused_intents: Intents,
}

impl UpstreamStatus {
    pub(super) const UNKNOWN: UpstreamStatus = UpstreamStatus {
        shards: None,
        active: 0,
        refused_intents: Intents::NONE,
    };

    /// Whether members' comings and goings are told; if not, counts must be polled.
    #[must_use]
    pub fn sees_members(self, asked: Intents) -> bool {
        asked
            .without(self.refused_intents)
            .contains(Intents::GUILD_MEMBERS)
    }
}

/// What is counted, over all shards.
#[derive(Debug, Default)]
pub struct UpstreamStats {
    /// Events handed on.
    pub events: AtomicU64,
    /// Needed events that could not be used.
    pub events_skipped: AtomicU64,
    /// Events that wait for room in the hub's queue, now.
    pub events_waiting: AtomicU64,
    /// Bytes received, as they came.
    pub bytes_received: AtomicU64,
    /// Sessions begun.
    pub identifies: AtomicU64,
    /// Sessions gone on with.
    pub resumes: AtomicU64,
    /// Connections lost.
    pub losses: AtomicU64,
    /// Payloads sent.
    pub payloads_sent: AtomicU64,
    /// The last heartbeat's way there and back, in microseconds.
    pub heartbeat_latency_us: AtomicU64,
}

impl UpstreamStats {
    pub(super) fn count(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// Counts a note and writes its line.
    pub(super) fn note(&self, shard: ShardId, note: &Note) {
        match note {
            Note::Dialling { purpose, url } => {
                let purpose = match purpose {
                    Purpose::Identify => "a new session",
                    Purpose::Resume => "the session that was",
                };
                tracing::info!(%shard, purpose, %url, "dialling Discord");
            }
            Note::BackingOff { delay } => {
                tracing::info!(%shard, wait_ms = delay.as_millis(), "waiting before dialling");
            }
            Note::Ready { guilds } => {
                Self::count(&self.identifies, 1);
                tracing::info!(%shard, guilds, "a session with Discord began");
            }
            Note::Resumed { replayed } => {
                Self::count(&self.resumes, 1);
                tracing::info!(%shard, replayed, "the session with Discord goes on");
            }
            Note::Lost(loss) => {
                Self::count(&self.losses, 1);
                log_loss(shard, *loss);
            }
            Note::SessionDropped => {
                tracing::warn!(%shard, "the session with Discord cannot be resumed");
            }
            Note::HeartbeatAcked { latency } => {
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                self.heartbeat_latency_us.store(micros, Ordering::Relaxed);
                tracing::debug!(%shard, latency_ms = latency.as_millis(), "heartbeat answered");
            }
            Note::HeartbeatDelayed => {
                tracing::warn!(%shard, "a heartbeat waits for Discord's send limit");
            }
            Note::EventSkipped { error } => {
                Self::count(&self.events_skipped, 1);
                tracing::warn!(%shard, %error, "an event was skipped");
            }
            Note::UnknownOpcode(op) => tracing::debug!(%shard, %op, "an opcode was ignored"),
            // Said once for all shards, by whoever hears of it first.
            Note::IntentsDropped(_) => {}
        }
    }
}

/// Says once what to switch on, and where.
pub(super) fn log_refused_intents(refused: Intents) {
    let switches: Vec<&str> = refused
        .iter()
        .filter_map(|info| match info.privilege {
            Privilege::Privileged { switch } => Some(switch),
            Privilege::None => None,
        })
        .collect();
    tracing::error!(
        intents = %refused,
        switch_on = switches.join(", "),
        "Discord refuses privileged intents; going on without them, with member counts that are \
         polled. Switch them on under \"Privileged Gateway Intents\" on the application's Bot page \
         (https://discord.com/developers/applications), then restart"
    );
}

fn log_loss(shard: ShardId, loss: Loss) {
    match loss {
        Loss::AskedToReconnect => tracing::info!(%shard, "Discord asks to dial again"),
        Loss::SessionInvalid { resumable } => {
            tracing::warn!(%shard, resumable, "Discord says that the session is invalid");
        }
        Loss::Closed { code: Some(code) } => {
            tracing::warn!(%shard, %code, "Discord closed the connection");
        }
        Loss::Closed { code: None } => tracing::warn!(%shard, "the connection to Discord dropped"),
        Loss::DialFailed => tracing::warn!(%shard, "Discord's gateway could not be reached"),
        Loss::NoHello => tracing::warn!(%shard, "Discord did not say HELLO in time"),
        Loss::NoReady => tracing::warn!(%shard, "Discord did not say READY in time"),
        Loss::NoResumed => tracing::warn!(%shard, "Discord did not say RESUMED in time"),
        Loss::HeartbeatUnanswered => {
            tracing::warn!(%shard, "Discord did not answer a heartbeat; dialling again");
        }
        Loss::Unreadable(error) => tracing::warn!(%shard, %error, "dialling again"),
        Loss::UnreadableEvent(error) => tracing::warn!(%shard, %error, "dialling again"),
        Loss::NotInflated(error) => tracing::warn!(%shard, %error, "dialling again"),
    }
}

pub(super) fn log_members(shard: ShardId, outcome: &MembersOutcome) {
    match outcome {
        MembersOutcome::Complete { guild, .. } => {
            tracing::trace!(%shard, %guild, "all members asked for have come");
        }
        MembersOutcome::Partial {
            guild,
            received,
            expected,
            then,
            ..
        } => {
            let then = match then {
                AfterStall::Retried => "asking again",
                AfterStall::GivenUp => "giving up",
            };
            tracing::warn!(%shard, %guild, received, expected, then, "members stopped coming");
        }
        MembersOutcome::Held { guild, retry_after } => {
            let wait_s = retry_after.as_secs();
            tracing::info!(%shard, %guild, wait_s, "Discord wants fewer requests for members");
        }
    }
}
