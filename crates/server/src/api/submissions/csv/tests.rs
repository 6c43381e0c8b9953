use guildgate_model::SubmissionStatus;
use guildgate_model::{ApplicationId, GuildId, Revision, UserId};
use serde_json::json;

use super::*;

fn submission(answers: Value) -> Submission {
    Submission {
        id: ApplicationId(9),
        guild: GuildId(7),
        user: UserId(42),
        revision: Revision(3),
        answers,
        status: SubmissionStatus::Denied,
        submitted_at: UnixMs(0),
        decided_at: Some(UnixMs(1_709_164_800_123)),
        reviewer: Some(UserId(1)),
        note: Some("no, \"sorry\"".into()),
    }
}

#[test]
fn a_column_for_each_field_new_or_gone() {
    let document = json!({
        "status": 1,
        "sections": [{"title": "", "fields": [
            {"id": "why", "title": "Why, you?", "type": 1, "length": [0, 100]},
            {"id": "langs", "title": "=Langs", "type": 3, "options": ["a", "b"], "length": [0, 2]},
        ]}],
    });
    let form = Form::check(&document).expect("a form");
    let answered = ["why", "old"].map(|id| FieldId::try_from(id).expect("an id"));
    let table = Table::new(Some(&form), answered.into());
    assert_eq!(
        table.head(),
        "id,user,status,apv,submitted_at,decided_at,reviewer,note,\
         \"Why, you? (why)\",'=Langs (langs),removed field (old)\r\n"
    );
    let mut row = String::new();
    let answers = json!({"why": "because\nof", "langs": ["a", "b"], "old": "x"});
    table.row(&submission(answers), &mut row);
    assert_eq!(
        row,
        "9,42,denied,3,1970-01-01T00:00:00.000Z,2024-02-29T00:00:00.123Z,1,\"no, \"\"sorry\"\"\",\
         \"because\nof\",\"a\nb\",x\r\n"
    );
}

#[test]
fn no_cell_is_a_formula() {
    for (text, expected) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "\"'\r=1\""),
        (
            "=HYPERLINK(\"a\",\"b\")",
            "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\"",
        ),
        ("'=1", "'=1"),
        ("a=1", "a=1"),
        ("", ""),
    ] {
        let mut cell = String::new();
        push_cell(text, &mut cell);
        assert_eq!(cell, expected, "{text:?}");
    }
}

#[test]
fn moments_are_those_of_the_calendar() {
    for (ms, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(moment(UnixMs(ms)), expected);
    }
}
