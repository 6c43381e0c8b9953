//! What is wrong with a document, and where.

use std::fmt;

use serde::Serialize;

use super::bounds::FAULTS_MAX;

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where: an RFC 6901 pointer into the document.
    pub pointer: Box<str>,
    /// What was expected there.
    pub message: Box<str>,
}

/// All that is wrong with a document, in its order; at most [`FAULTS_MAX`] are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    listed: Vec<Fault>,
    unlisted: usize,
}

impl Faults {
    /// The one fault `message` at `pointer`.
    #[must_use]
    pub fn one(pointer: impl Into<Box<str>>, message: impl Into<Box<str>>) -> Faults {
        let mut faults = Faults::default();
        faults.push(pointer, message);
        faults
    }

    /// Adds a fault, or counts it if the list is full.
    pub fn push(&mut self, pointer: impl Into<Box<str>>, message: impl Into<Box<str>>) {
        if self.listed.len() < FAULTS_MAX {
            self.listed.push(Fault {
                pointer: pointer.into(),
                message: message.into(),
            });
        } else {
            self.unlisted += 1;
        }
    }

    /// Those that are listed.
    #[must_use]
    pub fn list(&self) -> &[Fault] {
        &self.listed
    }

    /// How many more there are.
    #[must_use]
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// `value`, if nothing is wrong.
    ///
    /// # Errors
    /// These faults, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Faults> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.listed.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            let pointer = match &*fault.pointer {
                "" => "the document",
                pointer => pointer,
            };
            write!(f, "{separator}{pointer}: {}", fault.message)?;
        }
        if self.unlisted > 0 {
            write!(f, "; and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// An RFC 6901 pointer that grows and shrinks as a checker walks a document.
#[derive(Debug, Default)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub fn root() -> Pointer {
        Pointer::default()
    }

    /// Goes one step further down, to `token`; what it returns leads back.
    #[must_use]
    pub fn enter(&mut self, token: impl fmt::Display) -> Back {
        let back = Back(self.0.len());
        self.step(token);
        back
    }

    /// Goes back to where [`Pointer::enter`] was called.
    pub fn leave(&mut self, back: Back) {
        self.0.truncate(back.0);
    }

    /// The text of this place.
    #[must_use]
    pub fn here(&self) -> &str {
        &self.0
    }

    /// The text of the place one step further down, at `token`.
    #[must_use]
    pub fn child(&self, token: impl fmt::Display) -> String {
        let mut child = Pointer(self.0.clone());
        child.step(token);
        child.0
    }

    fn step(&mut self, token: impl fmt::Display) {
        self.0.push('/');
        for character in token.to_string().chars() {
            match character {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                other => self.0.push(other),
            }
        }
    }
}

/// The way back up from a step of a [`Pointer`].
#[derive(Debug)]
pub struct Back(usize);
