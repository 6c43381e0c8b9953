//! Why a session refuses a command, in words for the person at the other end.

use guildgate_model::{Revision, RoleId, form::Faults};
use guildgate_wire::{ErrorCode, ErrorDetail};
use serde_json::{Map, Value, json};

use super::Target;
use crate::{
    client::Refusal,
    rebase::{PatchError, PatchErrorKind},
};

pub(super) fn no_session() -> Refusal {
    Refusal::new(
        ErrorCode::NoSession,
        "no application session is open here: start one with APPLICATION_SESSION",
    )
}

pub(super) fn session_exists() -> Refusal {
    Refusal::new(
        ErrorCode::SessionExists,
        "this connection has an application session in this guild already: end it first, or send \
         its start again with the nonce that it had",
    )
}

pub(super) fn crowded() -> Refusal {
    Refusal::new(
        ErrorCode::Full,
        "the session has as many participants as it takes: try again later",
    )
}

pub(super) fn forbidden(target: Target) -> Refusal {
    let message = match target {
        Target::Form => "editing the form needs Manage Server, Administrator or ownership",
        Target::Answers(_) => {
            "only a member of the guild answers its form, and only for themselves"
        }
    };
    Refusal::new(ErrorCode::Forbidden, message)
}

pub(super) fn role_too_high(role: RoleId) -> Refusal {
    let message = format!(
        "role_on_accept: giving the role {role} needs Manage Roles and a role of your own above it"
    );
    let mut details = Map::new();
    insert(&mut details, ErrorDetail::Pointer, json!("/role_on_accept"));
    with(ErrorCode::Forbidden, message, details)
}

pub(super) fn bad_tokens() -> Refusal {
    Refusal::new(
        ErrorCode::InvalidToken,
        "utokh and uhash are not both good tokens of this user: get fresh ones from the site",
    )
}

pub(super) fn wrong_permissions() -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        "pm is not what this user was last told: start a new session",
    )
}

pub(super) fn reauth_required() -> Refusal {
    Refusal::new(
        ErrorCode::ReauthRequired,
        "the patch is held back until APPLICATION_SESSION_REAUTH: send it again after that",
    )
}

pub(super) fn unavailable() -> Refusal {
    Refusal::new(
        ErrorCode::Unavailable,
        "the store does not answer; what was sent may or may not have been kept: try again with \
         the same nonce",
    )
}

/// Every try met a version that another node had made meanwhile.
pub(super) fn outrun() -> Refusal {
    Refusal::new(
        ErrorCode::Unavailable,
        "others changed the document faster than the patch could be stored; it was not taken: \
         try again",
    )
}

pub(super) fn too_many() -> Refusal {
    Refusal::new(
        ErrorCode::RateLimited,
        "too many patches wait to be stored: try again in a moment",
    )
}

pub(super) fn conflict(apv: Revision, document: &Value) -> Refusal {
    let message = "what the patch touches has changed since its base: look at the newest document \
                   and patch that";
    with_newest(message, apv, document)
}

pub(super) fn base_ahead(base: Revision, newest: Revision) -> Refusal {
    let message = format!("there is no version {base} to patch: the newest is {newest}");
    Refusal::new(ErrorCode::BadRequest, message)
}

/// A patch at fault by itself. A failed `test` is a conflict: its author asked for exactly that.
pub(super) fn bad_patch(error: &PatchError, apv: Revision, document: &Value) -> Refusal {
    let code = match error.kind {
        PatchErrorKind::Malformed | PatchErrorKind::NoSuchPlace => ErrorCode::BadRequest,
        PatchErrorKind::TooLarge => ErrorCode::TooLarge,
        PatchErrorKind::TestFailed => ErrorCode::Conflict,
        PatchErrorKind::Protected => ErrorCode::InvalidForm,
    };
    let message = format!("the patch was not applied: {error}");
    let mut refusal = match code {
        ErrorCode::Conflict => with_newest(&message, apv, document),
        _ => Refusal::new(code, message),
    };
    let details = refusal.details.get_or_insert_default();
    insert(details, ErrorDetail::Operation, json!(error.operation));
    insert(details, ErrorDetail::Pointer, json!(error.pointer));
    if code == ErrorCode::InvalidForm {
        let fault = json!({"pointer": error.pointer, "message": error.message});
        insert(details, ErrorDetail::Faults, json!([fault]));
    }
    refusal
}

pub(super) fn malformed_patch(error: &PatchError) -> Refusal {
    bad_patch(error, Revision::FIRST, &Value::Null)
}

pub(super) fn too_large(faults: &Faults) -> Refusal {
    let message = format!("the patch would make the document too large: {faults}");
    with_faults(ErrorCode::TooLarge, message, faults)
}

pub(super) fn invalid_form(faults: &Faults) -> Refusal {
    let message = format!("the patch would make the form invalid: {faults}");
    with_faults(ErrorCode::InvalidForm, message, faults)
}

pub(super) fn invalid_answers(faults: &Faults) -> Refusal {
    let message = format!("the patch would make answers that do not fit the form: {faults}");
    with_faults(ErrorCode::InvalidAnswers, message, faults)
}

fn with_newest(message: &str, apv: Revision, document: &Value) -> Refusal {
    let mut details = Map::new();
    insert(&mut details, ErrorDetail::Apv, json!(apv));
    insert(&mut details, ErrorDetail::Document, document.clone());
    with(ErrorCode::Conflict, message, details)
}

fn with_faults(code: ErrorCode, message: String, faults: &Faults) -> Refusal {
    Refusal::new(code, message).with_faults(faults)
}

fn insert(details: &mut Map<String, Value>, detail: ErrorDetail, value: Value) {
    details.insert(detail.name().to_owned(), value);
}

fn with(code: ErrorCode, message: impl Into<Box<str>>, details: Map<String, Value>) -> Refusal {
    Refusal {
        details: Some(Box::new(details)),
        ..Refusal::new(code, message)
    }
}
