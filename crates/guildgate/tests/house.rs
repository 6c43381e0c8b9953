//! Who may import whom, held by a test: the table of ARCHITECTURE.md.

use std::{collections::BTreeSet, path::Path, process::Command};

/// A crate of ours and which others of ours it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("discord", &["model"]),
    ("store", &["model"]),
    ("core", &["model", "wire"]),
    ("server", &["model", "wire", "discord", "core", "store"]),
    ("simulator", &["model", "discord"]),
    ("load", &[]),
    ("bench", &["model", "wire", "discord", "core"]),
];

/// Crates without clock, randomness, I/O or async.
const PURE: &[&str] = &["model", "wire", "discord", "core"];

/// What a pure crate must not pull in, by name.
const IMPURE: &[&str] = &[
    "async-trait",
    "axum",
    "futures-util",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "rusqlite",
    "rustls",
    "socket2",
    "tokio",
    "tokio-postgres",
    "tracing",
];

/// The names of all crates in the normal dependency tree of `name`, its own left out.
fn imports(name: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let package = format!("guildgate-{name}");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{lib}|{p}", "--package", &package])
        .current_dir(root)
        .output()
        .expect("cargo tree runs");
    assert!(
        output.status.success(),
        "cargo tree of {package} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("cargo tree prints UTF-8")
        .lines()
        .filter_map(|line| line.split_once('|'))
        .filter_map(|(_, package)| package.split(' ').next())
        .filter(|&found| found != package)
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_crate_imports_only_whom_it_may() {
    for (name, allowed) in MAY_IMPORT {
        let ours: BTreeSet<String> = imports(name)
            .into_iter()
            .filter_map(|found| found.strip_prefix("guildgate-").map(str::to_owned))
            .collect();
        let allowed: BTreeSet<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        let forbidden: Vec<_> = ours.difference(&allowed).collect();
        assert!(forbidden.is_empty(), "{name} must not import {forbidden:?}");
    }
}

#[test]
fn pure_crates_pull_in_nothing_impure() {
    for name in PURE {
        let found = imports(name);
        let impure: Vec<_> = IMPURE
            .iter()
            .filter(|&&name| found.contains(name))
            .collect();
        assert!(
            impure.is_empty(),
            "{name} is pure and must not pull in {impure:?}"
        );
    }
}
