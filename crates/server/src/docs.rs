//! Holds documents that are made from tables in code to those tables.

/// Fails unless `docs/<name>` reads as `expected`; with `UPDATE_DOCS` set, writes it.
///
/// # Panics
/// If the page differs, or cannot be read or written.
pub(crate) fn assert_current(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("docs/");
        std::fs::write(&path, expected).expect("the page is written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/{name} differs from its table in the code: run the test again with UPDATE_DOCS=1"
    );
}
