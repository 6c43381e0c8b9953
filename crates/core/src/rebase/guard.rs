//! What a patch may not touch, whatever it makes of the form.

use std::collections::BTreeSet;

use guildgate_model::form::{FieldId, Renamed, renamed};
use serde_json::Value;

use super::{
    PatchErrorKind,
    apply::Fault,
    patch::{Operation, Pointer},
};

/// The ids that must stay: those of fields with submissions, by which their answers are found.
///
/// Such a field can be changed, moved and removed; it cannot be renamed, not even by replacing
/// it, its section or the whole form with another in its place. `apv` is never part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormGuard {
    locked: BTreeSet<FieldId>,
}

/// What holds for a document, besides RFC 6902.
#[derive(Debug, Clone, Copy)]
pub enum Guard<'a> {
    /// Nothing: a draft, where every key is a field's id, or a patch that was taken before.
    Open,
    /// It is a form.
    Form(&'a FormGuard),
}

impl FormGuard {
    /// Guards these ids.
    #[must_use]
    pub fn new(locked: BTreeSet<FieldId>) -> FormGuard {
        FormGuard { locked }
    }

    /// Guards these, too.
    pub fn lock(&mut self, ids: BTreeSet<FieldId>) {
        self.locked.extend(ids);
    }

    fn admit(&self, document: &Value, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::Add { path, value } => {
                self.admit_write(document, path, After::Other(value), Kind::Adds)
            }
            Operation::Replace { path, value } => {
                self.admit_write(document, path, After::Other(value), Kind::Replaces)
            }
            Operation::Remove { path } => {
                self.admit_write(document, path, After::Nothing, Kind::Replaces)
            }
            Operation::Copy { from, path } => {
                let value = document.pointer(&from.text).unwrap_or(&Value::Null);
                self.admit_write(document, path, After::Other(value), Kind::Adds)
            }
            Operation::Move { from, path } => {
                if from == path {
                    return Ok(());
                }
                self.admit_write(document, from, After::Nothing, Kind::Replaces)?;
                let value = document.pointer(&from.text).unwrap_or(&Value::Null);
                self.admit_write(document, path, After::Other(value), Kind::Adds)
            }
            Operation::Test { .. } => Ok(()),
        }
    }

    /// Looks at what the whole patch made. Fields that it renamed and that nothing is known to
    /// answer are handed on, since an answer may be on its way.
    fn admit_result(&self, before: &Value, after: &Value) -> Result<Vec<Renamed>, Fault> {
        let renamed = renamed(before, after);
        match renamed
            .iter()
            .find(|field| self.locked.contains(&field.was))
        {
            Some(field) => Err(answered(&field.pointer, &field.was)),
            None => Ok(renamed),
        }
    }

    fn admit_write(
        &self,
        document: &Value,
        path: &Pointer,
        after: After<'_>,
        kind: Kind,
    ) -> Result<(), Fault> {
        let tokens: Vec<&str> = path.tokens.iter().map(|token| &**token).collect();
        match tokens.as_slice() {
            ["apv", ..] => Err(Fault::at(
                &path.text,
                PatchErrorKind::Protected,
                "apv is the document's version, which only the server counts",
            )),
            ["sections", _, "fields", _, "id"] => {
                let id = document.pointer(&path.text);
                self.admit_id(id, after.value(), &path.text)
            }
            ["sections", _, "fields", _] => {
                // To add is to insert here, and to remove a field is allowed.
                let After::Other(value) = after else {
                    return Ok(());
                };
                if kind == Kind::Adds {
                    return Ok(());
                }
                let place = format!("{}/id", path.text);
                self.admit_id(document.pointer(&place), value.get("id"), &place)
            }
            _ => Ok(()),
        }
    }

    fn admit_id(
        &self,
        before: Option<&Value>,
        after: Option<&Value>,
        place: &str,
    ) -> Result<(), Fault> {
        let locked = before
            .and_then(Value::as_str)
            .and_then(|id| FieldId::try_from(id).ok())
            .filter(|id| self.locked.contains(id));
        match locked {
            Some(id) if before != after => Err(answered(place, &id)),
            Some(_) | None => Ok(()),
        }
    }
}

impl Guard<'_> {
    pub(super) fn admit(self, document: &Value, operation: &Operation) -> Result<(), Fault> {
        match self {
            Guard::Open => Ok(()),
            Guard::Form(guard) => guard.admit(document, operation),
        }
    }

    pub(super) fn admit_result(self, before: &Value, after: &Value) -> Result<Vec<Renamed>, Fault> {
        match self {
            Guard::Open => Ok(Vec::new()),
            Guard::Form(guard) => guard.admit_result(before, after),
        }
    }
}

fn answered(place: &str, id: &FieldId) -> Fault {
    Fault::at(
        place,
        PatchErrorKind::Protected,
        format!("submissions answer the field {id}, so its id stays"),
    )
}

/// What a place holds after the operation.
#[derive(Clone, Copy)]
enum After<'a> {
    Nothing,
    Other(&'a Value),
}

impl<'a> After<'a> {
    fn value(self) -> Option<&'a Value> {
        match self {
            After::Nothing => None,
            After::Other(value) => Some(value),
        }
    }
}

/// Whether an operation on an array's element replaces it or makes room before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Adds,
    Replaces,
}
