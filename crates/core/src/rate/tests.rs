//! The frame budget's promises.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_secs(5);
const FRAMES_MAX: u32 = 50;

fn at(ms: u64) -> Mono {
    Mono::from_start(Duration::from_millis(ms))
}

fn admit(budget: &mut FrameBudget, ms: u64) -> Result<(), OverBudget> {
    budget.admit(at(ms), WINDOW, FRAMES_MAX)
}

#[test]
fn a_budget_is_small() {
    assert_eq!(size_of::<FrameBudget>(), 24);
}

#[test]
fn the_frame_past_the_limit_is_refused_wherever_it_falls_in_the_window() {
    for start in [0, 1, 277, 100_000_000] {
        for last in [0, 100, 2500, 4700] {
            let mut budget = FrameBudget::default();
            for _ in 0..FRAMES_MAX {
                assert_eq!(admit(&mut budget, start), Ok(()));
            }
            assert_eq!(
                admit(&mut budget, start + last),
                Err(OverBudget),
                "{last} ms after {start}"
            );
        }
    }
}

#[test]
fn a_full_window_is_allowed_again_once_it_has_passed() {
    let mut budget = FrameBudget::default();
    for round in 0..20 {
        for _ in 0..FRAMES_MAX {
            assert_eq!(admit(&mut budget, round * 5000), Ok(()));
        }
    }
}

#[test]
fn no_double_burst_passes_at_the_windows_edge() {
    let mut budget = FrameBudget::default();
    for _ in 0..FRAMES_MAX {
        assert_eq!(admit(&mut budget, 0), Ok(()));
    }
    assert_eq!(admit(&mut budget, 4700), Err(OverBudget));
}

#[test]
fn a_limit_past_what_a_slot_counts_refuses_nobody_who_keeps_to_it() {
    let mut budget = FrameBudget::default();
    for _ in 0..1000 {
        assert_eq!(budget.admit(at(0), WINDOW, 1000), Ok(()));
    }
}

#[test]
fn frames_that_were_held_back_are_made_up_for() {
    let mut budget = FrameBudget::default();
    for _ in 0..FRAMES_MAX {
        assert_eq!(admit(&mut budget, 0), Ok(()));
    }
    budget.excuse(Duration::from_secs(2), WINDOW, FRAMES_MAX);
    for _ in 0..20 {
        assert_eq!(admit(&mut budget, 2000), Ok(()));
    }
    assert_eq!(admit(&mut budget, 2000), Err(OverBudget));
}

#[test]
fn a_short_wait_is_not_made_up_for_and_a_long_one_not_beyond_the_limit() {
    let mut budget = FrameBudget::default();
    budget.excuse(Duration::from_millis(100), WINDOW, FRAMES_MAX);
    for _ in 0..FRAMES_MAX {
        assert_eq!(admit(&mut budget, 0), Ok(()));
    }
    assert_eq!(admit(&mut budget, 0), Err(OverBudget));
    budget.reset();
    budget.excuse(Duration::from_secs(3600), WINDOW, FRAMES_MAX);
    for _ in 0..2 * FRAMES_MAX {
        assert_eq!(admit(&mut budget, 0), Ok(()));
    }
    assert_eq!(admit(&mut budget, 0), Err(OverBudget));
}

#[test]
fn a_clock_that_stands_at_its_end_is_survived() {
    let mut budget = FrameBudget::default();
    let end = Mono::from_start(Duration::MAX);
    for _ in 0..FRAMES_MAX {
        assert_eq!(budget.admit(end, WINDOW, FRAMES_MAX), Ok(()));
    }
    assert_eq!(
        budget.admit(end, Duration::ZERO, FRAMES_MAX),
        Err(OverBudget)
    );
}

/// The frames of the last `window`, each remembered.
#[derive(Default)]
struct Exact(VecDeque<u64>);

impl Exact {
    /// How many frames there are in the `window_ms` that end at `ms`.
    fn count(&mut self, ms: u64, window_ms: u64) -> usize {
        while self.0.front().is_some_and(|&first| ms - first >= window_ms) {
            self.0.pop_front();
        }
        self.0.len()
    }
}

fn gaps() -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![4 => Just(0u64), 4 => 1..150u64, 1 => 150..6000u64];
    prop::collection::vec(gap, 1..600)
}

proptest! {
    #[test]
    fn a_client_that_keeps_to_the_limit_in_every_window_is_never_refused(
        start in 0..1_000_000u64,
        gaps in gaps(),
    ) {
        let mut budget = FrameBudget::default();
        let mut exact = Exact::default();
        let mut ms = start;
        for gap in gaps {
            ms += gap;
            if exact.count(ms, 5000) < FRAMES_MAX as usize {
                exact.0.push_back(ms);
                prop_assert_eq!(admit(&mut budget, ms), Ok(()));
            }
        }
    }

    #[test]
    fn one_who_is_let_through_keeps_to_the_limit_in_all_but_a_slot_of_every_window(
        start in 0..1_000_000u64,
        gaps in gaps(),
    ) {
        let mut budget = FrameBudget::default();
        let mut exact = Exact::default();
        let mut ms = start;
        for gap in gaps {
            ms += gap;
            if admit(&mut budget, ms) == Ok(()) {
                exact.0.push_back(ms);
                prop_assert!(exact.count(ms, 5000 * 17 / 18) <= FRAMES_MAX as usize);
            } else {
                break;
            }
        }
    }
}
