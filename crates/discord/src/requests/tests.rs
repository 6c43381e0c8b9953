use super::*;
use crate::payload::RateLimitedMeta;

const GUILD: GuildId = GuildId(1);
const OTHER: GuildId = GuildId(2);

fn users(range: std::ops::Range<u64>) -> Vec<UserId> {
    range.map(UserId).collect()
}

fn chunk(request: &RequestMembers, index: u32, count: u32) -> MembersChunk {
    MembersChunk {
        guild: request.guild_id,
        members: Vec::new(),
        not_found: Vec::new(),
        index,
        count,
        nonce: request.nonce.clone(),
    }
}

fn at(seconds: u64) -> Mono {
    Mono::ZERO + Duration::from_secs(seconds)
}

fn full_of(book: &mut MemberRequests, guild: GuildId) {
    book.push(RequestMembers::everyone(guild), Intents::ALL)
        .expect("allowed");
}

#[test]
fn users_of_one_guild_are_gathered_by_the_hundred() {
    let mut book = MemberRequests::new(7);
    book.want(GUILD, &users(0..60)).expect("room");
    book.want(OTHER, &users(0..1)).expect("room");
    book.want(GUILD, &users(50..170)).expect("room");
    let sizes: Vec<(GuildId, usize)> = std::iter::from_fn(|| book.next(at(0)))
        .map(|request| {
            (
                request.guild_id,
                request.user_ids.map_or(0, |ids| ids.len()),
            )
        })
        .collect();
    assert_eq!(sizes, [(GUILD, 100), (OTHER, 1), (GUILD, 70)]);
}

#[test]
fn e38_a_refused_guild_is_held_and_the_others_run() {
    let mut book = MemberRequests::new(7);
    full_of(&mut book, GUILD);
    let request = book.next(at(0)).expect("sent");
    full_of(&mut book, OTHER);
    let limited = RateLimited {
        opcode: 8,
        retry_after: 12.5,
        meta: RateLimitedMeta {
            guild_id: Some(GUILD),
            nonce: request.nonce,
        },
    };
    assert_eq!(
        book.on_rate_limited(at(31), &limited),
        Some(MembersOutcome::Held {
            guild: GUILD,
            retry_after: Duration::from_millis(12_500)
        })
    );
    assert_eq!(book.next(at(31)).map(|r| r.guild_id), Some(OTHER));
    assert_eq!(book.next(at(43)), None);
    assert_eq!(
        book.next(at(44)).map(|r| r.guild_id),
        Some(GUILD),
        "sent again by itself"
    );
}

#[test]
fn e39_a_second_full_request_within_30_s_waits_here() {
    let mut book = MemberRequests::new(7);
    full_of(&mut book, GUILD);
    full_of(&mut book, GUILD);
    book.want(GUILD, &users(0..1)).expect("room");
    assert!(book.next(at(0)).expect("sent").is_full());
    assert!(
        !book
            .next(at(1))
            .expect("single users need not wait")
            .is_full()
    );
    assert_eq!(book.next(at(29)), None);
    assert_eq!(book.next_at(), Some(at(30)));
    assert!(book.next(at(30)).expect("sent").is_full());
}

#[test]
fn e40_chunks_out_of_order_and_repeated_complete_once() {
    let mut book = MemberRequests::new(7);
    full_of(&mut book, GUILD);
    let request = book.next(at(0)).expect("sent");
    for index in [2, 0, 2, 0] {
        assert_eq!(book.on_chunk(at(1), &chunk(&request, index, 3)), None);
    }
    let complete = book.on_chunk(at(1), &chunk(&request, 1, 3));
    assert!(matches!(
        complete,
        Some(MembersOutcome::Complete { guild: GUILD, .. })
    ));
    assert_eq!(book.on_chunk(at(1), &chunk(&request, 1, 3)), None);
    assert_eq!(book.deadline(), None);
}

#[test]
fn e41_an_answer_that_stalls_is_reported_with_what_came() {
    let mut book = MemberRequests::new(7);
    full_of(&mut book, GUILD);
    let request = book.next(at(0)).expect("sent");
    assert_eq!(book.deadline(), Some(at(15)));
    book.on_chunk(at(14), &chunk(&request, 0, 2));
    assert_eq!(book.on_time(at(15)), [], "each chunk sets the clock anew");
    let outcomes = book.on_time(at(29));
    assert!(
        matches!(
            outcomes[..],
            [MembersOutcome::Partial {
                received: 1,
                expected: Some(2),
                then: AfterStall::GivenUp,
                ..
            }]
        ),
        "{outcomes:?}"
    );
}

