//! From a document to a [`Form`], with every fault named.
//!
//! Liberal in what may be left out (`description`, `required`, `length`, `status_data`), strict
//! in what may stand there: a key that means nothing is a fault, since nobody would read it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Faults, Field, FieldId, FieldKind, Form, Length, Pointer, Section, Status,
    bounds::{
        DESCRIPTION_CHARS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, FIELDS_MAX, LIMIT_MAX,
        LONG_TEXT_CHARS_MAX, OPENS_AT_MAX, OPTION_CHARS_MAX, OPTIONS_MAX, SECTION_FIELDS_MAX,
        SECTIONS_MAX, SHORT_TEXT_CHARS_MAX, TITLE_CHARS_MAX,
    },
};
use crate::{RoleId, UnixMs};

impl Form {
    /// What `document` means.
    ///
    /// # Errors
    /// Every fault of the document with its JSON pointer, in the document's order. A document
    /// that is too large or too deep has that one fault and is not looked into.
    ///
    /// Source: wire protocol, "Form".
    pub fn check(document: &Value) -> Result<Form, Faults> {
        check_size(document)?;
        let mut checker = Checker::default();
        let form = checker.form(document);
        let Checker { faults, .. } = checker;
        match form {
            Some(form) => faults.or(form),
            None => Err(faults),
        }
    }
}

/// Checks what holds for every document before it is looked into.
///
/// # Errors
/// The fault of being deeper than [`DOCUMENT_DEPTH_MAX`] or larger than [`DOCUMENT_BYTES_MAX`].
pub fn check_size(document: &Value) -> Result<(), Faults> {
    if is_deeper_than(document, DOCUMENT_DEPTH_MAX) {
        let message = format!("nested too deep: expected at most {DOCUMENT_DEPTH_MAX} levels");
        return Err(Faults::one("", message));
    }
    let bytes = bytes_of(document);
    if bytes > DOCUMENT_BYTES_MAX {
        let message = format!("{bytes} bytes: expected at most {DOCUMENT_BYTES_MAX} of JSON");
        return Err(Faults::one("", message));
    }
    Ok(())
}

