//! What a refusal tells besides its code and message.

use crate::ErrorCode;

/// A further field of a refused command's `error`.
///
/// Source: wire protocol, "Live application sessions", and this server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorDetail {
    /// What is wrong where, in the form, the answers or the patch.
    Faults,
    /// How many faults more there are.
    FaultsUnlisted,
    /// Which operation of the patch.
    Operation,
    /// Where in the document that operation points.
    Pointer,
    /// The newest version.
    Apv,
    /// The newest document.
    Document,
    /// When the form opens.
    OpensAt,
    /// The application that waits already.
    Id,
    /// What the application is by now.
    Status,
    /// Who decided on it.
    Reviewer,
}

impl ErrorDetail {
    /// Every detail, in the order of the documents' table.
    pub const ALL: [ErrorDetail; 10] = [
        ErrorDetail::Faults,
        ErrorDetail::FaultsUnlisted,
        ErrorDetail::Operation,
        ErrorDetail::Pointer,
        ErrorDetail::Apv,
        ErrorDetail::Document,
        ErrorDetail::OpensAt,
        ErrorDetail::Id,
        ErrorDetail::Status,
        ErrorDetail::Reviewer,
    ];

    /// Its key in `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorDetail::Faults => "faults",
            ErrorDetail::FaultsUnlisted => "faults_unlisted",
            ErrorDetail::Operation => "operation",
            ErrorDetail::Pointer => "pointer",
            ErrorDetail::Apv => "apv",
            ErrorDetail::Document => "document",
            ErrorDetail::OpensAt => "opens_at",
            ErrorDetail::Id => "id",
            ErrorDetail::Status => "status",
            ErrorDetail::Reviewer => "reviewer",
        }
    }

    /// The codes that it comes with.
    #[must_use]
    pub fn codes(self) -> &'static [ErrorCode] {
        use ErrorCode::{
            BadRequest, Closed, Conflict, Duplicate, Forbidden, InvalidAnswers, InvalidForm,
            TooLarge,
        };
        match self {
            ErrorDetail::Faults | ErrorDetail::FaultsUnlisted => {
                &[InvalidForm, InvalidAnswers, TooLarge, Conflict]
            }
            ErrorDetail::Operation => &[BadRequest, TooLarge, InvalidForm, Conflict],
            ErrorDetail::Pointer => &[BadRequest, TooLarge, InvalidForm, Conflict, Forbidden],
            ErrorDetail::Apv | ErrorDetail::Document | ErrorDetail::Status => &[Conflict],
            ErrorDetail::Reviewer => &[Conflict],
            ErrorDetail::OpensAt => &[Closed],
            ErrorDetail::Id => &[Duplicate],
        }
    }

    /// What it is, for the documents.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            ErrorDetail::Faults => {
                "`[{pointer, message}]`: JSON pointers into the form or the answers, and what is \
                 wrong there"
            }
            ErrorDetail::FaultsUnlisted => "how many more faults there are than are listed",
            ErrorDetail::Operation => "the number of the patch's operation at fault, from 0",
            ErrorDetail::Pointer => {
                "the JSON pointer that this operation names, or to what you may not change"
            }
            ErrorDetail::Apv => "the newest version, of a stale patch or submission",
            ErrorDetail::Document => {
                "the newest document, of a stale patch; the newest form, of a stale submission"
            }
            ErrorDetail::OpensAt => "when the form opens, milliseconds since 1970",
            ErrorDetail::Id => "the application of yours that waits there",
            ErrorDetail::Status => {
                "what the application is by now: `pending`, `on_hold`, `accepted`, `denied` or \
                 `withdrawn`"
            }
            ErrorDetail::Reviewer => "the id of who decided on it, or null",
        }
    }
}
