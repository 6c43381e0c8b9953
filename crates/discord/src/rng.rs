//! Chance as an input: a small generator, seeded by whoever builds a machine.

use std::time::Duration;

/// A generator of evenly spread numbers. Good for jitter, useless for secrets.
#[derive(Debug, Clone)]
pub struct Rng(Source);

#[derive(Debug, Clone)]
enum Source {
    Seeded(u64),
    Fixed(u64),
}

impl Rng {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        Rng(Source::Seeded(seed))
    }

    /// Always a point `parts` of 256 into whatever is asked for; for tests that need to know.
    #[must_use]
    pub fn fixed(parts: u8) -> Rng {
        Rng(Source::Fixed(u64::from(parts) << 56))
    }

    /// The next number: a Weyl sequence, its bits mixed by multiplying and shifting.
    pub fn number(&mut self) -> u64 {
        match &mut self.0 {
            Source::Fixed(number) => *number,
            Source::Seeded(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mixed = (*state ^ (*state >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
                let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
                mixed ^ (mixed >> 32)
            }
        }
    }

    /// A number in `[0, bound)`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the high half of 128 bits")
    }

    /// A duration in `[0, bound)`, in whole microseconds.
    pub fn within(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(bound.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_and_repeat_with_the_seed() {
        let mut rng = Rng::new(1);
        let mut buckets = [0_u32; 10];
        for _ in 0..10_000 {
            buckets[usize::try_from(rng.below(10)).expect("below 10")] += 1;
        }
        assert!(
            buckets.iter().all(|count| (850..1150).contains(count)),
            "{buckets:?}"
        );
        assert_eq!(Rng::new(7).number(), Rng::new(7).number());
        assert_ne!(Rng::new(7).number(), Rng::new(8).number());
        assert_eq!(Rng::new(7).below(0), 0);
        assert_eq!(
            Rng::fixed(128).within(Duration::from_secs(45)).as_millis(),
            22_500
        );
    }
}
