//! What is wrong with a configuration, told so that a person can mend it.

use std::{fmt, path::PathBuf};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file, at this line.
    File {
        /// Which.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
    /// Nowhere: several sources together, or none.
    Together,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Origin::Variable(name) => write!(f, "environment variable {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
            Origin::Together => f.write_str("configuration"),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path:?}: check that it exists and may be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser says.
        message: String,
    },
    /// A variable that is ours is no text.
    #[error(
        "{origin}: not UTF-8: expected its name and value as plain text; set it anew, or unset it"
    )]
    NotText {
        /// Which.
        origin: Origin,
    },
    /// There is no such key.
    #[error("{origin}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key as written.
        key: String,
        /// What may have been meant.
        hint: String,
    },
    /// The value is not what the key takes.
    #[error("{origin}: `{key}` is {found}: expected {expected}")]
    BadValue {
        /// Where.
        origin: Origin,
        /// Which key.
        key: String,
        /// What was written; hidden for a secret.
        found: String,
        /// What should have been.
        expected: String,
    },
    /// Keys that do not go together.
    #[error("{origin}: `{key}`: {problem}")]
    Together {
        /// Where.
        origin: Origin,
        /// Which key to change.
        key: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// All that is wrong with a configuration; at least one thing.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid")?;
        for error in &self.0 {
            write!(f, "\n  {error}")?;
            if let Some(source) = std::error::Error::source(error) {
                write!(f, " ({source})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
