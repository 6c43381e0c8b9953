use super::*;

const WINDOW: Duration = Duration::from_secs(6);

/// The least that passes between two looks at the clock.
const TICK: Duration = Duration::from_micros(1);

fn draining(clients: u32) -> Draining {
    Draining {
        began: Mono::ZERO + Duration::from_secs(100),
        window: WINDOW,
        order: (0..clients).map(|slot| (slot, 0)).collect(),
        all: clients as usize,
        closed: None,
    }
}

/// Steps from one turn to the next, as the shard does; when each client left, since the drain
/// began.
fn departures(mut draining: Draining) -> Vec<Duration> {
    let mut left = Vec::new();
    let mut now = draining.began;
    while let Some(next) = draining.next() {
        now = next.max(now + TICK);
        let stay = draining.stay(now).min(draining.order.len());
        for _ in draining.order.drain(stay..) {
            left.push(now.since(draining.began));
        }
    }
    left
}

#[test]
fn everyone_leaves_spread_evenly_over_the_window() {
    for clients in [1, 6, 1_000] {
        let left = departures(draining(clients));
        assert_eq!(left.len(), clients as usize);
        // Rounding may put one's turn to that of the one before.
        let turn = WINDOW / clients + TICK;
        for (number, at) in (1..).zip(left) {
            let due = WINDOW * number / clients;
            assert!(
                at.abs_diff(due) <= turn,
                "number {number} of {clients} at {at:?}, not {due:?}"
            );
        }
    }
}

#[test]
fn who_wakes_late_lets_all_go_whose_turn_has_passed() {
    let draining = draining(6);
    let after = |ms| draining.stay(draining.began + Duration::from_millis(ms));
    assert_eq!(after(0), 6);
    assert_eq!(after(3_500), 2);
    assert_eq!(after(6_000), 0);
    assert_eq!(after(60_000), 0);
}

#[test]
fn without_a_window_all_leave_at_once_and_without_clients_there_is_no_turn() {
    let mut draining = draining(3);
    draining.window = Duration::ZERO;
    assert_eq!(draining.next(), Some(draining.began));
    assert_eq!(draining.stay(draining.began), 0);
    draining.order.clear();
    assert_eq!(draining.next(), None);
}
