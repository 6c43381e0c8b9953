//! What Discord sends, made up: whole enough that a typed client takes every word of it.
//!
//! Names, topics and ids differ from guild to guild by a seeded generator, so that compression
//! finds in it about what it finds in the real thing.

#![recursion_limit = "256"]

use guildgate_discord::{Compression, Epoch, Input, Output, Rng, Shard, ShardConfig};
use guildgate_model::{Now, Secret, ShardId};
use serde_json::{Value, json};
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};

/// A recorded stream: each message as it came, compressed, and as it was before that.
pub struct Recording {
    /// Binary messages of one zstd stream; the first is HELLO, the second READY.
    pub messages: Vec<Vec<u8>>,
    /// The same as JSON.
    pub payloads: Vec<String>,
}

impl Recording {
    /// HELLO, READY, then these events.
    pub fn of(events: impl Iterator<Item = (&'static str, Value)>) -> Recording {
        let mut recording = Recording {
            messages: Vec::new(),
            payloads: Vec::new(),
        };
        let mut encoder = Encoder::new(3).expect("an encoder");
        let hello = json!({"t": null, "s": null, "op": 10, "d": {"heartbeat_interval": 41250}});
        recording.push(&mut encoder, hello.to_string());
        let user = json!({
            "id": "99", "username": "bot", "discriminator": "0", "avatar": null, "bot": true,
            "email": null, "mfa_enabled": true, "verified": true, "flags": 0,
        });
        let ready = json!({
            "v": 10, "user": user, "guilds": [], "session_id": "s", "shard": [0, 1],
            "resume_gateway_url": "wss://r", "application": {"id": "99", "flags": 0},
        });
        for (index, (name, data)) in std::iter::once(("READY", ready)).chain(events).enumerate() {
            // Discord's order of keys.
            let text = format!(r#"{{"t":"{name}","s":{},"op":0,"d":{data}}}"#, index + 1);
            recording.push(&mut encoder, text);
        }
        recording
    }

    fn push(&mut self, encoder: &mut Encoder<'static>, text: String) {
        let mut out = Vec::with_capacity(text.len() + 1024);
        let mut input = InBuffer::around(text.as_bytes());
        while input.pos() < text.len() {
            let at = out.len();
            encoder
                .run(&mut input, &mut OutBuffer::around_pos(&mut out, at))
                .expect("room");
        }
        let at = out.len();
        encoder
            .flush(&mut OutBuffer::around_pos(&mut out, at))
            .expect("room");
        self.messages.push(out);
        self.payloads.push(text);
    }
}

/// A shard that waits for HELLO, under zstd.
pub fn shard() -> Shard {
    let id = ShardId { id: 0, count: 1 };
    let mut config = ShardConfig::new(id, Secret::new("token"), "ws://gateway");
    config.compression = Compression::ZstdStream;
    let mut shard = Shard::new(config, Rng::new(1), None);
    let mut out = Vec::new();
    shard.handle(Now::default(), Input::Start, &mut out);
    let epoch = Epoch(1);
    shard.handle(Now::default(), Input::Opened { epoch }, &mut out);
    shard
}

/// Runs a recording through a shard, and counts the events that came out.
pub fn run(shard: &mut Shard, recording: &Recording) -> usize {
    let epoch = Epoch(1);
    let now = Now::default();
    let mut out = Vec::new();
    let mut events = 0;
    for (index, bytes) in recording.messages.iter().enumerate() {
        shard.handle(now, Input::Binary { epoch, bytes }, &mut out);
        if index == 0 {
            shard.handle(now, Input::Permit { epoch }, &mut out);
        }
        events += out
            .drain(..)
            .filter(|output| matches!(output, Output::Event { .. }))
            .count();
    }
    events
}

/// Made-up data.
pub struct Maker(Rng);

impl Maker {
    /// By seed.
    pub fn new(seed: u64) -> Maker {
        Maker(Rng::new(seed))
    }

    fn id(&mut self) -> String {
        (1_000_000_000_000_000_000 + (self.0.number() >> 8)).to_string()
    }

    fn hash(&mut self) -> String {
        format!("{:016x}{:016x}", self.0.number(), self.0.number())
    }

    fn words(&mut self, count: u64) -> String {
        const WORDS: [&str; 24] = [
            "general", "rules", "the", "of", "to", "voice", "help", "news", "art", "please",
            "read", "before", "posting", "music", "event", "staff", "off", "topic", "memes", "and",
            "in", "here", "weekly", "welcome",
        ];
        let words: Vec<String> = (0..count)
            .map(|_| {
                let number = self.0.below(72);
                match WORDS.get(usize::try_from(number).expect("small")) {
                    Some(word) => (*word).to_owned(),
                    None => format!("{:x}", self.0.below(1 << 24)),
                }
            })
            .collect();
        words.join(" ")
    }

    fn time(&mut self) -> String {
        format!(
            "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
            16 + self.0.below(10),
            1 + self.0.below(12),
            1 + self.0.below(28),
            self.0.below(24),
            self.0.below(60),
            self.0.below(60),
            self.0.below(1_000_000)
        )
    }

    fn user(&mut self) -> Value {
        json!({
            "id": self.id(), "username": self.words(1), "discriminator": "0", "bot": false,
            "avatar": self.hash(), "global_name": self.words(2), "public_flags": 0, "banner": null,
            "accent_color": null, "avatar_decoration_data": null, "avatar_decoration": null,
        })
    }

    fn member(&mut self) -> Value {
        let roles: Vec<String> = (0..self.0.below(12)).map(|_| self.id()).collect();
        json!({
            "user": self.user(), "nick": null, "avatar": null, "banner": null, "roles": roles,
            "joined_at": self.time(), "premium_since": null, "deaf": false, "mute": false,
            "flags": 0, "pending": false, "communication_disabled_until": null,
        })
    }

    fn role(&mut self, position: u64) -> Value {
        json!({
            "id": self.id(), "name": self.words(2), "color": 0, "hoist": false, "icon": null,
            "unicode_emoji": null, "position": position, "managed": false, "mentionable": false,
            "permissions": (self.0.number() >> 12).to_string(), "flags": 0,
            "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
        })
    }

    fn emoji(&mut self) -> Value {
        json!({
            "id": self.id(), "name": self.words(1), "roles": [], "require_colons": true,
            "managed": false, "animated": false, "available": true, "user": self.user(),
        })
    }

    fn channel(&mut self, position: u64) -> Value {
        let overwrites: Vec<Value> = (0..1 + self.0.below(5))
            .map(|_| json!({"id": self.id(), "type": 0, "allow": "1024", "deny": "2048"}))
            .collect();
        json!({
            "id": self.id(), "type": 0, "name": self.words(2), "position": position, "nsfw": false,
            "topic": self.words(12), "permission_overwrites": overwrites, "flags": 0,
            "parent_id": self.id(), "last_message_id": self.id(), "rate_limit_per_user": 0,
        })
    }

    /// A GUILD_CREATE of about 100 KiB: 30 roles, 50 emojis, and as many channels as it takes.
    pub fn guild(&mut self) -> Value {
        let roles: Vec<Value> = (0..30).map(|position| self.role(position)).collect();
        let emojis: Vec<Value> = (0..50).map(|_| self.emoji()).collect();
        let channels: Vec<Value> = (0..120).map(|position| self.channel(position)).collect();
        let members: Vec<Value> = (0..25).map(|_| self.member()).collect();
        json!({
            "id": self.id(), "name": self.words(3), "icon": self.hash(), "splash": null,
            "discovery_splash": null, "owner_id": self.id(), "afk_channel_id": null,
            "afk_timeout": 300, "widget_enabled": false, "verification_level": 2,
            "default_message_notifications": 1, "explicit_content_filter": 2, "roles": roles,
            "emojis": emojis, "features": ["COMMUNITY", "NEWS"], "mfa_level": 1,
            "application_id": null, "system_channel_id": null, "system_channel_flags": 0,
            "rules_channel_id": null, "max_members": 500_000, "vanity_url_code": null,
            "description": self.words(9), "banner": null, "premium_tier": 1,
            "premium_subscription_count": 5, "preferred_locale": "en-US",
            "public_updates_channel_id": null, "nsfw_level": 0, "stickers": [],
            "premium_progress_bar_enabled": true, "joined_at": self.time(), "large": true,
            "unavailable": false, "member_count": 1 + self.0.below(100_000), "voice_states": [],
            "members": members, "channels": channels, "threads": [], "presences": [],
            "stage_instances": [], "guild_scheduled_events": [],
        })
    }

    /// Nine member updates, then a role's.
    pub fn update(&mut self, index: u64) -> (&'static str, Value) {
        if index % 10 == 9 {
            let role = self.role(index);
            return (
                "GUILD_ROLE_UPDATE",
                json!({"guild_id": self.id(), "role": role}),
            );
        }
        let mut member = self.member();
        member["guild_id"] = json!(self.id());
        ("GUILD_MEMBER_UPDATE", member)
    }

    /// Typing, messages, reactions.
    pub fn unneeded(&mut self, index: u64) -> (&'static str, Value) {
        match index % 3 {
            0 => (
                "TYPING_START",
                json!({
                    "channel_id": self.id(), "guild_id": self.id(), "user_id": self.id(),
                    "timestamp": 1_700_000_000 + index, "member": self.member(),
                }),
            ),
            1 => (
                "MESSAGE_CREATE",
                json!({
                    "id": self.id(), "channel_id": self.id(), "guild_id": self.id(), "type": 0,
                    "author": self.user(), "content": self.words(30), "timestamp": self.time(),
                    "edited_timestamp": null, "tts": false, "mention_everyone": false,
                    "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
                    "pinned": false, "flags": 0, "components": [],
                }),
            ),
            _ => (
                "MESSAGE_REACTION_ADD",
                json!({
                    "user_id": self.id(), "channel_id": self.id(), "message_id": self.id(),
                    "guild_id": self.id(), "member": self.member(), "burst": false, "type": 0,
                    "emoji": {"id": null, "name": "x"}, "burst_colors": [],
                }),
            ),
        }
    }
}
