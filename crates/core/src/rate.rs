//! How much a client may say.

use std::time::Duration;

use guildgate_model::Mono;

/// Counts one client's frames over a sliding window, in 24 bytes and without a heap.
///
/// The window is cut into [`SLOTS`] slots, and what is counted is the current slot and the
/// whole ones before it: never less than 17/18 of the window, never more than all of it.
/// So **a client that keeps to the limit in every window is never refused**, and one that is
/// let through has sent at most the limit in every 17/18 of a window: 50 frames in 4.72 s
/// instead of 5 s. A refilling bucket would let twice the limit through at its edge.
///
/// A slot counts no further than 255, so limits are watched loosely where they allow more than
/// that within one slot.
///
/// Source: wire protocol, "Close codes", 4008.
#[derive(Debug, Clone, Default)]
pub struct FrameBudget {
    /// Number of the newest slot since the clock's beginning.
    slot: u32,
    /// Frames that are not counted, since the gateway itself held them back.
    excused: u16,
    /// Frames by slot, slot `n` at `n % SLOTS`.
    counts: [u8; SLOTS],
}

/// How many slots make a window.
const SLOTS: usize = 18;

/// More frames in a window than are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more frames in a window than are allowed")]
pub struct OverBudget;

impl FrameBudget {
    /// Counts one frame.
    ///
    /// # Errors
    /// [`OverBudget`] if it is one more than `frames_max` within `window`.
    pub fn admit(
        &mut self,
        now: Mono,
        window: Duration,
        frames_max: u32,
    ) -> Result<(), OverBudget> {
        self.turn_to(slot_of(now, window));
        if self.excused > 0 {
            self.excused -= 1;
            return Ok(());
        }
        let count = &mut self.counts[self.slot as usize % SLOTS];
        *count = count.saturating_add(1);
        let total: u32 = self.counts.iter().map(|&count| u32::from(count)).sum();
        if total > frames_max {
            Err(OverBudget)
        } else {
            Ok(())
        }
    }

    /// Forgets the slots that have left the window by the time that `slot` is the newest.
    fn turn_to(&mut self, slot: u32) {
        let passed = slot.saturating_sub(self.slot) as usize;
        for step in 1..=passed.min(SLOTS) {
            self.counts[(self.slot as usize + step) % SLOTS] = 0;
        }
        self.slot = self.slot.max(slot);
    }

    /// Makes up for frames that were held back for `held`, while the client waited for an
    /// answer, and now come at once: as many as it may send in that time are not counted.
    /// Less than a slot is not made up for.
    pub fn excuse(&mut self, held: Duration, window: Duration, frames_max: u32) {
        if held < slot_length(window) {
            return;
        }
        let frames = held.as_micros() * u128::from(frames_max) / window.as_micros().max(1);
        let most = u16::try_from(frames_max).unwrap_or(u16::MAX);
        self.excused = u16::try_from(frames).unwrap_or(u16::MAX).min(most);
    }

    /// Forgets what was counted: the limit has changed, or the socket.
    pub fn reset(&mut self) {
        self.counts = [0; SLOTS];
        self.excused = 0;
    }
}

fn slot_length(window: Duration) -> Duration {
    (window / SLOTS as u32).max(Duration::from_micros(1))
}

fn slot_of(now: Mono, window: Duration) -> u32 {
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let slot = micros(now.since_start()) / micros(slot_length(window));
    u32::try_from(slot).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
