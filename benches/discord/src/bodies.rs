//! Events that a gateway does not need, in the shapes of Discord's documentation.
//!
//! Source: Discord, "Gateway Events: Receive Events", "Message Object", "Voice State Object".

use guildgate_discord::Rng;
use guildgate_model::{GuildId, RoleId, UserId};
use guildgate_simulator::{Generated, User, World};
use serde_json::{Value, json};

use crate::record::pick;

/// Those who are about, by guild.
pub(crate) struct Bodies {
    guilds: Vec<Vec<User>>,
}

impl Bodies {
    pub(crate) fn new(world: &World, guilds: u32, active: u32) -> Bodies {
        let user = |guild, number| world.user(Generated::user_id(guild, number)).into_owned();
        let users = |guild| (0..active).map(|number| user(guild, number)).collect();
        Bodies {
            guilds: (0..guilds).map(users).collect(),
        }
    }

    /// Of 20: 10 presences, 3 typing, 4 messages, 2 reactions, 1 voice state.
    pub(crate) fn next(&self, rng: &mut Rng) -> (&'static str, GuildId, Value) {
        let index = small(rng.below(self.guilds.len() as u64));
        let users = &self.guilds[index];
        let who = small(rng.below(users.len() as u64));
        let guild = Generated::guild_id(u32::try_from(index).expect("small"));
        let mut body = Body {
            rng,
            guild,
            user: &users[who],
            number: who,
        };
        let (name, body) = match body.rng.below(20) {
            0..10 => ("PRESENCE_UPDATE", body.presence()),
            10..13 => ("TYPING_START", body.typing()),
            13..17 => ("MESSAGE_CREATE", body.message()),
            17..19 => ("MESSAGE_REACTION_ADD", body.reaction()),
            _ => ("VOICE_STATE_UPDATE", body.voice()),
        };
        (name, guild, body)
    }
}

struct Body<'a> {
    rng: &'a mut Rng,
    guild: GuildId,
    user: &'a User,
    number: usize,
}

impl Body<'_> {
    fn channel(&mut self) -> String {
        (self.guild.0 + 2 + self.rng.below(20)).to_string()
    }

    fn message_id(&mut self) -> String {
        (1_400_000_000_000_000_000 + self.rng.below(1 << 50)).to_string()
    }

    fn time(&mut self) -> String {
        let (minute, second) = (self.rng.below(60), self.rng.below(60));
        let micros = self.rng.below(1_000_000);
        format!("2026-11-23T03:{minute:02}:{second:02}.{micros:06}+00:00")
    }

    fn person(&self) -> Value {
        json!({
            "id": UserId(self.user.id.0).0.to_string(), "username": &*self.user.name,
            "avatar": self.user.avatar.as_deref(), "discriminator": "0", "public_flags": 0,
            "flags": 0, "banner": null, "accent_color": null,
            "global_name": self.user.global_name.as_deref(), "avatar_decoration_data": null,
            "collectibles": null, "display_name_styles": null, "banner_color": null, "clan": null,
            "primary_guild": null,
        })
    }

    /// A member's roles do not change while nobody changes them.
    fn roles(&self) -> Vec<String> {
        let role = |step: usize| RoleId(self.guild.0 + 1_001 + ((self.number * step) % 38) as u64);
        (1..1 + self.number % 6)
            .map(|step| role(step).0.to_string())
            .collect()
    }

    fn membership(&self) -> Value {
        json!({
            "roles": self.roles(), "premium_since": null, "pending": false, "nick": null,
            "mute": false, "joined_at": format!("2024-0{}-12T14:25:{:02}.107000+00:00", 1 + self.number % 9, self.number % 60),
            "flags": 0, "deaf": false, "communication_disabled_until": null, "banner": null,
            "avatar": null,
        })
    }

    fn member(&self) -> Value {
        let mut member = self.membership();
        member["user"] = self.person();
        member
    }

    fn presence(&mut self) -> Value {
        let status = pick(self.rng, &["online", "idle", "dnd", "offline"]);
        let created = 1_795_400_000_000 + self.rng.below(1 << 26);
        let custom = json!({
            "type": 4, "state": pick(self.rng, &SENTENCES), "name": "Custom Status",
            "id": "custom", "created_at": created,
        });
        let game = json!({
            "type": 0, "timestamps": {"start": created}, "state": "In a match",
            "session_id": format!("{:016x}{:016x}", self.rng.number(), self.rng.number()),
            "name": pick(self.rng, &["Chess", "Stardew Valley", "Minecraft", "Factorio"]),
            "id": format!("{:x}", self.rng.number()), "details": "Ranked",
            "created_at": created, "application_id": "383226320970055681",
            "assets": {"large_text": "Forest", "large_image": "565945769320775680"},
        });
        let activities = match self.rng.below(4) {
            0 => vec![],
            1 => vec![custom],
            2 => vec![game],
            _ => vec![custom, game],
        };
        json!({
            "user": {"id": self.user.id.0.to_string()}, "status": status,
            "guild_id": self.guild.0.to_string(), "client_status": {"desktop": status},
            "broadcast": null, "activities": activities,
        })
    }

    fn typing(&mut self) -> Value {
        json!({
            "user_id": self.user.id.0.to_string(), "timestamp": 1_795_400_000 + self.rng.below(1 << 16),
            "member": self.member(), "channel_id": self.channel(),
            "guild_id": self.guild.0.to_string(),
        })
    }

    fn message(&mut self) -> Value {
        let count = 1 + self.rng.below(4);
        let said: Vec<&str> = (0..count).map(|_| pick(self.rng, &SENTENCES)).collect();
        json!({
            "type": 0, "tts": false, "timestamp": self.time(), "pinned": false,
            "nonce": self.message_id(), "mentions": [], "mention_roles": [],
            "mention_everyone": false, "member": self.membership(), "id": self.message_id(),
            "flags": 0, "embeds": [], "edited_timestamp": null, "content": said.join(" "),
            "components": [], "channel_type": 0, "channel_id": self.channel(),
            "author": self.person(), "attachments": [], "guild_id": self.guild.0.to_string(),
        })
    }

    fn reaction(&mut self) -> Value {
        json!({
            "user_id": self.user.id.0.to_string(), "type": 0, "message_id": self.message_id(),
            "message_author_id": self.user.id.0.to_string(), "member": self.member(),
            "emoji": {"name": pick(self.rng, &["👍", "🎉", "🦉", "❤️"]), "id": null},
            "channel_id": self.channel(), "burst": false, "guild_id": self.guild.0.to_string(),
        })
    }

    fn voice(&mut self) -> Value {
        json!({
            "member": self.member(), "user_id": self.user.id.0.to_string(), "suppress": false,
            "session_id": format!("{:016x}{:016x}", self.rng.number(), self.rng.number()),
            "self_video": false, "self_mute": self.rng.below(2) == 0, "self_deaf": false,
            "request_to_speak_timestamp": null, "mute": false,
            "guild_id": self.guild.0.to_string(), "deaf": false, "channel_id": self.channel(),
        })
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("small")
}

const SENTENCES: [&str; 12] = [
    "has anyone tried the new build on an older laptop?",
    "brb",
    "the meeting moved to Thursday at 19:00",
    "lol that's exactly what I said last week",
    "could a moderator look at #help please",
    "ok",
    "I pushed a fix, let me know if it still breaks when you rejoin",
    "https://example.org/articles/2026/11/why-owls-turn-their-heads",
    "good morning everyone",
    "yes but only if the role is above yours in the list",
    "no idea, works for me",
    "thanks!",
];
