mod operations;
mod properties;
mod staleness;

use serde_json::Value;

use super::{Guard, Patch, PatchErrorKind, apply};

/// The document after the patch, or what went wrong at which operation and pointer.
fn patched(
    document: &Value,
    patch: Value,
) -> Result<Value, (Option<usize>, PatchErrorKind, String)> {
    Patch::parse(patch)
        .and_then(|patch| apply(document, &patch, Guard::Open))
        .map(|applied| applied.document)
        .map_err(|error| (error.operation, error.kind, error.pointer.into()))
}
