//! docs/http-api.md names every operation that is served, and no other.

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../../docs/http-api.md");

#[test]
fn the_page_names_every_operation_and_no_other() {
    let api = serde_json::to_value(super::super::openapi()).expect("JSON");
    let mut served = BTreeSet::new();
    for (path, operations) in api["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            served.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    // The rows of its tables: | `METHOD /path` | what it does |
    let named: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(operation, _)| operation.to_owned())
        .filter(|operation| operation.contains(" /"))
        .collect();
    let (missing, gone): (Vec<_>, Vec<_>) = (
        served.difference(&named).collect(),
        named.difference(&served).collect(),
    );
    assert!(missing.is_empty(), "not in docs/http-api.md: {missing:?}");
    assert!(
        gone.is_empty(),
        "in docs/http-api.md, but not served: {gone:?}"
    );
}

#[test]
fn the_page_asks_for_no_path_that_is_not_served() {
    let api = serde_json::to_value(super::super::openapi()).expect("JSON");
    let paths = api["paths"].as_object().expect("paths");
    let fits = |asked: &str, served: &str| {
        let (asked, served) = (asked.split('/'), served.split('/'));
        asked.clone().count() == served.clone().count()
            && asked
                .zip(served)
                .all(|(asked, served)| served.starts_with('{') || asked == served)
    };
    let mut asked_any = false;
    for line in PAGE.lines() {
        let Some((_, rest)) = line.split_once("127.0.0.1:7102/") else {
            continue;
        };
        let path: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "/-_.$".contains(*c))
            .collect();
        asked_any = true;
        let path = format!("/{path}");
        assert!(
            paths.keys().any(|served| fits(&path, served)),
            "{path} of: {line}"
        );
    }
    assert!(asked_any, "the page shows how to ask");
}
