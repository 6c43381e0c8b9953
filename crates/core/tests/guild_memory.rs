//! What a guild costs while nobody is on it, by the allocator's own count.

#![expect(
    unsafe_code,
    reason = "an allocator that counts cannot be written without it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use guildgate_core::hub::{Config, Hub, Input};
use guildgate_model::{
    Emoji, EmojiId, GuildData, GuildId, Now, Permissions, Role, RoleId, ShardId, UpstreamEvent,
    UserId,
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
const SHARD: ShardId = ShardId { id: 0, count: 1 };

fn guild(id: u64) -> GuildData {
    let role = |n| Role {
        id: RoleId(if n == 0 { id } else { id * 1_000 + n }),
        permissions: Permissions(n),
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

#[test]
fn a_guild_of_30_roles_and_50_emojis_takes_less_than_4_kib() {
    let mut hub = Hub::new(Config::default());
    let mut out = Vec::new();
    let mut tell = |hub: &mut Hub, event| {
        out.clear();
        hub.handle(
            Now::default(),
            Input::Upstream {
                shard: SHARD,
                event,
            },
            &mut out,
        );
    };
    let ids: Vec<u64> = (1..=GUILDS as u64).collect();
    let started = UpstreamEvent::SessionStarted {
        bot: UserId(1),
        guilds: ids.iter().copied().map(GuildId).collect(),
    };
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    tell(&mut hub, started);
    for &id in &ids {
        tell(&mut hub, UpstreamEvent::GuildAvailable(Box::new(guild(id))));
    }
    let per_guild = (LIVE_BYTES.load(Ordering::Relaxed) - before) / GUILDS;
    let counted = hub.heap_bytes(GuildId(1)).expect("a guild");
    println!("{per_guild} bytes a guild by the allocator, {counted} by its own count");
    assert!(per_guild < 4 * 1024, "{per_guild} bytes a guild");
    assert!(
        counted.abs_diff(per_guild) < 256,
        "its own count is {counted}"
    );
}
