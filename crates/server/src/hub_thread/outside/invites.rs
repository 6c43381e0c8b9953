//! Whether the invites that sites show still exist: Discord is asked when the hub wants to know,
//! when an invite runs out, and now and then.
//!
//! Discord tells of invites that are made and deleted. Of one that runs out, by time or by use,
//! it says nothing.

use std::{collections::BTreeMap, time::Duration};

use guildgate_core::hub::{Input, InviteStanding};
use guildgate_model::GuildId;
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::{Outside, POLL_PAUSE};
use crate::{
    services::HubPort as _,
    upstream::rest::{RestError, chain},
};

/// An invite is asked for again after this, should it be used up: at [`POLL_PAUSE`] between two
/// of them, that is one request in five of what Discord allows at the very most.
const ROUND: Duration = Duration::from_secs(15 * 60);

/// An invite is asked for a little after it has run out, lest Discord's clock be late.
const AFTER_EXPIRY: Duration = Duration::from_secs(1);

/// After an answer that says nothing of the invite, Discord is asked again, at the earliest.
const RETRY: Duration = Duration::from_secs(30);

/// The hub wants to know whether this invite exists.
pub(super) struct WantedInvite {
    pub(super) guild: GuildId,
    pub(super) code: Box<str>,
}

/// Answers the hub, one invite after the other: at startup there may be many, and nobody waits
/// for them. Ends never: when the requests have ended so does everything, by their branch.
pub(super) async fn watch(outside: &Outside, mut wanted: UnboundedReceiver<WantedInvite>) {
    let mut due = Due::default();
    loop {
        let next = due.next();
        tokio::select! {
            asked = wanted.recv() => match asked {
                Some(WantedInvite { guild, code }) => {
                    let wait = answer(outside, guild, &code).await;
                    due.at.insert(guild, Instant::now() + wait);
                }
                None => return std::future::pending().await,
            },
            guild = next => {
                due.take(guild);
                // The hub asks, if an invite is still set there.
                outside.hub.send(Input::InviteDoubted(guild));
            }
        }
    }
}

/// When which guild's invite is to be asked for.
#[derive(Default)]
struct Due {
    at: BTreeMap<GuildId, Instant>,
    /// No sooner than this.
    pause: Option<Instant>,
}

impl Due {
    /// Waits for the next guild, for ever if there is none.
    fn next(&self) -> impl Future<Output = GuildId> + use<> {
        let first = self.at.iter().min_by_key(|&(_, at)| *at);
        let next = first.map(|(&guild, &at)| (guild, self.pause.map_or(at, |pause| at.max(pause))));
        async move {
            let Some((guild, at)) = next else {
                return std::future::pending().await;
            };
            tokio::time::sleep_until(at).await;
            guild
        }
    }

    fn take(&mut self, guild: GuildId) {
        self.at.remove(&guild);
        self.pause = Some(Instant::now() + POLL_PAUSE);
    }
}

/// Asks Discord and tells the hub; after how long to ask again.
async fn answer(outside: &Outside, guild: GuildId, code: &str) -> Duration {
    let found = match outside.rest.invite(code).await {
        Ok(found) => found.filter(|invite| invite.guild == Some(guild)),
        Err(error) => {
            let wait = retry_after(&error);
            tracing::warn!(
                %guild,
                error = chain(&error),
                again_in_s = wait.as_secs(),
                "it could not be asked whether the guild's invite exists; what is known of it \
                 stands until then"
            );
            return wait;
        }
    };
    outside.hub.send(Input::Invite {
        guild,
        code: code.into(),
        standing: match found {
            Some(_) => InviteStanding::Exists,
            None => InviteStanding::Absent,
        },
    });
    let expiry = found.and_then(|invite| invite.expires_at);
    let now = outside.clock.now().wall;
    expiry.map_or(ROUND, |at| ROUND.min(at.since(now) + AFTER_EXPIRY))
}

fn retry_after(error: &RestError) -> Duration {
    match error {
        RestError::RateLimited { retry_after, .. } | RestError::HeldBack { retry_after } => {
            RETRY.max(*retry_after)
        }
        // It may pass.
        RestError::Unreachable { .. } | RestError::Refused { .. } | RestError::Unusable { .. } => {
            RETRY
        }
        // It does not pass by itself.
        RestError::TokenRefused | RestError::Forbidden { .. } | RestError::NotFound { .. } => ROUND,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_due_first_comes_first_and_never_two_at_once() {
        let start = Instant::now();
        let mut due = Due::default();
        for (guild, seconds) in [(1, 5), (2, 3), (3, 3)] {
            due.at
                .insert(GuildId(guild), start + Duration::from_secs(seconds));
        }
        let mut seen = Vec::new();
        while !due.at.is_empty() {
            let guild = due.next().await;
            due.take(guild);
            seen.push((guild.0, start.elapsed()));
        }
        let three = Duration::from_secs(3);
        assert_eq!(
            seen,
            [
                (2, three),
                (3, three + POLL_PAUSE),
                (1, Duration::from_secs(5))
            ]
        );
    }

    #[test]
    fn what_may_pass_is_tried_again_soon_and_never_sooner_than_told() {
        let limited = |seconds| RestError::RateLimited {
            request: String::new(),
            retry_after: Duration::from_secs(seconds),
        };
        assert_eq!(retry_after(&limited(1)), RETRY);
        assert_eq!(retry_after(&limited(90)), Duration::from_secs(90));
        assert_eq!(retry_after(&RestError::TokenRefused), ROUND);
    }
}
