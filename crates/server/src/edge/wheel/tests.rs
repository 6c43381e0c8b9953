use std::{collections::BTreeMap, time::Duration};

use guildgate_model::Mono;
use proptest::prelude::*;

use super::{TICK, Wheel};

fn at(ms: u64) -> Mono {
    Mono::from_start(Duration::from_millis(ms))
}

fn expired(wheel: &mut Wheel, ms: u64) -> Vec<u32> {
    let mut due = Vec::new();
    wheel.expire(at(ms), &mut due);
    due.sort_unstable();
    due
}

#[test]
fn a_deadline_comes_up_once_and_never_early() {
    let mut wheel = Wheel::new(at(0));
    wheel.schedule(7, at(1_000));
    assert_eq!(expired(&mut wheel, 999), [0u32; 0]);
    assert_eq!(expired(&mut wheel, 1_024), [7]);
    assert_eq!(expired(&mut wheel, 5_000), [0u32; 0]);
    assert_eq!(wheel.next(), None);
}

#[test]
fn an_earlier_deadline_replaces_a_later_one_and_not_the_other_way_round() {
    let mut wheel = Wheel::new(at(0));
    wheel.schedule(1, at(1_000));
    wheel.schedule(1, at(500));
    wheel.schedule(1, at(2_000));
    assert_eq!(expired(&mut wheel, 600), [1]);
    assert_eq!(expired(&mut wheel, 3_000), [0u32; 0]);
}

#[test]
fn a_deadline_further_than_one_turn_waits_its_turn() {
    let mut wheel = Wheel::new(at(0));
    wheel.schedule(1, at(120_000));
    assert_eq!(expired(&mut wheel, 70_000), [0u32; 0]);
    assert_eq!(expired(&mut wheel, 119_999), [0u32; 0]);
    assert_eq!(expired(&mut wheel, 120_032), [1]);
}

#[test]
fn the_wake_up_is_at_the_first_deadline() {
    let mut wheel = Wheel::new(at(0));
    wheel.schedule(1, at(3_000));
    wheel.schedule(2, at(1_000));
    let next = wheel.next().expect("two are in");
    assert!(next >= at(1_000) && next <= at(1_000) + TICK, "{next:?}");
    wheel.cancel(2);
    let next = wheel.next().expect("one is in");
    assert!(next >= at(3_000) && next <= at(3_000) + TICK, "{next:?}");
}

proptest! {
    #[test]
    fn it_agrees_with_a_sorted_map(
        steps in prop::collection::vec((0u32..20, 0u64..200_000, 0u64..5_000), 1..200)
    ) {
        let mut wheel = Wheel::new(at(0));
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut now = 0;
        for (key, delay, pause) in steps {
            if delay % 7 == 0 {
                wheel.cancel(key);
                model.remove(&key);
            } else {
                wheel.schedule(key, at(now + delay));
                let tick = TICK.as_millis() as u64;
                let due = (now + delay).div_ceil(tick).max(now / tick + 1) * tick;
                model.entry(key).and_modify(|old| *old = due.min(*old)).or_insert(due);
            }
            now += pause;
            let expected: Vec<u32> =
                model.iter().filter(|(_, due)| **due <= now).map(|(key, _)| *key).collect();
            model.retain(|_, due| *due > now);
            prop_assert_eq!(expired(&mut wheel, now), expected);
        }
    }
}
