//! What a recording must not tell.

use guildgate_model::UserId;
use serde_json::{Map, Value, value::RawValue};

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

    fn walk(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Object(fields) => self.walk_object(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn walk_object(&self, fields: &mut Map<String, Value>) {
        for (key, value) in fields.iter_mut() {
            match key.as_str() {
                "token" | "session_id" if value.is_string() => *value = Value::from("redacted"),
                _ => self.walk(value),
            }
        }
        match self.redaction {
            Redaction::Secrets => {}
            Redaction::Users => self.hide_people(fields),
        }
    }

    fn hide_people(&self, fields: &mut Map<String, Value>) {
        if fields.contains_key("username") {
            self.hide_user(fields);
        }
        for (key, value) in fields.iter_mut() {
            match (key.as_str(), &mut *value) {
                // A user of whom only the id is said; the others were met on the way up.
                ("user", Value::Object(user)) if !user.contains_key("username") => {
                    self.hide_user(user);
                }
                ("user_id" | "owner_id" | "creator_id" | "inviter_id", Value::String(id)) => {
                    *id = self.stand_in(id);
                }
                ("user_ids" | "not_found", Value::Array(ids)) => {
                    for id in ids {
                        if let Value::String(id) = id {
                            *id = self.stand_in(id);
                        }
                    }
                }
                ("nick" | "email" | "content" | "bio" | "pronouns", Value::String(text)) => {
                    *text = "x".repeat(text.chars().count());
                }
                ("activities", Value::Array(activities)) => activities.clear(),
                _ => {}
            }
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
        user.insert("id".to_owned(), Value::from(id));
    }

    /// The id that stands for `id` in this recording: alike each time, and no way back.
    fn stand_in(&self, id: &str) -> String {
        let known: u64 = id.parse().unwrap_or(0);
        // As long as a snowflake of today.
        (mix(mix(known ^ self.key).wrapping_add(self.key)) % (1 << 60)).to_string()
    }
}

/// What a frame with a secret in it contains; a quick look before it is parsed.
const SECRET_KEYS: [&str; 2] = ["\"token\"", "\"session_id\""];
