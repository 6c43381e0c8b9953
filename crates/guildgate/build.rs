//! Lists the page's files, so that a new one is served without being named anywhere.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Folders whose files are served, under their own names.
const FOLDERS: [&str; 2] = ["console", "sdk/js"];

/// Which files are the page's, and what a browser is told they are.
const KINDS: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

fn main() {
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&manifest).join("../..");
    let mut table = String::from("&[\n");
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        for file in files(&root.join(folder)) {
            let name = file.file_name().and_then(|name| name.to_str());
            let extension = file.extension().and_then(|extension| extension.to_str());
            let kind = KINDS.iter().find(|(known, _)| Some(*known) == extension);
            if let (Some(name), Some((_, content_type))) = (name, kind) {
                let path = file.canonicalize().expect("a file that was listed");
                println!("cargo::rerun-if-changed={}", path.display());
                writeln!(
                    table,
                    "Asset {{ path: {:?}, content_type: {content_type:?}, content: include_str!({path:?}) }},",
                    format!("{folder}/{name}")
                )
                .expect("a string takes all that is written");
            }
        }
    }
    table.push(']');
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("assets.rs"), table).expect("the table is written");
}

/// The files of a folder itself, by name; none if it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
