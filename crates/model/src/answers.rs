//! An applicant's answers to a form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::form::{Faults, Field, FieldId, FieldKind, Form, Length, Pointer, check_size};

#[cfg(test)]
mod tests;

/// Answers that fit a form. Fields that were left empty are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answers(pub BTreeMap<FieldId, Answer>);

/// The answer to one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// A text, or the one option chosen, word for word.
    Text(Box<str>),
    /// The options chosen, word for word, in the form's order.
    Choices(Vec<Box<str>>),
}

/// Why answers are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// They fit neither the form that they were given for nor the newest: `invalid_answers`.
    #[error("the answers do not fit the form: {0}")]
    Invalid(Faults),
    /// They were right once, but the form has changed since: `conflict`.
    #[error("the form has changed and the answers no longer fit it: {0}")]
    FormChanged(Faults),
}

impl Answers {
    /// Checks a whole submission: `document` is `{field id: text | [option, …] | null}`.
    ///
    /// # Errors
    /// Every fault with its JSON pointer: a wrong type, a text too long or too short, too many
    /// or too few choices, a choice that is not offered or made twice, a field that the form
    /// does not have, a required field without an answer.
    ///
    /// Source: wire protocol, "Form".
    pub fn check(form: &Form, document: &Value) -> Result<Answers, Faults> {
        check_size(document)?;
        let mut checker = Checker::default();
        let Some(members) = checker.object(document) else {
            return Err(checker.faults);
        };
        checker.unknown_fields(form, members);
        let mut answers = BTreeMap::new();
        for field in form.fields() {
            let given = members.get(field.id.as_str());
            let answer = checker.answer(field, given, Strictness::Submission);
            if let Some(answer) = answer {
                answers.insert(field.id.clone(), answer);
            }
        }
        checker.faults.or(Answers(answers))
    }

    /// Checks a submission that names an older version of the form: what counts is whether it
    /// fits the newest. `given_for` is the version that it names, if that is still known.
    ///
    /// # Errors
    /// [`Misfit`], which tells whose doing the faults are.
    pub fn check_for(
        newest: &Form,
        given_for: Option<&Form>,
        document: &Value,
    ) -> Result<Answers, Misfit> {
        Answers::check(newest, document).map_err(|faults| match given_for {
            Some(older) if Answers::check(older, document).is_ok() => Misfit::FormChanged(faults),
            Some(_) | None => Misfit::Invalid(faults),
        })
    }

    /// Checks what changed in a draft, from `before` to `after`. A draft may be incomplete, and
    /// what the form has outgrown may stand in it until it is submitted; but nothing new may be
    /// of a wrong type, too long, not offered, or for a field that is gone.
    ///
    /// # Errors
    /// Every fault of a changed answer with its JSON pointer.
    pub fn check_draft(form: &Form, before: &Value, after: &Value) -> Result<(), Faults> {
        check_size(after)?;
        let mut checker = Checker::default();
        let Some(members) = checker.object(after) else {
            return Err(checker.faults);
        };
        for (id, value) in members {
            if before.get(id) == Some(value) {
                continue;
            }
            match form.field(id) {
                Some(field) => {
                    checker.answer(field, Some(value), Strictness::Draft);
                }
                None => checker.unknown_field(id),
            }
        }
        checker.faults.or(())
    }

    /// The answers as a document.
    #[must_use]
    pub fn to_document(&self) -> Value {
        let members = self.0.iter().map(|(id, answer)| {
            let value = match answer {
                Answer::Text(text) => Value::from(&**text),
                Answer::Choices(choices) => choices
                    .iter()
                    .map(|choice| Value::from(&**choice))
                    .collect(),
            };
            (id.as_str().to_owned(), value)
        });
        Value::Object(members.collect())
    }
}

/// Whether an answer must be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Draft,
    Submission,
}

#[derive(Default)]
struct Checker {
    pointer: Pointer,
    faults: Faults,
}

