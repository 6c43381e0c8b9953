//! Applies a patch, whole or not at all, and notes what it touched.
//!
//! Done here rather than by a library, because the footprint needs to know at every step what
//! is an array, and because a roll-back that fails must not be a panic: the patch works on a
//! copy, which is dropped.

use guildgate_model::form::Renamed;
use serde_json::{Map, Value};

use super::{
    COPIED_BYTES_MAX, Footprint, Guard, Patch, PatchError, PatchErrorKind,
    patch::{Operation, Pointer},
};

/// What a patch made of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The document after it.
    pub document: Value,
    /// What it touched and changed.
    pub footprint: Footprint,
    /// The fields of a form that stand under another id now; none of them is locked.
    pub renamed: Vec<Renamed>,
}

/// Applies `patch` to `before`, unless `guard` forbids it.
///
/// # Errors
/// The first operation that cannot be carried out, by its place in the list and the pointer at
/// fault, or the place in the result that `guard` forbids; the document is untouched then.
///
/// Source: RFC 6902, sections 4 and 5.
pub fn apply(before: &Value, patch: &Patch, guard: Guard<'_>) -> Result<Applied, PatchError> {
    let mut work = Work {
        document: before.clone(),
        footprint: Footprint::default(),
        copied_bytes: 0,
    };
    for (at, operation) in patch.operations.iter().enumerate() {
        guard
            .admit(&work.document, operation)
            .and_then(|()| work.carry_out(operation))
            .map_err(|fault| PatchError::at(at, fault.pointer, fault.kind, fault.message))?;
    }
    let Work {
        document,
        footprint,
        ..
    } = work;
    let renamed = guard
        .admit_result(before, &document)
        .map_err(|fault| PatchError::in_result(fault.pointer, fault.kind, fault.message))?;
    Ok(Applied {
        document,
        footprint,
        renamed,
    })
}

struct Work {
    document: Value,
    footprint: Footprint,
    copied_bytes: usize,
}

/// What is wrong with the operation at hand.
pub(super) struct Fault {
    pub(super) pointer: Box<str>,
    pub(super) kind: PatchErrorKind,
    pub(super) message: Box<str>,
}

impl Fault {
    pub(super) fn at(pointer: &str, kind: PatchErrorKind, message: impl Into<Box<str>>) -> Fault {
        Fault {
            pointer: pointer.into(),
            kind,
            message: message.into(),
        }
    }

    fn no_place(pointer: &Pointer, message: &str) -> Fault {
        Fault::at(&pointer.text, PatchErrorKind::NoSuchPlace, message)
    }
}