#[test]
fn single_users_are_asked_for_three_times() {
    let mut book = MemberRequests::new(7);
    book.want(GUILD, &users(0..2)).expect("room");
    for (attempt, then) in [
        (0, AfterStall::Retried),
        (1, AfterStall::Retried),
        (2, AfterStall::GivenUp),
    ] {
        let now = at(attempt * 20);
        book.next(now).expect("sent");
        let outcomes = book.on_time(now + CHUNK_TIMEOUT);
        assert!(
            matches!(outcomes[..], [MembersOutcome::Partial { then: seen, .. }] if seen == then),
            "{outcomes:?}"
        );
    }
    assert_eq!(book.next(at(99)), None);
}

#[test]
fn e42_users_nobody_mentions_are_told_and_a_long_nonce_is_refused() {
    let mut book = MemberRequests::new(7);
    book.want(GUILD, &users(0..3)).expect("room");
    let request = book.next(at(0)).expect("sent");
    let mut answer = chunk(&request, 0, 1);
    answer.not_found = users(0..1);
    assert_eq!(
        book.on_chunk(at(1), &answer),
        Some(MembersOutcome::Complete {
            guild: GUILD,
            nonce: request.nonce.expect("made up"),
            unmentioned: users(1..3)
        })
    );
    let mut long = RequestMembers::users(GUILD, users(0..1));
    long.nonce = Some("n".repeat(33).into());
    assert_eq!(
        book.push(long.clone(), Intents::ALL),
        Err(RequestError::NonceTooLong(33))
    );
    long.nonce = Some("n".repeat(32).into());
    book.push(long, Intents::ALL).expect("just fits");
    assert_eq!(
        book.next(at(2)).and_then(|r| r.nonce),
        Some("n".repeat(32).into())
    );
}

#[test]
fn e43_all_members_need_the_intent() {
    let mut book = MemberRequests::new(7);
    let check = |book: &mut MemberRequests, request: RequestMembers, expected| {
        assert_eq!(book.push(request, Intents::GUILDS), expected);
    };
    check(
        &mut book,
        RequestMembers::everyone(GUILD),
        Err(RequestError::NeedsGuildMembers),
    );
    check(
        &mut book,
        RequestMembers::users(GUILD, users(0..101)),
        Err(RequestError::TooManyUsers(101)),
    );
    let mut nothing = RequestMembers::everyone(GUILD);
    nothing.query = None;
    check(&mut book, nothing, Err(RequestError::Unspecified));
    let mut both = RequestMembers::users(GUILD, users(0..1));
    both.query = Some("a".into());
    check(&mut book, both, Err(RequestError::Ambiguous));
    let mut many = RequestMembers::everyone(GUILD);
    many.query = Some("a".into());
    many.limit = Some(101);
    check(&mut book, many, Err(RequestError::TooManyByName(101)));
    let mut enough = RequestMembers::everyone(GUILD);
    enough.query = Some("a".into());
    enough.limit = Some(100);
    check(&mut book, enough, Ok(()));
    book.next(at(0)).expect("sent");
    let mut named = RequestMembers::everyone(GUILD);
    named.query = Some("a".into());
    named.presences = Some(true);
    check(&mut book, named, Ok(()));
    assert_eq!(
        book.next(at(0)).expect("sent").presences,
        None,
        "no right to them"
    );
}

#[test]
fn a_new_session_asks_again_for_what_was_on_its_way() {
    let mut book = MemberRequests::new(7);
    book.want(GUILD, &users(0..1)).expect("room");
    book.want(OTHER, &users(0..1)).expect("room");
    let first = book.next(at(0)).expect("sent");
    let second = book.next(at(0)).expect("sent");
    book.on_new_session();
    assert_eq!(book.next(at(1)), Some(first));
    assert_eq!(book.next(at(1)), Some(second));
}

#[test]
fn a_server_that_drops_nonces_is_understood() {
    let mut book = MemberRequests::new(7);
    book.want(GUILD, &users(0..1)).expect("room");
    let mut request = book.next(at(0)).expect("sent");
    request.nonce = None;
    assert!(book.on_chunk(at(0), &chunk(&request, 0, 1)).is_some());
}
