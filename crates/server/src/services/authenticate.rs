//! Opcode 1: who a client is.

use std::net::IpAddr;

use guildgate_core::{ClientId, client::Answer};
use guildgate_model::{Notification, Secret, TokenKind, TokenRecord, UserId};
use guildgate_store::Owner;
use guildgate_wire::SessionId;

use super::{NoAnswer, Services, recent::TooLate};
use crate::{edge::ToEdge, metrics::Authentication};

/// How often an inbox is read for one client, where so much is told meanwhile that it cannot be
/// caught up on.
const LOOKS_MAX: usize = 3;

impl Services {
    pub(super) async fn authenticate(
        &self,
        client: ClientId,
        address: IpAddr,
        token: Option<Secret>,
        user: Option<UserId>,
    ) {
        if !self.parts.readiness.has_come_up() {
            self.conclude(client, Authentication::NotReady, Answer::NotReady);
            return;
        }
        match (token, user) {
            (None, None) => self.conclude(client, Authentication::Anonymous, Answer::Basic),
            (None, Some(user)) => {
                tracing::info!(%address, claimed = %user, "a user without a token");
                self.conclude(client, Authentication::Refused, Answer::NotAuthentic);
            }
            (Some(token), None) => {
                let good = self
                    .check(address, &token, TokenKind::Global, Owner::Any)
                    .await;
                let (outcome, answer) = match good {
                    Ok(Some(_)) => (Authentication::Global, Answer::Basic),
                    Ok(None) => (Authentication::Refused, Answer::NotAuthentic),
                    Err(NoAnswer) => (Authentication::Failed, Answer::Failed),
                };
                self.conclude(client, outcome, answer);
            }
            (Some(token), Some(user)) => self.let_in(client, address, &token, user).await,
        }
    }

    /// Full access, for a user's own token.
    async fn let_in(&self, client: ClientId, address: IpAddr, token: &Secret, user: UserId) {
        let session = SessionId {
            edge: client.edge,
            random: rand::random(),
        };
        for _ in 0..LOOKS_MAX {
            // Before anything is read: what is told to the shards from here on could come before
            // the client is there to hear it, so it is caught up on below.
            let since = self.recent.mark();
            let good = self
                .check(address, token, TokenKind::GatewayUser, Owner::Id(user.0))
                .await;
            let found = match good {
                Ok(Some(record)) => self
                    .timed(self.parts.store.pending_notifications(user))
                    .await
                    .map(|missed| Some((record, missed))),
                Ok(None) => Ok(None),
                Err(NoAnswer) => Err(NoAnswer),
            };
            let (record, missed): (TokenRecord, Vec<Notification>) = match found {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.conclude(client, Authentication::Refused, Answer::NotAuthentic);
                    return;
                }
                Err(NoAnswer) => break,
            };
            let caught_up = self.recent.catch_up(since, |news| {
                if news.revoked(record.id) {
                    self.conclude(client, Authentication::Refused, Answer::NotAuthentic);
                    return;
                }
                let answer = Answer::Full {
                    user,
                    token: record.id,
                    session,
                    missed: news.with_missed(user, missed),
                };
                self.conclude(client, Authentication::Full, answer);
            });
            match caught_up {
                Ok(()) => return,
                Err(TooLate) => tracing::debug!(%user, "an inbox was read too long ago"),
            }
        }
        self.conclude(client, Authentication::Failed, Answer::Failed);
    }

    /// The token's record if it is good.
    async fn check(
        &self,
        address: IpAddr,
        token: &Secret,
        kind: TokenKind,
        owner: Owner,
    ) -> Result<Option<TokenRecord>, NoAnswer> {
        let now = self.parts.clock.now().wall;
        let checked = self
            .timed(self.parts.store.authenticate(token, kind, owner, now))
            .await?;
        Ok(checked
            .inspect_err(|&refusal| self.refused(address, kind, owner, refusal))
            .ok())
    }

    fn conclude(&self, client: ClientId, outcome: Authentication, answer: Answer) {
        self.parts.metrics.count_authentication(outcome);
        let message = ToEdge::Answer(client, answer);
        self.parts.edges.send(client.edge, message);
    }
}
