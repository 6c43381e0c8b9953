//! Seats and passes.

use proptest::prelude::*;

use super::{
    super::tests::rig::{GUILD, Member, Rig},
    SLICE,
};

#[test]
fn many_leave_while_an_event_is_on_its_way() {
    let mut rig = Rig::new();
    let mut members: Vec<Member> = (0..SLICE + 44).map(|_| rig.arrive()).collect();
    rig.finish();
    rig.broadcast(&mut members);
    rig.shard.sweep(SLICE);
    for member in members.drain(..100) {
        rig.shard.forget(member.slot);
    }
    rig.broadcast(&mut members);
    rig.shard.sweep(SLICE);
    rig.finish();
    for member in &members {
        assert_eq!(member.heard(), [1, 2]);
    }
}

/// Something that happens to a guild; numbers pick a member.
#[derive(Debug, Clone)]
enum Happening {
    Arrive,
    Join(usize),
    Leave(usize),
    Vanish(usize),
    Broadcast,
    Slice(usize),
    Block(usize, bool),
    Flush,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Happening::Arrive),
        1 => any::<usize>().prop_map(Happening::Join),
        2 => any::<usize>().prop_map(Happening::Leave),
        2 => any::<usize>().prop_map(Happening::Vanish),
        3 => Just(Happening::Broadcast),
        3 => (1usize..6).prop_map(Happening::Slice),
        2 => any::<(usize, bool)>().prop_map(|(which, blocked)| Happening::Block(which, blocked)),
        1 => Just(Happening::Flush),
    ]
}

proptest! {
    #[test]
    fn each_is_told_each_event_once_and_in_order(
        happenings in prop::collection::vec(happening(), 1..120)
    ) {
        let mut rig = Rig::new();
        let mut members: Vec<Member> = (0..8).map(|_| rig.arrive()).collect();
        for happening in happenings {
            let count = members.len().max(1);
            match happening {
                Happening::Arrive => members.push(rig.arrive()),
                Happening::Broadcast => rig.broadcast(&mut members),
                Happening::Slice(sockets) => rig.shard.sweep(sockets),
                Happening::Flush => rig.shard.flush_dirty(),
                Happening::Join(which) => {
                    if let Some(member) = members.get_mut(which % count) {
                        rig.join(member);
                    }
                }
                Happening::Leave(which) => {
                    if let Some(member) = members.get_mut(which % count) {
                        rig.shard.leave_seat(member.slot, GUILD);
                        member.seated = false;
                    }
                }
                Happening::Vanish(which) => {
                    if !members.is_empty() {
                        let mut member = members.swap_remove(which % count);
                        rig.shard.forget(member.slot);
                        member.seated = false;
                        member.check();
                    }
                }
                Happening::Block(which, blocked) => {
                    if let Some(member) = members.get(which % count) {
                        rig.block(member.slot, blocked);
                    }
                }
            }
            rig.shard.settle();
        }
        for member in &members {
            rig.block(member.slot, false);
        }
        rig.finish();
        for member in &members {
            member.check();
        }
    }
}
