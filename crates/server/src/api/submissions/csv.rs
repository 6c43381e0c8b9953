//! Submissions as a table.
//!
//! Source: RFC 4180.

use std::{collections::BTreeSet, fmt::Write as _};

use guildgate_model::{Form, UnixMs, form::FieldId};
use guildgate_store::Submission;
use serde_json::Value;

#[cfg(test)]
mod tests;

/// The columns of an export: what every submission has, then the form's fields in its order,
/// then those that are gone from it.
pub(super) struct Table {
    fields: Vec<Column>,
}

struct Column {
    id: FieldId,
    title: String,
}

const FIXED: [&str; 8] = [
    "id",
    "user",
    "status",
    "apv",
    "submitted_at",
    "decided_at",
    "reviewer",
    "note",
];

impl Table {
    pub(super) fn new(form: Option<&Form>, mut answered: BTreeSet<FieldId>) -> Table {
        let mut fields = Vec::new();
        for field in form.into_iter().flat_map(Form::fields) {
            answered.remove(&field.id);
            fields.push(Column {
                id: field.id.clone(),
                title: format!("{} ({})", field.title, field.id),
            });
        }
        fields.extend(answered.into_iter().map(|id| Column {
            title: format!("removed field ({id})"),
            id,
        }));
        Table { fields }
    }

    pub(super) fn head(&self) -> String {
        let mut line = FIXED.join(",");
        for column in &self.fields {
            line.push(',');
            push_cell(&column.title, &mut line);
        }
        line.push_str("\r\n");
        line
    }

    pub(super) fn row(&self, submission: &Submission, out: &mut String) {
        let time = |at: Option<UnixMs>| at.map(moment).unwrap_or_default();
        let fixed: [String; FIXED.len()] = [
            submission.id.to_string(),
            submission.user.to_string(),
            submission.status.name().to_owned(),
            submission.revision.to_string(),
            time(Some(submission.submitted_at)),
            time(submission.decided_at),
            submission
                .reviewer
                .map(|id| id.to_string())
                .unwrap_or_default(),
            submission.note.as_deref().unwrap_or_default().to_owned(),
        ];
        for (at, cell) in fixed.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_cell(cell, out);
        }
        for column in &self.fields {
            out.push(',');
            let answer = submission.answers.get(column.id.as_str());
            push_cell(&answer.map(text_of).unwrap_or_default(), out);
        }
        out.push_str("\r\n");
    }
}

/// Options are told apart as they are on the form: each in a line.
fn text_of(answer: &Value) -> String {
    match answer {
        Value::String(text) => text.clone(),
        Value::Array(options) => {
            let options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
            options.join("\n")
        }
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => answer.to_string(),
    }
}

/// A cell that a spreadsheet shows and never computes: applicants write these texts, and the
/// managers' machines would run their formulas.
fn push_cell(text: &str, out: &mut String) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_quoted = text.contains([',', '"', '\r', '\n']);
    if is_quoted {
        out.push('"');
    }
    if is_formula {
        out.push('\'');
    }
    for character in text.chars() {
        if character == '"' {
            out.push('"');
        }
        out.push(character);
    }
    if is_quoted {
        out.push('"');
    }
}

/// A moment as RFC 3339 writes it, in UTC, to the millisecond.
fn moment(at: UnixMs) -> String {
    const DAY_MS: i64 = 86_400_000;
    let (days, ms) = (at.0.div_euclid(DAY_MS), at.0.rem_euclid(DAY_MS));
    // Years are counted from March, so that the leap day is a year's last; in eras of 400 years,
    // which are all of one length.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let mut text = String::new();
    write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        ms % 1_000
    )
    .expect("a string takes any text");
    text
}
