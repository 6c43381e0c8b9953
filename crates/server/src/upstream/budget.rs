//! The identify budget, kept where a crash cannot lose it.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use guildgate_discord::IDENTIFY_SPACING;
use guildgate_model::{TokenHash, UnixMs};
use guildgate_store::{DiscordState, IdentifyLimit, IdentifyRefused};

/// Discord's window for identifies.
const WINDOW: Duration = Duration::from_hours(24);

/// Counts identifies before they are sent, for every process of one bot together.
#[async_trait]
pub trait IdentifyBudget: Send + Sync {
    /// Takes one of a bucket's out of a budget of `total`.
    ///
    /// # Errors
    /// Whatever kept it from being counted; none may be sent then.
    async fn reserve(
        &self,
        bucket: u32,
        total: u32,
        now: UnixMs,
    ) -> Result<Reservation, Box<dyn Error + Send + Sync>>;
}

/// Whether an identify was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It may be sent.
    Counted,
    /// It must wait.
    Refused(IdentifyRefused),
}

/// For tests and for a simulator: it forgets.
#[derive(Debug, Default)]
pub struct MemoryBudget;

#[async_trait]
impl IdentifyBudget for MemoryBudget {
    async fn reserve(
        &self,
        _bucket: u32,
        _total: u32,
        _now: UnixMs,
    ) -> Result<Reservation, Box<dyn Error + Send + Sync>> {
        Ok(Reservation::Counted)
    }
}

/// The budget in the database.
pub struct StoreBudget<S: ?Sized> {
    store: Arc<S>,
    bot: TokenHash,
}

impl<S: ?Sized> StoreBudget<S> {
    /// The budget of the bot whose token has this hash.
    #[must_use]
    pub fn new(store: Arc<S>, bot: TokenHash) -> StoreBudget<S> {
        StoreBudget { store, bot }
    }
}

#[async_trait]
impl<S: DiscordState + ?Sized> IdentifyBudget for StoreBudget<S> {
    async fn reserve(
        &self,
        bucket: u32,
        total: u32,
        now: UnixMs,
    ) -> Result<Reservation, Box<dyn Error + Send + Sync>> {
        let limit = IdentifyLimit {
            max: total,
            window: WINDOW,
            spacing: IDENTIFY_SPACING,
        };
        let answer = self
            .store
            .reserve_identify(self.bot, bucket, limit, now)
            .await?;
        Ok(match answer {
            Ok(_) => Reservation::Counted,
            Err(refused) => Reservation::Refused(refused),
        })
    }
}
