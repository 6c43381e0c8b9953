use super::*;

fn permit(id: u32, count: u32) -> Permit {
    Permit {
        shard: ShardId { id, count },
        epoch: Epoch(1),
    }
}

fn limit(remaining: u32, max_concurrency: u32) -> SessionStartLimit {
    SessionStartLimit {
        remaining,
        max_concurrency,
        reset_after: Duration::from_mins(10),
        ..SessionStartLimit::default()
    }
}

/// Gives out permits until nobody waits: who, and when.
fn drain(queue: &mut IdentifyQueue) -> Vec<(u32, Mono)> {
    let mut given = Vec::new();
    while let Some(at) = queue.deadline() {
        given.extend(queue.grant(at).iter().map(|permit| (permit.shard.id, at)));
    }
    given
}

#[test]
fn e12_three_shards_of_one_bucket_are_5_s_apart_in_order() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(1000, 1));
    for id in 0..3 {
        queue.request(permit(id, 3));
    }
    let given = drain(&mut queue);
    assert_eq!(
        given.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    for pair in given.windows(2) {
        assert!(pair[1].1.since(pair[0].1) >= Duration::from_secs(5));
    }
}

#[test]
fn e13_sixteen_of_32_shards_at_once_and_the_others_5_s_later() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(1000, 16));
    for id in 0..32 {
        queue.request(permit(id, 32));
    }
    let first: Vec<u32> = queue.grant(Mono::ZERO).iter().map(|p| p.shard.id).collect();
    assert_eq!(first, (0..16).collect::<Vec<_>>());
    let later = drain(&mut queue);
    assert_eq!(
        later.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        (16..32).collect::<Vec<_>>()
    );
    assert!(
        later
            .iter()
            .all(|(_, at)| *at >= Mono::ZERO + Duration::from_secs(5))
    );
}

#[test]
fn e14_an_empty_budget_waits_for_its_reset() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(0, 1));
    queue.request(permit(0, 1));
    assert_eq!(queue.grant(Mono::ZERO), []);
    let at = queue.deadline().expect("somebody waits");
    assert_eq!(at, Mono::ZERO + Duration::from_mins(10));
    assert_eq!(queue.grant(at), [permit(0, 1)]);
    assert_eq!(queue.remaining(), 999);
}

#[test]
fn e11_a_permit_that_was_not_used_goes_back_once() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(10, 1));
    queue.request(permit(0, 2));
    queue.request(permit(1, 2));
    queue.release(permit(1, 2));
    assert_eq!(queue.remaining(), 10, "a request costs nothing");
    assert_eq!(queue.grant(Mono::ZERO), [permit(0, 2)]);
    assert_eq!(queue.remaining(), 9);
    queue.release(permit(0, 2));
    queue.release(permit(0, 2));
    assert_eq!(queue.remaining(), 10);
    assert_eq!(queue.deadline(), None);
}

#[test]
fn a_fresh_answer_of_discords_is_taken_over_and_never_raises_what_is_left() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(10, 1));
    queue.request(permit(0, 4));
    queue.grant(Mono::ZERO);
    let now = Mono::ZERO + Duration::from_secs(1);
    queue.update(now, limit(10, 1));
    assert_eq!(queue.remaining(), 9, "the permit may still be on its way");
    queue.update(now, limit(3, 1));
    assert_eq!(queue.remaining(), 3, "another process counts too");
    let later = now + Duration::from_mins(10);
    queue.update(later, limit(1000, 1));
    assert_eq!(queue.remaining(), 1000, "another window");
}

#[test]
fn more_concurrency_opens_more_buckets_once_the_last_identify_is_old_enough() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(10, 1));
    for id in 0..4 {
        queue.request(permit(id, 4));
    }
    assert_eq!(queue.grant(Mono::ZERO), [permit(0, 4)]);
    queue.update(Mono::ZERO, limit(10, 16));
    assert_eq!(queue.grant(Mono::ZERO), []);
    let at = queue.deadline().expect("three wait");
    assert!(at >= Mono::ZERO + Duration::from_secs(5));
    assert_eq!(queue.grant(at), [permit(1, 4), permit(2, 4), permit(3, 4)]);
    assert!(queue.is_idle());
}

#[test]
fn a_permit_that_was_put_back_comes_first_and_later() {
    let mut queue = IdentifyQueue::new(Mono::ZERO, limit(10, 1));
    queue.request(permit(0, 2));
    queue.request(permit(1, 2));
    queue.grant(Mono::ZERO);
    let until = Mono::ZERO + Duration::from_mins(5);
    queue.put_back(permit(0, 2), until);
    assert_eq!(queue.remaining(), 10);
    assert_eq!(queue.deadline(), Some(until));
    assert_eq!(queue.grant(until), [permit(0, 2)]);
}
