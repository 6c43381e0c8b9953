//! Sessions of an earlier process whose tokens were withdrawn while nobody read the feed.

use std::collections::BTreeSet;

use guildgate_model::TokenId;

use super::{NoAnswer, Services};

impl Services {
    /// Ends the restored sessions of those of `tokens` that are not good any more. Without their
    /// token nobody could resume them; but until the window ends they would be on their guilds as
    /// somebody who may be there no more.
    pub async fn end_revoked(self, tokens: BTreeSet<TokenId>) {
        for id in tokens {
            match self.timed(self.parts.store.read_token(id)).await {
                Ok(Some(record)) if record.revoked_at.is_none() => {}
                Ok(Some(_) | None) => self.revoked(id),
                // It was logged. Whoever dials is asked for the token in any case.
                Err(NoAnswer) => return,
            }
        }
    }
}
