//! What the hub wants done outside: members and invites from Discord, sessions' questions to
//! the database, and counts where Discord does not tell of members.

mod invites;

use std::time::Duration;

use guildgate_core::hub::{Input, MemberEvents};
use guildgate_discord::Intents;
use guildgate_model::GuildId;
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    watch,
};

use self::invites::WantedInvite;
use super::{HubHandle, HubRequest};
use crate::{
    clock::Clock,
    services::{HubPort, Services},
    upstream::{
        UpstreamHandle, UpstreamStatus,
        rest::{Rest, chain},
    },
};

/// Between two polls of a guild's count, and the shortest time between any two polls: some 50
/// requests a second are allowed in all, and others want them too.
///
/// Source: Discord, "Rate Limits: Global Rate Limit".
const POLL_PAUSE: Duration = Duration::from_millis(200);

/// Between two rounds of polls, if a round takes less.
const POLL_ROUND: Duration = Duration::from_secs(60);
/// The same while no guild is known.
const POLL_AGAIN: Duration = Duration::from_secs(1);

/// Who sees to what the hub wants.
pub struct Outside {
    /// The hub.
    pub hub: HubHandle,
    /// Answers sessions' questions.
    pub services: Services,
    /// The shards.
    pub upstream: UpstreamHandle,
    /// Discord's REST.
    pub rest: Rest,
    /// Tells the time, by which invites run out.
    pub clock: Clock,
    /// How the shards are.
    pub status: watch::Receiver<UpstreamStatus>,
    /// The intents that are asked for.
    pub intents: Intents,
}

/// Sees to the hub's requests until the hub has gone.
pub async fn serve(outside: Outside, mut requests: UnboundedReceiver<HubRequest>) {
    let (wanted, invites) = unbounded_channel();
    let services = outside.services.clone();
    let upstream = outside.upstream.clone();
    let requests = async move {
        while let Some(request) = requests.recv().await {
            take(request, &services, &upstream, &wanted);
        }
    };
    tokio::select! {
        () = requests => {}
        () = invites::watch(&outside, invites) => {}
        () = watch_members(&outside) => {}
    }
}

fn take(
    request: HubRequest,
    services: &Services,
    upstream: &UpstreamHandle,
    invites: &UnboundedSender<WantedInvite>,
) {
    match request {
        HubRequest::Members { guild, users } => {
            // The hub asks again if no answer comes.
            if let Err(error) = upstream.want_members(guild, users) {
                tracing::warn!(%guild, %error, "members could not be asked for");
            }
        }
        HubRequest::Everybody { guild } => {
            // The hub asks for them one by one if no answer comes.
            if let Err(error) = upstream.want_everybody(guild) {
                tracing::warn!(%guild, %error, "all members could not be asked for");
            }
        }
        HubRequest::Invite { guild, code } => {
            let _ = invites.send(WantedInvite { guild, code });
        }
        HubRequest::Session { key, ticket, ask } => {
            let services = services.clone();
            tokio::spawn(async move { services.answer_session(key, ticket, ask).await });
        }
    }
}

/// Tells the hub whether Discord tells of members, and polls counts while it does not.
async fn watch_members(outside: &Outside) {
    let mut status = outside.status.clone();
    let sees = |status: &UpstreamStatus| status.sees_members(outside.intents);
    loop {
        let told = sees(&status.borrow());
        outside.hub.member_events(match told {
            true => MemberEvents::Sent,
            false => MemberEvents::Withheld,
        });
        let polls = async {
            if !told {
                poll_counts(outside).await;
            }
            std::future::pending().await
        };
        let changed = tokio::select! {
            changed = status.wait_for(|status| sees(status) != told) => changed.is_ok(),
            () = polls => false,
        };
        if !changed {
            // Discord's side has stopped; nothing changes any more.
            return std::future::pending().await;
        }
    }
}

/// Polls the count of every guild, round after round, until the hub has gone.
async fn poll_counts(outside: &Outside) {
    loop {
        let begun = tokio::time::Instant::now();
        let mut after = None;
        loop {
            let Ok(page) = outside.hub.page(after).await else {
                return;
            };
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for report in &page {
                poll_count(outside, report.id).await;
                tokio::time::sleep(POLL_PAUSE).await;
            }
        }
        // Guilds come a moment after the session; a round that met none was none.
        let round = match after {
            Some(_) => POLL_ROUND,
            None => POLL_AGAIN,
        };
        tokio::time::sleep_until(begun + round).await;
    }
}

async fn poll_count(outside: &Outside, guild: GuildId) {
    match outside.rest.guild_counts(guild).await {
        Ok(counts) => {
            if let Some(member_count) = counts.members {
                outside.hub.send(Input::PolledCount {
                    guild,
                    member_count,
                });
            }
        }
        Err(error) => {
            tracing::debug!(%guild, error = chain(&error), "a member count could not be polled");
        }
    }
}
