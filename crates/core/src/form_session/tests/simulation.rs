//! Many editors on two nodes over one store, with delays, failures, crashes, repetitions and
//! rights that come and go. Whatever happens: everybody ends on the same document, every patch
//! that was acknowledged is in its history exactly once, and no patch is taken from somebody of
//! whom the node knows that they may not.

mod editor;
mod world;

use proptest::prelude::*;

use self::world::{Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let editor = || any::<prop::sample::Index>();
    let step = prop_oneof![
        6 => (editor(), any::<[u8; 4]>()).prop_map(|(editor, draw)| Step::Patch { editor, draw }),
        6 => (editor(), 1..6_u8).prop_map(|(editor, count)| Step::Deliver { editor, count }),
        6 => (any::<bool>(), editor()).prop_map(|(node, at)| Step::Execute { node, at }),
        6 => (any::<bool>(), editor()).prop_map(|(node, at)| Step::Reply { node, at }),
        2 => any::<bool>().prop_map(Step::Feed),
        1 => (any::<bool>(), editor(), any::<bool>())
            .prop_map(|(node, at, is_kept)| Step::Fail { node, at, is_kept }),
        1 => (editor(), any::<bool>()).prop_map(|(editor, node)| Step::Reconnect { editor, node }),
        1 => (editor(), any::<bool>()).prop_map(|(editor, may)| Step::Rights { editor, may }),
        1 => (1..20_u8).prop_map(Step::Pass),
    ];
    let calm = prop::collection::vec(step, 20..200);
    // A crash in one run of three or so: a crashed node has little to disagree with.
    (
        calm,
        prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<bool>())),
    )
        .prop_map(|(mut steps, crash)| {
            if let Some((at, node)) = crash {
                let at = at.index(steps.len());
                steps.insert(at, Step::Crash(node));
            }
            steps
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_ends_on_the_same_document(steps in steps()) {
        let mut world = World::new(5);
        for step in steps {
            world.step(step);
        }
        world.settle();
        world.check();
    }
}

/// The draws above must reach what they are for; a fixed one that is known to, so that a world
/// in which nothing happens cannot pass for one in which nothing goes wrong.
#[test]
fn the_world_is_busy() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut total = world::Tally::default();
    for _ in 0..60 {
        let steps = steps()
            .new_tree(&mut runner)
            .expect("steps are drawn")
            .current();
        let mut world = World::new(5);
        for step in steps {
            world.step(step);
        }
        world.settle();
        world.check();
        total.add(&world.tally);
    }
    assert!(total.acknowledged > 200, "{total:?}");
    assert!(total.rebased > 50, "{total:?}");
    assert!(total.conflicts > 50, "{total:?}");
    assert!(total.repeated > 20, "{total:?}");
    assert!(total.reauthenticated > 10, "{total:?}");
    assert!(total.put_out > 10, "{total:?}");
    assert!(total.lost_races > 20, "{total:?}");
}
