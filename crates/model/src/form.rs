//! A guild's application form: its sections, fields and status.
//!
//! The document (a JSON value, what clients patch) is the truth; [`Form`] is what it means once
//! [`Form::check`] found no fault in it. Bounds are in [`bounds`].

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::RoleId;

pub mod bounds;
mod check;
mod fault;
mod renamed;
mod status;
#[cfg(test)]
pub(crate) mod tests;

pub use check::check_size;
pub use fault::{Back, Fault, Faults, Pointer};
pub use renamed::{Renamed, renamed};
pub use status::{Intake, Status};

/// An application form without fault.
///
/// Source: wire protocol, "Form".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Whether it takes submissions, and when.
    pub status: Status,
    /// Its sections, in order.
    pub sections: Vec<Section>,
    /// The role that an accepted applicant is given.
    pub role_on_accept: Option<RoleId>,
}

/// A part of a form under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading; may be empty.
    pub title: Box<str>,
    /// Explains it; may be empty.
    pub description: Box<str>,
    /// Its fields, in order.
    pub fields: Vec<Field>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// By which answers name it; unique in the form, and stable once answers exist.
    pub id: FieldId,
    /// The question.
    pub title: Box<str>,
    /// Explains it; may be empty.
    pub description: Box<str>,
    /// What kind of answer it takes.
    pub kind: FieldKind,
    /// How long an answer is: characters of a text, or choices made.
    pub length: Length,
    /// Whether a submission must answer it.
    pub required: bool,
}

/// What kind of answer a field takes; `type` and `options` of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// 0: a text in one line.
    ShortText,
    /// 1: a text in many lines.
    LongText,
    /// 2: one of the options.
    Choice {
        /// What is offered; no two alike.
        options: Vec<Box<str>>,
    },
    /// 3: any of the options.
    Choices {
        /// What is offered; no two alike.
        options: Vec<Box<str>>,
    },
}

impl FieldKind {
    /// Its number in the document.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            FieldKind::ShortText => 0,
            FieldKind::LongText => 1,
            FieldKind::Choice { .. } => 2,
            FieldKind::Choices { .. } => 3,
        }
    }

    /// What is offered; none for a text.
    #[must_use]
    pub fn options(&self) -> Option<&[Box<str>]> {
        match self {
            FieldKind::ShortText | FieldKind::LongText => None,
            FieldKind::Choice { options } | FieldKind::Choices { options } => Some(options),
        }
    }
}

/// The bounds of an answer, both included: characters of a text, or choices made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// The least.
    pub min: u32,
    /// The most; not below `min`.
    pub max: u32,
}

/// A field's id: 1 to [`bounds::FIELD_ID_BYTES_MAX`] ASCII letters, digits, `-` or `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct FieldId(Box<str>);

/// A text that is no field's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a field id: expected 1 to {} ASCII letters, digits, `-` or `_`",
    bounds::FIELD_ID_BYTES_MAX
)]
pub struct BadFieldId;

impl FieldId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for FieldId {
    type Error = BadFieldId;

    fn try_from(text: &str) -> Result<FieldId, BadFieldId> {
        let fits = (1..=bounds::FIELD_ID_BYTES_MAX).contains(&text.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if fits && text.bytes().all(plain) {
            Ok(FieldId(text.into()))
        } else {
            Err(BadFieldId)
        }
    }
}

impl TryFrom<Box<str>> for FieldId {
    type Error = BadFieldId;

    fn try_from(text: Box<str>) -> Result<FieldId, BadFieldId> {
        FieldId::try_from(&*text)
    }
}

impl From<FieldId> for Box<str> {
    fn from(id: FieldId) -> Box<str> {
        id.0
    }
}

impl fmt::Display for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldId({})", self.0)
    }
}

impl Form {
    /// The document of a guild that has no form yet, at
    /// [`crate::Revision::FIRST`]: closed and empty.
    #[must_use]
    pub fn empty_document() -> Value {
        json!({"status": 0, "status_data": null, "sections": []})
    }

    /// Every field, in order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.sections.iter().flat_map(|section| &section.fields)
    }

    /// The field of that id.
    #[must_use]
    pub fn field(&self, id: &str) -> Option<&Field> {
        self.fields().find(|field| field.id.as_str() == id)
    }

    /// Whether answers and their intake are judged by `other` as by this form: titles and
    /// descriptions, and where the fields stand, make no difference.
    #[must_use]
    pub fn judges_as(&self, other: &Form) -> bool {
        let alike = |one: &Field, two: &Field| {
            (&one.kind, one.length, one.required) == (&two.kind, two.length, two.required)
        };
        self.status == other.status
            && self.fields().count() == other.fields().count()
            && self.fields().all(|field| {
                let same = other.field(field.id.as_str());
                same.is_some_and(|same| alike(field, same))
            })
    }

    /// The form as a document with every key written out.
    #[must_use]
    pub fn to_document(&self) -> Value {
        let (status, status_data) = self.status.to_json();
        let sections: Vec<Value> = self.sections.iter().map(Section::to_json).collect();
        let mut document = json!({
            "status": status,
            "status_data": status_data,
            "sections": sections,
        });
        if let Some(role) = self.role_on_accept {
            document["role_on_accept"] = json!(role);
        }
        document
    }

    /// The RFC 6902 patch by which a form whose time has come opens by itself: a no-one's patch
    /// that fails where a manager was faster. None while it is not due. Whoever finds it due
    /// keeps it under [`Form::opening_name`].
    ///
    /// Source: wire protocol, "Form", status 3.
    #[must_use]
    pub fn opening_patch(&self, now: crate::UnixMs) -> Option<Value> {
        match self.status {
            Status::Opening { opens_at } if opens_at <= now => Some(json!([
                {"op": "test", "path": "/status", "value": 3},
                {"op": "test", "path": "/status_data/opens_at", "value": opens_at},
                {"op": "replace", "path": "/status", "value": 1},
            ])),
            Status::Opening { .. }
            | Status::Closed
            | Status::Open
            | Status::Full
            | Status::OpenUpTo { .. } => None,
        }
    }

    /// The name under which the patch is kept by which a form opens that was at version `base`:
    /// of all who find it due, one opens it.
    #[must_use]
    pub fn opening_name(base: crate::Revision) -> Box<str> {
        format!("opening.{base}").into()
    }
}

/// The role that the form `after` gives to accepted applicants, where `before` did not.
#[must_use]
pub fn role_gained(before: &Value, after: &Value) -> Option<RoleId> {
    let role = |form: &Value| form.get("role_on_accept")?.as_str()?.parse().ok();
    role(after).filter(|&gained| role(before) != Some(gained))
}

impl Section {
    fn to_json(&self) -> Value {
        let fields: Vec<Value> = self.fields.iter().map(Field::to_json).collect();
        json!({"title": self.title, "description": self.description, "fields": fields})
    }
}

impl Field {
    fn to_json(&self) -> Value {
        let mut field = json!({
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "type": self.kind.number(),
            "length": [self.length.min, self.length.max],
            "required": self.required,
        });
        if let Some(options) = self.kind.options() {
            field["options"] = json!(options);
        }
        field
    }
}
