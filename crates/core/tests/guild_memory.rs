//! What a guild costs while nobody is on it, and what a client costs, by the allocator's count.

#![expect(
    unsafe_code,
    reason = "an allocator that counts cannot be written without it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use guildgate_core::{
    ClientId,
    hub::{Config, Hub, Input},
};
use guildgate_model::{
    Emoji, EmojiId, GuildData, GuildId, MemberData, Now, Permissions, Role, RoleId, ShardId,
    UpstreamEvent, UserId, WantedMark,
};

struct Counting;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(chunk_bytes(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(chunk_bytes(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What an allocator takes for an allocation: 16 bytes at least, and in steps of 16.
fn chunk_bytes(layout: Layout) -> usize {
    layout.size().next_multiple_of(16).max(16)
}

const GUILDS: usize = 2_000;
const CLIENTS: usize = 10_000;
const SHARD: ShardId = ShardId { id: 0, count: 1 };

fn guild(id: u64) -> GuildData {
    let role = |n| Role {
        id: RoleId(if n == 0 { id } else { id * 1_000 + n }),
        permissions: Permissions(n),
        position: 0,
    };
    let emoji = |n| Emoji {
        id: EmojiId(id * 1_000 + n),
        name: format!("some_emoji_{n}").into(),
        animated: n % 3 == 0,
    };
    let hash = || Some(Some("a_0123456789abcdef0123456789abcdef".into()));
    let mut data = GuildData::new(GuildId(id));
    data.name = Some(format!("A guild with a name, number {id}").into());
    data.owner = Some(UserId(id));
    data.icon = hash();
    data.banner = hash();
    data.description = Some(Some(
        "Eighty characters about what goes on in here. "
            .repeat(2)
            .into(),
    ));
    data.vanity = Some(Some("vanity".into()));
    data.member_count = Some(12_345);
    data.roles = Some((0..30).map(role).collect());
    data.emojis = Some((0..50).map(emoji).collect());
    data
}

/// A hub with [`GUILDS`] guilds, and what each costs.
fn filled() -> (Hub, usize) {
    let mut hub = Hub::new(Config::default());
    let ids: Vec<u64> = (1..=GUILDS as u64).collect();
    let started = UpstreamEvent::SessionStarted {
        bot: UserId(1),
        guilds: ids.iter().copied().map(GuildId).collect(),
    };
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    tell(&mut hub, started);
    for id in ids {
        tell(&mut hub, UpstreamEvent::GuildAvailable(Box::new(guild(id))));
    }
    let per_guild = (LIVE_BYTES.load(Ordering::Relaxed) - before) / GUILDS;
    (hub, per_guild)
}

fn tell(hub: &mut Hub, event: UpstreamEvent) {
    let shard = SHARD;
    let mark = WantedMark::ALL;
    put(hub, Input::Upstream { shard, event, mark });
}

fn put(hub: &mut Hub, input: Input) {
    hub.handle(Now::default(), input, &mut Vec::new());
}

/// One test, for the allocator counts all threads together.
#[test]
fn a_guild_takes_less_than_4_kib_and_a_client_a_few_hundred_bytes() {
    let (mut hub, per_guild) = filled();
    let counted = hub.heap_bytes(GuildId(1)).expect("a guild");
    println!("{per_guild} bytes a guild by the allocator, {counted} by its own count");
    assert!(per_guild < 4 * 1024, "{per_guild} bytes a guild");
    assert!(
        counted.abs_diff(per_guild) < 256,
        "its own count is {counted}"
    );

    let connect = |hub: &mut Hub, slot: usize, user| {
        let client = ClientId {
            slot: slot as u32,
            generation: 0,
            edge: 0,
        };
        let guild = GuildId(1);
        put(
            hub,
            Input::Connect {
                client,
                guild,
                user,
            },
        );
    };
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    for slot in 0..CLIENTS {
        connect(&mut hub, slot, None);
    }
    let per_basic = (LIVE_BYTES.load(Ordering::Relaxed) - before) / CLIENTS;

    let before = LIVE_BYTES.load(Ordering::Relaxed);
    for slot in CLIENTS..2 * CLIENTS {
        let user = UserId(slot as u64);
        connect(&mut hub, slot, Some(user));
        tell(
            &mut hub,
            UpstreamEvent::Members {
                guild: GuildId(1),
                members: vec![MemberData {
                    user,
                    tag: Some("somebody#1234".into()),
                    roles: Some((1_001..1_006).map(RoleId).collect()),
                    timed_out_until: None,
                    joined_at: None,
                }],
                not_found: vec![],
            },
        );
    }
    let per_full = (LIVE_BYTES.load(Ordering::Relaxed) - before) / CLIENTS;
    println!("{per_basic} bytes a basic client, {per_full} a full one with five roles");
    assert!(per_basic < 128, "{per_basic} bytes a basic client");
    assert!(per_full < 768, "{per_full} bytes a full client");
}
