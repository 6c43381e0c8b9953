//! A world from a file: TOML or JSON, with names where ids do not matter.

mod build;
mod names;
mod permission_names;
mod shape;

use super::World;
use shape::WorldFile;

/// Why a world file cannot be used: where in it, what is wrong, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The text is not TOML or JSON, or a value is not of the expected shape.
    #[error("line {line}, column {column}: {what}")]
    Shape {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// Values that are good by themselves do not go together.
    #[error("{place}: {what}")]
    Meaning {
        /// The user, guild, role or member, as the file names it.
        place: String,
        /// What is wrong.
        what: String,
    },
}

impl World {
    /// Reads a world from TOML; the shape is in docs/simulator.md.
    ///
    /// # Errors
    /// [`WorldError`] says what is wrong with the file.
    pub fn from_toml(text: &str) -> Result<World, WorldError> {
        let read: Result<WorldFile, _> = toml::from_str(text);
        read.map_err(|error| toml_error(text, &error))?.build()
    }

    /// Reads a world from JSON of the same shape.
    ///
    /// # Errors
    /// [`WorldError`] says what is wrong with the file.
    pub fn from_json(text: &str) -> Result<World, WorldError> {
        let read: Result<WorldFile, _> = serde_json::from_str(text);
        read.map_err(|error| json_error(&error))?.build()
    }
}

fn toml_error(text: &str, error: &toml::de::Error) -> WorldError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    WorldError::Shape {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        what: error.message().lines().collect::<Vec<_>>().join(", "),
    }
}

fn json_error(error: &serde_json::Error) -> WorldError {
    let (line, column) = (error.line(), error.column());
    let told = error.to_string();
    let place = format!(" at line {line} column {column}");
    WorldError::Shape {
        line,
        column,
        what: told.strip_suffix(&place).unwrap_or(&told).to_owned(),
    }
}

#[cfg(test)]
mod tests;
