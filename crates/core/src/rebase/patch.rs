//! An RFC 6902 patch, checked for form.

use std::fmt;

use guildgate_model::form::bounds::DOCUMENT_DEPTH_MAX;
use serde_json::{Map, Value};

use super::{PATCH_BYTES_MAX, PATCH_OPS_MAX, POINTER_TOKENS_MAX};

/// A patch that is one: a list of well-formed operations, inside the bounds.
///
/// Source: RFC 6902.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    json: Value,
    pub(super) operations: Vec<Operation>,
}

/// One operation; its place in the list is its name in errors.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operation {
    Add { path: Pointer, value: Value },
    Remove { path: Pointer },
    Replace { path: Pointer, value: Value },
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test { path: Pointer, value: Value },
}

/// An RFC 6901 pointer, as text and as its unescaped steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) text: Box<str>,
    pub(super) tokens: Vec<Box<str>>,
}

/// What is wrong with a patch, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PatchError {
    /// Which operation of the list, counted from 0; none if it is the list itself, or what all
    /// of it made.
    pub operation: Option<usize>,
    /// The pointer that the operation could not follow or may not touch; empty for the root,
    /// or where it has none. Into what the patch made, where that is at fault.
    pub pointer: Box<str>,
    /// What kind of fault it is.
    pub kind: PatchErrorKind,
    /// What was expected.
    pub message: Box<str>,
}

/// What kind of fault a patch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchErrorKind {
    /// It is not RFC 6902.
    Malformed,
    /// It is too large, too deep, or too many operations.
    TooLarge,
    /// It names a place that the document does not have.
    NoSuchPlace,
    /// A `test` found something else.
    TestFailed,
    /// It touches what no patch may.
    Protected,
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(at) => write!(f, "operation {at}")?,
            None => f.write_str("the patch")?,
        }
        if !self.pointer.is_empty() {
            write!(f, " at {}", self.pointer)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl PatchError {
    pub(super) fn at(
        operation: usize,
        pointer: impl Into<Box<str>>,
        kind: PatchErrorKind,
        message: impl Into<Box<str>>,
    ) -> PatchError {
        PatchError {
            operation: Some(operation),
            pointer: pointer.into(),
            kind,
            message: message.into(),
        }
    }

    pub(super) fn in_result(
        pointer: impl Into<Box<str>>,
        kind: PatchErrorKind,
        message: impl Into<Box<str>>,
    ) -> PatchError {
        PatchError {
            operation: None,
            pointer: pointer.into(),
            kind,
            message: message.into(),
        }
    }

    fn whole(kind: PatchErrorKind, message: impl Into<Box<str>>) -> PatchError {
        PatchError {
            operation: None,
            pointer: Box::default(),
            kind,
            message: message.into(),
        }
    }
}

impl Patch {
    /// Reads a patch. Keys that RFC 6902 does not know are ignored, as it demands.
    ///
    /// # Errors
    /// [`PatchErrorKind::Malformed`] if it is not RFC 6902, [`PatchErrorKind::TooLarge`] past
    /// [`PATCH_OPS_MAX`], [`PATCH_BYTES_MAX`], [`POINTER_TOKENS_MAX`] or the depth of a
    /// document.
    pub fn parse(json: Value) -> Result<Patch, PatchError> {
        let Some(list) = json.as_array() else {
            let message = "expected an RFC 6902 list of operations";
            return Err(PatchError::whole(PatchErrorKind::Malformed, message));
        };
        if list.len() > PATCH_OPS_MAX {
            let count = list.len();
            let message = format!("{count} operations: expected at most {PATCH_OPS_MAX}");
            return Err(PatchError::whole(PatchErrorKind::TooLarge, message));
        }
        let operations = list
            .iter()
            .enumerate()
            .map(|(at, operation)| Operation::parse(at, operation))
            .collect::<Result<Vec<_>, _>>()?;
        // Measured last: by now it is known to be shallow enough to be walked.
        let bytes = serde_json::to_string(&json).map_or(usize::MAX, |text| text.len());
        if bytes > PATCH_BYTES_MAX {
            let message = format!("{bytes} bytes: expected at most {PATCH_BYTES_MAX}");
            return Err(PatchError::whole(PatchErrorKind::TooLarge, message));
        }
        Ok(Patch { json, operations })
    }

    /// The patch as it came.
    #[must_use]
    pub fn as_json(&self) -> &Value {
        &self.json
    }
}

impl Operation {
    fn parse(at: usize, json: &Value) -> Result<Operation, PatchError> {
        let malformed = |message: &str| PatchError::at(at, "", PatchErrorKind::Malformed, message);
        let Some(members) = json.as_object() else {
            return Err(malformed("expected an object with `op` and `path`"));
        };
        let path = |key: &str| pointer(at, members, key);
        let value = || match members.get("value") {
            Some(value) if is_deeper_than(value, DOCUMENT_DEPTH_MAX) => Err(PatchError::at(
                at,
                "",
                PatchErrorKind::TooLarge,
                format!("`value` is nested too deep: expected at most {DOCUMENT_DEPTH_MAX} levels"),
            )),
            Some(value) => Ok(value.clone()),
            None => Err(malformed("`value` is missing")),
        };
        let name = members.get("op").and_then(Value::as_str);
        Ok(match name {
            Some("add") => Operation::Add {
                path: path("path")?,
                value: value()?,
            },
            Some("remove") => Operation::Remove {
                path: path("path")?,
            },
            Some("replace") => Operation::Replace {
                path: path("path")?,
                value: value()?,
            },
            Some("move") => Operation::Move {
                from: path("from")?,
                path: path("path")?,
            },
            Some("copy") => Operation::Copy {
                from: path("from")?,
                path: path("path")?,
            },
            Some("test") => Operation::Test {
                path: path("path")?,
                value: value()?,
            },
            Some(_) | None => {
                return Err(malformed(
                    "`op` is not one of add, remove, replace, move, copy, test",
                ));
            }
        })
    }
}

fn pointer(at: usize, members: &Map<String, Value>, key: &str) -> Result<Pointer, PatchError> {
    let malformed = |message: String| PatchError::at(at, "", PatchErrorKind::Malformed, message);
    let Some(text) = members.get(key).and_then(Value::as_str) else {
        return Err(malformed(format!("`{key}` is missing or no text")));
    };
    let mut steps = text.split('/');
    if steps.next() != Some("") {
        return Err(malformed(format!(
            "`{key}` is no JSON pointer: expected nothing or a `/` first"
        )));
    }
    let mut tokens = Vec::new();
    for step in steps {
        if tokens.len() == POINTER_TOKENS_MAX {
            let message = format!("`{key}` has more than {POINTER_TOKENS_MAX} steps");
            return Err(PatchError::at(at, "", PatchErrorKind::TooLarge, message));
        }
        let Some(token) = unescape(step) else {
            return Err(malformed(format!(
                "`{key}` is no JSON pointer: expected 0 or 1 after every `~`"
            )));
        };
        tokens.push(token);
    }
    Ok(Pointer {
        text: text.into(),
        tokens,
    })
}

fn unescape(step: &str) -> Option<Box<str>> {
    let mut token = String::with_capacity(step.len());
    let mut characters = step.chars();
    while let Some(character) = characters.next() {
        token.push(match character {
            '~' => match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                Some(_) | None => return None,
            },
            other => other,
        });
    }
    Some(token.into())
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let deeper = |child: &Value| levels == 0 || is_deeper_than(child, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(deeper),
        Value::Object(members) => levels == 0 || members.values().any(deeper),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
