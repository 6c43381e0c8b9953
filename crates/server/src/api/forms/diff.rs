//! The RFC 6902 patch that makes one form out of another.
//!
//! Small rather than smallest: what stays the same is not touched, so that whoever edits that in
//! a live session is not disturbed. Fields are known again by their ids.

use guildgate_model::form::Pointer;
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// The operations that make `after` out of `before`.
pub(super) fn diff(before: &Value, after: &Value) -> Value {
    let mut differ = Differ {
        pointer: Pointer::root(),
        operations: Vec::new(),
    };
    differ.value(before, after);
    Value::Array(differ.operations)
}

struct Differ {
    pointer: Pointer,
    operations: Vec<Value>,
}

impl Differ {
    fn value(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            _ if before == after => {}
            (Value::Object(before), Value::Object(after)) => self.object(before, after),
            (Value::Array(before), Value::Array(after)) => self.array(before, after),
            _ => self
                .operations
                .push(json!({ "op": "replace", "path": self.pointer.here(), "value": after })),
        }
    }

    fn object(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for key in before.keys().filter(|key| !after.contains_key(*key)) {
            self.remove(key);
        }
        for (key, value) in after {
            match before.get(key) {
                None => self.add(key, value),
                Some(old) => self.below(key, old, value),
            }
        }
    }

    /// What is alike at the beginning and at the end stays in place; the middle goes and comes.
    fn array(&mut self, before: &[Value], after: &[Value]) {
        let shorter = before.len().min(after.len());
        let is_paired = before.len() == after.len();
        let alike = |(old, new): &(&Value, &Value)| is_alike(old, new, is_paired);
        let head = before.iter().zip(after).take_while(alike).count();
        let ends = before.iter().rev().zip(after.iter().rev());
        let tail = ends.take(shorter - head).take_while(alike).count();
        for (at, (old, new)) in before.iter().zip(after).take(head).enumerate() {
            self.below(at, old, new);
        }
        for at in (head..before.len() - tail).rev() {
            self.remove(at);
        }
        for (at, new) in after.iter().enumerate().take(after.len() - tail).skip(head) {
            self.add(at, new);
        }
        let (old_end, new_end) = (before.len() - tail, after.len() - tail);
        for (at, (old, new)) in before[old_end..].iter().zip(&after[new_end..]).enumerate() {
            self.below(new_end + at, old, new);
        }
    }

    fn below(&mut self, token: impl std::fmt::Display, before: &Value, after: &Value) {
        let back = self.pointer.enter(token);
        self.value(before, after);
        self.pointer.leave(back);
    }

    fn add(&mut self, token: impl std::fmt::Display, value: &Value) {
        let path = self.pointer.child(token);
        self.operations
            .push(json!({ "op": "add", "path": path, "value": value }));
    }

    fn remove(&mut self, token: impl std::fmt::Display) {
        let path = self.pointer.child(token);
        self.operations
            .push(json!({ "op": "remove", "path": path }));
    }
}

/// Whether an element became the other, rather than went for the other to come: fields by their
/// ids, sections by their titles or, where there are as many as before, by their places.
fn is_alike(before: &Value, after: &Value, is_paired: bool) -> bool {
    match (before.get("id"), after.get("id")) {
        (None, None) if before.is_object() && after.is_object() => {
            is_paired || before.get("title") == after.get("title")
        }
        (Some(before), Some(after)) => before == after,
        _ => before == after,
    }
}
