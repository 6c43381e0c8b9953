//! Filling documents, and the document that is filled.

use std::{fs, path::PathBuf};

use super::*;

mod examples;

fn page_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md")
}

fn page() -> String {
    fs::read_to_string(page_path()).expect("docs/protocol.md can be read")
}

#[test]
fn a_marked_table_is_written_anew_and_the_rest_left() {
    let document = "a\n<!-- table:opcodes -->\nold\n<!-- /table -->\nb\n";
    let filled = fill(document).expect("the marks are good");
    assert!(filled.starts_with("a\n<!-- table:opcodes -->\n| op | name |"));
    assert!(filled.ends_with("|\n<!-- /table -->\nb\n"));
    assert!(!filled.contains("old"));
    assert_eq!(
        fill(&filled),
        Ok(filled.clone()),
        "filling again changes nothing"
    );
}

#[test]
fn a_bad_mark_is_an_error() {
    assert_eq!(
        fill("<!-- table:no -->\n<!-- /table -->"),
        Err(BadMark::Unknown("no".to_owned()))
    );
    assert_eq!(
        fill("<!-- table:opcodes -->\n"),
        Err(BadMark::Open("opcodes".to_owned()))
    );
}

#[test]
fn every_row_has_the_columns_of_its_head() {
    for (name, text) in all() {
        let columns = |line: &str| line.matches('|').count();
        let mut lines = text.lines();
        let head = columns(lines.next().expect("a table has a head"));
        for line in lines {
            assert_eq!(columns(line), head, "{name}: {line}");
        }
    }
}

/// `UPDATE_DOCS=1` writes the tables into the document.
#[test]
fn the_protocols_page_has_the_codes_tables() {
    let page = page();
    let filled = fill(&page).expect("the page's marks are good");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(page_path(), &filled).expect("the page can be written");
        return;
    }
    assert!(
        page == filled,
        "docs/protocol.md has old tables; UPDATE_DOCS=1 writes them anew"
    );
    for (name, _) in all() {
        let mark = format!("{OPEN}{name}{OPEN_END}");
        assert!(page.contains(&mark), "docs/protocol.md lacks {mark}");
    }
}
