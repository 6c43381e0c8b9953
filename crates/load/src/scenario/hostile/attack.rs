//! What every attack has in common.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;

/// Many attackers of one kind.
pub trait Attack: Send {
    /// Dials them all.
    ///
    /// # Errors
    /// If the system gives no more sockets.
    fn begin(&mut self) -> Result<()>;

    /// Has each do what it does, and sees how they end.
    ///
    /// # Errors
    /// If epoll fails; what an attacker is refused is no error.
    fn go_on(&mut self) -> Result<()>;

    /// How long the server may take to end them.
    fn over_within(&self, authenticate_within: Duration) -> Duration;

    /// How they ended so far.
    fn ends(&self) -> &Ends;

    /// How many of them ended as they should.
    fn rightly_ended(&self) -> usize;

    /// Drops whoever is left.
    fn stop(&mut self);
}

/// How attackers ended.
#[derive(Debug, Default)]
pub struct Ends {
    /// By close code, or HTTP status.
    pub by_code: BTreeMap<u16, usize>,
    /// Without a word.
    pub cut: usize,
}

impl Ends {
    /// How many ended, in whatever way.
    pub fn all(&self) -> usize {
        self.cut + self.by_code.values().sum::<usize>()
    }

    /// How many ended with this code.
    pub fn with(&self, code: u16) -> usize {
        self.by_code.get(&code).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, code: Option<u16>) {
        match code {
            Some(code) => *self.by_code.entry(code).or_default() += 1,
            None => self.cut += 1,
        }
    }
}