impl Work {
    fn carry_out(&mut self, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::Add { path, value } => self.add(path, value.clone()),
            Operation::Remove { path } => self.remove(path).map(drop),
            Operation::Replace { path, value } => {
                *find_mut(&mut self.document, path)? = value.clone();
                self.footprint.write(&path.text);
                Ok(())
            }
            Operation::Move { from, path } => {
                let is_below =
                    path.tokens.len() > from.tokens.len() && path.tokens.starts_with(&from.tokens);
                if is_below {
                    return Err(Fault::no_place(path, "a value cannot be moved into itself"));
                }
                let value = self.remove(from)?;
                self.add(path, value)
            }
            Operation::Copy { from, path } => {
                let value = find_mut(&mut self.document, from)?.clone();
                self.footprint.read(&from.text);
                self.count_copy(&value, from)?;
                self.add(path, value)
            }
            Operation::Test { path, value } => {
                let is_equal = is_equal(find_mut(&mut self.document, path)?, value);
                self.footprint.read(&path.text);
                if is_equal {
                    Ok(())
                } else {
                    let message = "the value there is another than the one tested for";
                    Err(Fault::at(&path.text, PatchErrorKind::TestFailed, message))
                }
            }
        }
    }

    fn add(&mut self, path: &Pointer, value: Value) -> Result<(), Fault> {
        match parent(&mut self.document, path)? {
            Parent::OfRoot(root) => {
                *root = value;
                self.footprint.write("");
            }
            Parent::Object(members, key) => {
                members.insert(key.to_owned(), value);
                self.footprint.write(&path.text);
            }
            Parent::Array(items, token) => {
                let length = items.len();
                let array = array_of(path);
                if token == "-" {
                    items.push(value);
                    self.footprint.append(array, length);
                } else {
                    let Some(index) = index(token).filter(|index| *index <= length) else {
                        return Err(no_index(path, length, "insert"));
                    };
                    items.insert(index, value);
                    self.footprint.insert(array, index);
                }
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &Pointer) -> Result<Value, Fault> {
        match parent(&mut self.document, path)? {
            Parent::OfRoot(_) => Err(Fault::no_place(path, "the document itself stays")),
            Parent::Object(members, key) => {
                let Some(value) = members.remove(key) else {
                    return Err(Fault::no_place(path, "there is no such key"));
                };
                self.footprint.write(&path.text);
                Ok(value)
            }
            Parent::Array(items, token) => {
                let length = items.len();
                let Some(index) = index(token).filter(|index| *index < length) else {
                    return Err(no_index(path, length, "take"));
                };
                let value = items.remove(index);
                self.footprint.take_out(array_of(path), index);
                Ok(value)
            }
        }
    }

    fn count_copy(&mut self, value: &Value, from: &Pointer) -> Result<(), Fault> {
        self.copied_bytes += serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
        if self.copied_bytes > COPIED_BYTES_MAX {
            let message = format!("the patch copies more than {COPIED_BYTES_MAX} bytes");
            return Err(Fault::at(&from.text, PatchErrorKind::TooLarge, message));
        }
        Ok(())
    }
}

enum Parent<'a> {
    OfRoot(&'a mut Value),
    Object(&'a mut Map<String, Value>, &'a str),
    Array(&'a mut Vec<Value>, &'a str),
}

fn parent<'a>(document: &'a mut Value, path: &'a Pointer) -> Result<Parent<'a>, Fault> {
    let Some((last, above)) = path.tokens.split_last() else {
        return Ok(Parent::OfRoot(document));
    };
    match descend(document, above) {
        Some(Value::Object(members)) => Ok(Parent::Object(members, last)),
        Some(Value::Array(items)) => Ok(Parent::Array(items, last)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Err(
            Fault::no_place(path, "what is above is neither object nor array"),
        ),
        None => Err(Fault::no_place(path, "the document has nothing above it")),
    }
}

fn find_mut<'a>(document: &'a mut Value, path: &Pointer) -> Result<&'a mut Value, Fault> {
    descend(document, &path.tokens)
        .ok_or_else(|| Fault::no_place(path, "the document has no such place"))
}

fn descend<'a>(document: &'a mut Value, tokens: &[Box<str>]) -> Option<&'a mut Value> {
    tokens
        .iter()
        .try_fold(document, |value, token| match value {
            Value::Object(members) => members.get_mut(&**token),
            Value::Array(items) => items.get_mut(index(token)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
}

/// Digits without a leading zero.
///
/// Source: RFC 6901, section 4.
fn index(token: &str) -> Option<usize> {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_digit())
        && (token == "0" || !token.starts_with('0'));
    if is_plain { token.parse().ok() } else { None }
}

fn array_of(path: &Pointer) -> &str {
    path.text.rsplit_once('/').map_or("", |(array, _)| array)
}

fn no_index(path: &Pointer, length: usize, verb: &str) -> Fault {
    let message = format!("no index to {verb} at: the array has {length} elements");
    Fault::no_place(path, &message)
}

/// Equality of JSON values, numbers by what they are worth.
///
/// Source: RFC 6902, section 4.6.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| is_equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, l)| right.get(key).is_some_and(|r| is_equal(l, r)))
        }
        _ => left == right,
    }
}