/// Length of `value` as compact JSON, without writing it anywhere.
fn bytes_of(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a JSON value is written to a counter");
    count.0
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let deeper = |child: &Value| levels == 0 || is_deeper_than(child, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(deeper),
        Value::Object(members) => levels == 0 || members.values().any(deeper),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[derive(Default)]
struct Checker {
    pointer: Pointer,
    faults: Faults,
    ids: BTreeSet<FieldId>,
    fields: usize,
}

impl Checker {
    fn form(&mut self, document: &Value) -> Option<Form> {
        const KEYS: &[&str] = &["status", "status_data", "sections", "role_on_accept"];
        let members = self.object(document, KEYS)?;
        let status = self.status(members);
        let sections = self.required(members, "sections", |checker, value| {
            checker.list(value, SECTIONS_MAX, "sections", Checker::section)
        });
        let role = self.optional(members, "role_on_accept", Checker::role);
        Some(Form {
            status: status?,
            sections: sections?,
            role_on_accept: role?,
        })
    }

    fn status(&mut self, members: &Map<String, Value>) -> Option<Status> {
        let number = self.required(members, "status", |checker, value| {
            let number = value.as_u64().filter(|number| *number <= 4);
            checker.expect(
                number,
                "expected 0 (closed), 1 (open), 2 (full), 3 (opening) or 4 (open up to a limit)",
            )
        });
        let data = match members.get("status_data") {
            None | Some(Value::Null) => Some(StatusData::default()),
            Some(value) => self.at("status_data", |checker| checker.status_data(value)),
        };
        let (number, data) = (number?, data?);
        match number {
            0 => Some(Status::Closed),
            1 => Some(Status::Open),
            2 => Some(Status::Full),
            3 => {
                let opens_at = self.needed(data.opens_at, "opens_at", "status 3 (opening)");
                opens_at.map(|opens_at| Status::Opening { opens_at })
            }
            _ => {
                let limit = self.needed(data.limit, "limit", "status 4 (open up to a limit)");
                limit.map(|limit| Status::OpenUpTo { limit })
            }
        }
    }

    /// Data of another status is left standing, so that switching back and forth keeps it.
    fn status_data(&mut self, value: &Value) -> Option<StatusData> {
        let members = self.object(value, &["opens_at", "limit"])?;
        let opens_at = self.optional(members, "opens_at", |checker, value| {
            let ms = value.as_i64().filter(|ms| (0..=OPENS_AT_MAX).contains(ms));
            let expected = "expected milliseconds since 1970 as a whole number";
            checker.expect(ms.map(UnixMs), expected)
        });
        let limit = self.optional(members, "limit", |checker, value| {
            let expected = format!("expected a whole number from 1 to {LIMIT_MAX}");
            checker.expect(whole(value, 1, LIMIT_MAX), &expected)
        });
        Some(StatusData {
            opens_at: opens_at?,
            limit: limit?,
        })
    }

    fn needed<T>(&mut self, value: Option<T>, key: &str, by: &str) -> Option<T> {
        if value.is_none() {
            self.at("status_data", |checker| {
                let pointer = checker.pointer.child(key);
                let message = format!("missing: {by} needs it");
                checker.faults.push(pointer, message);
            });
        }
        value
    }

    fn role(&mut self, value: &Value) -> Option<RoleId> {
        let role = value.as_str().and_then(|text| text.parse().ok());
        self.expect(role, "expected a role's id as a string, or null")
    }

    fn section(&mut self, value: &Value) -> Option<Section> {
        let members = self.object(value, &["title", "description", "fields"])?;
        let title = self.required(members, "title", Checker::title);
        let description = self.optional(members, "description", Checker::description);
        let fields = self.required(members, "fields", |checker, value| {
            checker.list(value, SECTION_FIELDS_MAX, "fields", Checker::field)
        });
        Some(Section {
            title: title?,
            description: description?.unwrap_or_default(),
            fields: fields?,
        })
    }

    fn field(&mut self, value: &Value) -> Option<Field> {
        const KEYS: &[&str] = &[
            "id",
            "title",
            "description",
            "type",
            "length",
            "required",
            "options",
        ];
        self.fields += 1;
        if self.fields == FIELDS_MAX + 1 {
            self.fault(&format!(
                "one field too many: expected at most {FIELDS_MAX}"
            ));
        }
        let members = self.object(value, KEYS)?;
        let id = self.required(members, "id", Checker::field_id);
        let title = self.required(members, "title", Checker::title);
        let description = self.optional(members, "description", Checker::description);
        let number = self.required(members, "type", |checker, value| {
            let expected =
                "expected 0 (short text), 1 (long text), 2 (one choice) or 3 (check boxes)";
            checker.expect(value.as_u64().filter(|number| *number <= 3), expected)
        });
        let options = self.optional(members, "options", |checker, value| {
            checker.options(value, number)
        });
        let kind = self.kind(number, options);
        let length = self.length(members, kind.as_ref());
        let required = self.optional(members, "required", |checker, value| {
            checker.expect(value.as_bool(), "expected true or false")
        });
        Some(Field {
            id: id?,
            title: title?,
            description: description?.unwrap_or_default(),
            kind: kind?,
            length: length?,
            required: required?.unwrap_or(false),
        })
    }

    fn field_id(&mut self, value: &Value) -> Option<FieldId> {
        let id = match value.as_str().map(FieldId::try_from) {
            Some(Ok(id)) => id,
            Some(Err(error)) => {
                self.fault(&error.to_string());
                return None;
            }
            None => {
                self.fault("expected a text");
                return None;
            }
        };
        if !self.ids.insert(id.clone()) {
            self.fault(&format!("another field has the id {id} already"));
        }
        Some(id)
    }

    fn options(&mut self, value: &Value, number: Option<u64>) -> Option<Vec<Box<str>>> {
        if matches!(number, Some(0 | 1)) {
            if value.as_array().is_none_or(|options| !options.is_empty()) {
                self.fault("a text field has no options");
                return None;
            }
            return Some(Vec::new());
        }
        let options: Vec<Box<str>> =
            self.list(value, OPTIONS_MAX, "options", |checker, value| {
                let text = checker.text(value, OPTION_CHARS_MAX)?;
                let expected = format!("expected 1 to {OPTION_CHARS_MAX} characters");
                checker.expect(Some(text).filter(|text| !text.is_empty()), &expected)
            })?;
        if options.is_empty() {
            self.fault("expected at least one option");
        }
        let mut seen = BTreeSet::new();
        for (at, option) in options.iter().enumerate() {
            if !seen.insert(option) {
                let pointer = self.pointer.child(at);
                self.faults.push(pointer, "another option reads the same");
            }
        }
        Some(options)
    }

    fn kind(
        &mut self,
        number: Option<u64>,
        options: Option<Option<Vec<Box<str>>>>,
    ) -> Option<FieldKind> {
        let options = options?;
        match number? {
            0 => Some(FieldKind::ShortText),
            1 => Some(FieldKind::LongText),
            number => {
                let Some(options) = options else {
                    let pointer = self.pointer.child("options");
                    self.faults.push(pointer, "missing: a choice needs options");
                    return None;
                };
                Some(match number {
                    2 => FieldKind::Choice { options },
                    _ => FieldKind::Choices { options },
                })
            }
        }
    }

    /// Bounds that no answer could meet are a fault of the form, not of the applicant.
    fn length(&mut self, members: &Map<String, Value>, kind: Option<&FieldKind>) -> Option<Length> {
        let given = self.optional(members, "length", |checker, value| {
            let pair = match value.as_array().map(Vec::as_slice) {
                Some([min, max]) => whole(min, 0, u32::MAX).zip(whole(max, 0, u32::MAX)),
                _ => None,
            };
            let (min, max) =
                checker.expect(pair, "expected [min, max], two whole numbers from 0")?;
            if min > max {
                checker.fault("min is greater than max");
                return None;
            }
            Some(Length { min, max })
        })?;
        let kind = kind?;
        let count = |options: &[Box<str>]| u32::try_from(options.len()).unwrap_or(u32::MAX);
        let most = match kind {
            FieldKind::ShortText => SHORT_TEXT_CHARS_MAX,
            FieldKind::LongText => LONG_TEXT_CHARS_MAX,
            FieldKind::Choice { .. } => 1,
            FieldKind::Choices { options } => count(options),
        };
        let Some(length) = given else {
            return Some(Length { min: 0, max: most });
        };
        let fault = match kind {
            FieldKind::ShortText | FieldKind::LongText if length.max > most => Some(format!(
                "max is {}: this type of field takes at most {most} characters",
                length.max
            )),
            FieldKind::Choice { .. } | FieldKind::Choices { .. } if length.min > most => {
                Some(format!("min is {}: only {most} can be chosen", length.min))
            }
            _ if length.max == 0 => Some("max is 0: nothing could be answered".to_owned()),
            _ => None,
        };
        match fault {
            Some(message) => {
                self.at("length", |checker| checker.fault(&message));
                None
            }
            None => Some(length),
        }
    }

    fn title(&mut self, value: &Value) -> Option<Box<str>> {
        self.text(value, TITLE_CHARS_MAX)
    }

    fn description(&mut self, value: &Value) -> Option<Box<str>> {
        self.text(value, DESCRIPTION_CHARS_MAX)
    }

    fn text(&mut self, value: &Value, chars_max: usize) -> Option<Box<str>> {
        let expected = format!("expected a text of at most {chars_max} characters");
        let text = value.as_str().filter(|text| fits(text, chars_max));
        self.expect(text.map(Box::from), &expected)
    }

    fn list<T>(
        &mut self,
        value: &Value,
        count_max: usize,
        what: &str,
        mut item: impl FnMut(&mut Checker, &Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(items) = value.as_array() else {
            self.fault(&format!("expected a list of {what}"));
            return None;
        };
        if items.len() > count_max {
            let count = items.len();
            self.fault(&format!("{count} {what}: expected at most {count_max}"));
        }
        // Every item is looked at, so that the faults behind the first are named too.
        let checked: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(at, value)| self.at(at, |checker| item(checker, value)))
            .collect();
        checked.into_iter().collect()
    }

    fn object<'a>(&mut self, value: &'a Value, keys: &[&str]) -> Option<&'a Map<String, Value>> {
        let Some(members) = value.as_object() else {
            self.fault("expected an object");
            return None;
        };
        for key in members.keys().filter(|key| !keys.contains(&key.as_str())) {
            let message = format!("unknown key: expected {}", keys.join(", "));
            self.faults.push(self.pointer.child(key), message);
        }
        Some(members)
    }

    fn required<T>(
        &mut self,
        members: &Map<String, Value>,
        key: &str,
        check: impl FnOnce(&mut Checker, &Value) -> Option<T>,
    ) -> Option<T> {
        match members.get(key) {
            Some(value) => self.at(key, |checker| check(checker, value)),
            None => {
                self.at(key, |checker| checker.fault("missing"));
                None
            }
        }
    }

    /// `Some(None)` where the key is left out or null, `None` where it is at fault.
    fn optional<T>(
        &mut self,
        members: &Map<String, Value>,
        key: &str,
        check: impl FnOnce(&mut Checker, &Value) -> Option<T>,
    ) -> Option<Option<T>> {
        match members.get(key) {
            None | Some(Value::Null) => Some(None),
            Some(value) => self.at(key, |checker| check(checker, value)).map(Some),
        }
    }

    fn at<T>(&mut self, token: impl std::fmt::Display, walk: impl FnOnce(&mut Checker) -> T) -> T {
        let here = self.pointer.enter(token);
        let result = walk(self);
        self.pointer.leave(here);
        result
    }

    fn expect<T>(&mut self, value: Option<T>, expected: &str) -> Option<T> {
        if value.is_none() {
            self.fault(expected);
        }
        value
    }

    fn fault(&mut self, message: &str) {
        self.faults.push(self.pointer.here(), message);
    }
}

#[derive(Default)]
struct StatusData {
    opens_at: Option<UnixMs>,
    limit: Option<u32>,
}

fn whole(value: &Value, min: u32, max: u32) -> Option<u32> {
    let number = u32::try_from(value.as_u64()?).ok()?;
    (min..=max).contains(&number).then_some(number)
}

/// Characters are Unicode scalar values; counting stops as soon as the answer is known.
fn fits(text: &str, chars_max: usize) -> bool {
    text.len() <= chars_max || text.chars().nth(chars_max).is_none()
}