impl Checker {
    fn object<'a>(&mut self, document: &'a Value) -> Option<&'a Map<String, Value>> {
        let members = document.as_object();
        if members.is_none() {
            self.fault("expected an object of answers by field id");
        }
        members
    }

    fn unknown_fields(&mut self, form: &Form, members: &Map<String, Value>) {
        let known: BTreeSet<&str> = form.fields().map(|field| field.id.as_str()).collect();
        for id in members.keys().filter(|id| !known.contains(id.as_str())) {
            self.unknown_field(id);
        }
    }

    fn unknown_field(&mut self, id: &str) {
        let pointer = self.pointer.child(id);
        self.faults.push(pointer, "the form has no such field");
    }

    fn answer(
        &mut self,
        field: &Field,
        given: Option<&Value>,
        strictness: Strictness,
    ) -> Option<Answer> {
        let back = self.pointer.enter(&field.id);
        let answer = self.answer_here(field, given.unwrap_or(&Value::Null), strictness);
        self.pointer.leave(back);
        answer
    }

    fn answer_here(
        &mut self,
        field: &Field,
        given: &Value,
        strictness: Strictness,
    ) -> Option<Answer> {
        if !self.fits_kind(&field.kind, given) {
            return None;
        }
        match (&field.kind, given) {
            _ if is_empty(given) => {
                if field.required && strictness == Strictness::Submission {
                    self.fault("missing: this field must be answered");
                }
                None
            }
            (FieldKind::ShortText, Value::String(text)) if text.contains(['\n', '\r']) => {
                self.fault("expected one line");
                None
            }
            (FieldKind::ShortText | FieldKind::LongText, Value::String(text)) => {
                self.length(field.length, text.chars().count(), "characters", strictness);
                Some(Answer::Text(text.as_str().into()))
            }
            (FieldKind::Choice { options }, Value::String(choice)) => {
                self.offered(options, choice);
                Some(Answer::Text(choice.as_str().into()))
            }
            (FieldKind::Choices { options }, Value::Array(choices)) => {
                self.choices(field.length, options, choices, strictness)
            }
            // `fits_kind` let nothing else through.
            (FieldKind::ShortText | FieldKind::LongText, _)
            | (FieldKind::Choice { .. } | FieldKind::Choices { .. }, _) => None,
        }
    }

    /// Whether the answer is of the type that `kind` takes; null always is. A fault if not.
    fn fits_kind(&mut self, kind: &FieldKind, given: &Value) -> bool {
        let (fits, expected) = match kind {
            FieldKind::ShortText | FieldKind::LongText => (given.is_string(), "a text"),
            FieldKind::Choice { .. } => (given.is_string(), "one of the options as a text"),
            FieldKind::Choices { .. } => (given.is_array(), "a list of options"),
        };
        if !fits && !given.is_null() {
            self.fault(&format!("expected {expected}"));
            return false;
        }
        true
    }

    fn choices(
        &mut self,
        length: Length,
        options: &[Box<str>],
        choices: &[Value],
        strictness: Strictness,
    ) -> Option<Answer> {
        let mut made = BTreeSet::new();
        for (at, choice) in choices.iter().enumerate() {
            let back = self.pointer.enter(at);
            match choice.as_str() {
                Some(choice) => {
                    self.offered(options, choice);
                    if !made.insert(choice) {
                        self.fault("chosen twice");
                    }
                }
                None => self.fault("expected one of the options as a text"),
            }
            self.pointer.leave(back);
        }
        self.length(length, choices.len(), "choices", strictness);
        let in_order = options.iter().filter(|option| made.contains(&***option));
        Some(Answer::Choices(in_order.cloned().collect()))
    }

    fn offered(&mut self, options: &[Box<str>], choice: &str) {
        if !options.iter().any(|option| **option == *choice) {
            self.fault("not one of the options");
        }
    }

    fn length(&mut self, length: Length, count: usize, what: &str, strictness: Strictness) {
        let Length { min, max } = length;
        let is_short = count < min as usize && strictness == Strictness::Submission;
        if is_short || count > max as usize {
            self.fault(&format!("{count} {what}: expected {min} to {max}"));
        }
    }

    fn fault(&mut self, message: &str) {
        self.faults.push(self.pointer.here(), message);
    }
}

fn is_empty(given: &Value) -> bool {
    match given {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(choices) => choices.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}
