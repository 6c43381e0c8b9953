//! The identify budget, kept where a crash cannot lose it.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use guildgate_model::{TokenHash, UnixMs};
use guildgate_store::{DiscordState, IdentifyLimit};

/// Discord's window for identifies.
const WINDOW: Duration = Duration::from_hours(24);

/// Counts identifies before they are sent, for every process of one bot together.
#[async_trait]
pub trait IdentifyBudget: Send + Sync {
    /// Takes one out of a budget of `total`.
    ///
    /// # Errors
    /// Whatever kept it from being counted; none may be sent then.
    async fn reserve(
        &self,
        total: u32,
        now: UnixMs,
    ) -> Result<Reservation, Box<dyn Error + Send + Sync>>;
}

/// Whether an identify was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It may be sent.
    Counted,
    /// The budget is spent.
    SpentUntil(UnixMs),
}

/// For tests and for a simulator: it forgets.
#[derive(Debug, Default)]
pub struct MemoryBudget;

#[async_trait]
impl IdentifyBudget for MemoryBudget {
    async fn reserve(
        &self,
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
        total: u32,
        now: UnixMs,
    ) -> Result<Reservation, Box<dyn Error + Send + Sync>> {
        let limit = IdentifyLimit {
            max: total,
            window: WINDOW,
        };
        Ok(
            match self.store.reserve_identify(self.bot, limit, now).await? {
                Ok(_) => Reservation::Counted,
                Err(refused) => Reservation::SpentUntil(refused.retry_at),
            },
        )
    }
}
