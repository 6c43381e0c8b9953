//! A call's JSON body, field by field, with Discord's way of saying what is wrong with it.

use guildgate_model::{Permissions, UnixMs, UserId};
use serde_json::{Map, Value, json};

use super::ApiError;
use crate::iso;

/// A body that is being read. Faults are collected; [`Form::finish`] reports them together.
#[derive(Debug)]
pub(super) struct Form {
    fields: Map<String, Value>,
    faults: Map<String, Value>,
}

impl Form {
    /// Reads a body; an empty one is an empty object.
    ///
    /// # Errors
    /// Where it is not a JSON object.
    pub(super) fn read(body: &[u8]) -> Result<Form, ApiError> {
        let fields = match body {
            [] => Map::new(),
            body => serde_json::from_slice(body).map_err(|_| ApiError::INVALID_JSON)?,
        };
        Ok(Form {
            fields,
            faults: Map::new(),
        })
    }

    /// # Errors
    /// Where a field that was read was wrong.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid_form(self.faults))
    }

    /// Notes that `key` is wrong.
    pub(super) fn fault(&mut self, key: &str, code: &str, message: &str) {
        let fault = json!({ "_errors": [{ "code": code, "message": message }] });
        self.faults.insert(key.to_owned(), fault);
    }

    /// Notes that `key` is missing.
    pub(super) fn missing(&mut self, key: &str) {
        self.fault(key, "BASE_TYPE_REQUIRED", "This field is required");
    }

    fn take<T>(&mut self, key: &str, what: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.fields.get(key)?;
        let read = read(value);
        if read.is_none() {
            let message = format!("Could not be read as {what}.");
            self.fault(key, "BASE_TYPE_CHOICES", &message);
        }
        read
    }

    /// A text of at most `max` characters.
    pub(super) fn text(&mut self, key: &str, max: usize) -> Option<Box<str>> {
        let text = self.take(key, "a text", |value| value.as_str().map(Box::<str>::from))?;
        if text.chars().count() > max || text.is_empty() {
            let message = format!("Must be between 1 and {max} in length.");
            self.fault(key, "BASE_TYPE_BAD_LENGTH", &message);
            return None;
        }
        Some(text)
    }

    /// A text or null; an empty text is null.
    pub(super) fn nullable_text(&mut self, key: &str, max: usize) -> Option<Option<Box<str>>> {
        let none = |value: &Value| value.is_null() || value.as_str() == Some("");
        if self.fields.get(key).is_some_and(none) {
            return Some(None);
        }
        self.text(key, max).map(Some)
    }

    /// A number up to `max`.
    pub(super) fn number(&mut self, key: &str, max: u32) -> Option<u32> {
        let read = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = self.take(key, "a number", read)?;
        if number > max {
            let message = format!("int value should be less than or equal to {max}.");
            self.fault(key, "NUMBER_TYPE_MAX", &message);
            return None;
        }
        Some(number)
    }

    /// A small number up to `max`.
    pub(super) fn level(&mut self, key: &str, max: u8) -> Option<u8> {
        self.number(key, u32::from(max))
            .and_then(|number| u8::try_from(number).ok())
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.take(key, "a boolean", Value::as_bool)
    }

    /// A permission set; `null` counts as not said.
    pub(super) fn permissions(&mut self, key: &str) -> Option<Permissions> {
        if self.fields.get(key).is_some_and(Value::is_null) {
            return None;
        }
        let read = |value: &Value| serde_json::from_value(value.clone()).ok();
        self.take(key, "a permission set", read)
    }

    /// An id.
    pub(super) fn id(&mut self, key: &str) -> Option<u64> {
        self.take(key, "a snowflake", read_id)
    }

    /// A user's id.
    pub(super) fn user(&mut self, key: &str) -> Option<UserId> {
        self.id(key).map(UserId)
    }

    /// Ids in a list; `null` is an empty one.
    pub(super) fn ids(&mut self, key: &str) -> Option<Vec<u64>> {
        let read = |value: &Value| match value {
            Value::Null => Some(Vec::new()),
            value => value.as_array()?.iter().map(read_id).collect(),
        };
        self.take(key, "a list of snowflakes", read)
    }

    /// A time or null.
    pub(super) fn nullable_time(&mut self, key: &str) -> Option<Option<UnixMs>> {
        let read = |value: &Value| match value {
            Value::Null => Some(None),
            value => iso::parse(value.as_str()?).map(Some),
        };
        self.take(key, "an ISO 8601 time", read)
    }
}

fn read_id(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}
