//! What a recording must not tell.

use guildgate_model::UserId;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    rng::{hash_text, mix},
    world::World,
};

/// How much is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// Tokens and session ids: always.
    Secrets,
    /// People too: their ids, names, pictures, texts and activities. Ids are replaced alike
    /// throughout a recording, so that it still replays.
    Users,
}

/// Takes out of frames what must not be told.
#[derive(Debug, Clone)]
pub struct Redactor {
    redaction: Redaction,
    /// Makes the replaced ids of two recordings differ.
    key: u64,
}

impl Redactor {
    /// Redacts by `redaction`; `key` should be chosen by chance for each recording.
    #[must_use]
    pub fn new(redaction: Redaction, key: u64) -> Redactor {
        Redactor { redaction, key }
    }

    /// A frame without what must not be told; none if it is not JSON.
    pub(super) fn redact(&self, text: &str) -> Option<Box<RawValue>> {
        let secret = SECRET_KEYS.iter().any(|key| text.contains(key));
        if self.redaction == Redaction::Secrets && !secret {
            // Byte for byte, as most frames are.
            return RawValue::from_string(text.to_owned()).ok();
        }
        let mut frame: Value = serde_json::from_str(text).ok()?;
        self.walk(&mut frame);
        RawValue::from_string(frame.to_string()).ok()
    }

    fn walk(&self, frame: &mut Value) {
        self.hide_secrets(frame);
        match self.redaction {
            Redaction::Secrets => {}
            Redaction::Users => self.hide_people("", frame),
        }
    }

    fn hide_secrets(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_secrets(item)),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    match key.as_str() {
                        "token" | "session_id" if value.is_string() => {
                            *value = Value::from("redacted");
                        }
                        _ => self.hide_secrets(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What stands at `key`: only texts that are known to be about no person are kept. An id
    /// gets its stand-in, whatever it is the id of; any other text is blotted out.
    fn hide_people(&self, key: &str, value: &mut Value) {
        match value {
            Value::Array(activities) if key == "activities" => activities.clear(),
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.hide_people(key, item)),
            Value::Object(fields) => self.hide_people_in(key, fields),
            Value::String(text)
                if !KEPT_KEYS.contains(&key) && !STATUSES.contains(&text.as_str()) =>
            {
                *text = if is_id(text) {
                    self.stand_in(text)
                } else if PICTURE_KEYS.contains(&key) {
                    hash_text(self.key)
                } else {
                    "x".repeat(text.chars().count())
                };
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn hide_people_in(&self, key: &str, fields: &mut Map<String, Value>) {
        let has_id = fields.get("id").is_some_and(Value::is_string);
        let is_user = has_id && (fields.contains_key("username") || PERSON_KEYS.contains(&key));
        if is_user {
            self.hide_user(fields);
        }
        // An overwrite of type 1 is a member's. What a thread is called is what somebody wrote.
        let is_overwrite = fields.contains_key("allow") && fields.contains_key("deny");
        let is_members = is_overwrite
            && fields
                .get("type")
                .is_some_and(|kind| [json!(1), json!("1"), json!("member")].contains(kind));
        let is_named = has_id && !is_user && !fields.contains_key("thread_metadata");
        for (key, value) in fields.iter_mut() {
            match (key.as_str(), &mut *value) {
                ("id" | "username" | "global_name" | "discriminator" | "avatar" | "banner", _)
                    if is_user => {}
                ("id", Value::String(id)) if is_members => *id = self.stand_in(id),
                ("id", Value::String(_)) => {}
                ("name" | "description", Value::String(_)) if is_named => {}
                (key, value) => self.hide_people(key, value),
            }
        }
        if fields.keys().any(|key| is_id(key)) {
            let by_id = std::mem::take(fields).into_iter();
            *fields = by_id
                .map(|(key, value)| match is_id(&key) {
                    true => (self.stand_in(&key), value),
                    false => (key, value),
                })
                .collect();
        }
    }

    fn hide_user(&self, user: &mut Map<String, Value>) {
        let Some(Value::String(id)) = user.get("id") else {
            return;
        };
        let id = self.stand_in(id);
        let made_up = World::empty(UserId(0), "")
            .user(UserId(id.parse().unwrap_or(0)))
            .into_owned();
        let seen = ["avatar", "banner", "global_name", "username"];
        for key in seen {
            let Some(field @ Value::String(_)) = user.get_mut(key) else {
                continue;
            };
            *field = match key {
                "username" => Value::from(&*made_up.name),
                "global_name" => Value::from(made_up.global_name.as_deref()),
                _ => Value::from(hash_text(made_up.id.0)),
            };
        }
        for key in [
            "primary_guild",
            "avatar_decoration_data",
            "collectibles",
            "clan",
        ] {
            if let Some(field) = user.get_mut(key) {
                *field = Value::Null;
            }
        }
        if let Some(field @ Value::String(_)) = user.get_mut("discriminator") {
            *field = Value::from("0");
        }
        user.insert("id".to_owned(), Value::from(id));
    }

    /// The id that stands for `id` in this recording: alike each time, and no way back.
    fn stand_in(&self, id: &str) -> String {
        let known: u64 = id.parse().unwrap_or(0);
        // As long as a snowflake of today.
        (mix(mix(known ^ self.key).wrapping_add(self.key)) % (1 << 60)).to_string()
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What holds a user, of whom perhaps only the id is said.
const PERSON_KEYS: [&str; 5] = ["user", "author", "inviter", "target_user", "creator"];
/// How people are shown. A voice channel's status is what somebody wrote, at the same key.
const STATUSES: [&str; 5] = ["online", "idle", "dnd", "offline", "invisible"];
/// What holds the hash of a picture.
const PICTURE_KEYS: [&str; 4] = ["avatar", "banner", "guild_avatar", "guild_banner"];
/// Texts that are about no person: what the frame is, things of the guild, times, settings.
const KEPT_KEYS: [&str; 40] = [
    "t",
    "guild_id",
    "channel_id",
    "parent_id",
    "role_id",
    "role",
    "roles",
    "emoji_id",
    "message_id",
    "application_id",
    "afk_channel_id",
    "system_channel_id",
    "rules_channel_id",
    "public_updates_channel_id",
    "safety_alerts_channel_id",
    "widget_channel_id",
    "last_message_id",
    "guild_ids",
    "permissions",
    "permissions_new",
    "allow",
    "deny",
    "type",
    "joined_at",
    "premium_since",
    "communication_disabled_until",
    "timestamp",
    "edited_timestamp",
    "created_at",
    "expires_at",
    "icon",
    "vanity_url_code",
    "features",
    "preferred_locale",
    "locale",
    "os",
    "browser",
    "device",
    "resume_gateway_url",
    "nonce",
];

/// What a frame with a secret in it contains; a quick look before it is parsed.
const SECRET_KEYS: [&str; 2] = ["\"token\"", "\"session_id\""];
