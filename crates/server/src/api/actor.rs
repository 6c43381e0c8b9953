//! Who stands behind a request, where the audit trail wants a name.
//!
//! The admin key says that the site asks. Which of its users made it ask is said in the query,
//! and believed: whether that user may is for the site to know, which has asked them to log in.

use guildgate_model::UserId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::{Problem, ProblemKind};

/// Who does it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ActorQuery {
    /// The id of the user who does this, for the audit trail. The site answers for their right
    /// to do it
    #[param(value_type = String, required = true)]
    actor: Option<String>,
}

impl ActorQuery {
    pub(super) fn user(&self) -> Result<UserId, Problem> {
        self.actor
            .as_deref()
            .and_then(|text| text.parse().ok())
            .filter(|&user| user != NOBODY)
            .ok_or_else(|| bad_query("actor", "the id of the user who does this"))
    }
}

/// A part of the query that is missing, or not what it should be.
pub(super) fn bad_query(name: &str, expected: &str) -> Problem {
    Problem::new(
        ProblemKind::BadRequest,
        format!("`{name}` in the query: expected {expected}"),
    )
}

/// Who did something, as it is shown: none where it came about by itself.
pub(super) fn shown_actor(actor: Option<UserId>) -> Option<UserId> {
    actor.filter(|&actor| actor != NOBODY)
}

/// Who made a version that came about by itself, as it is kept.
const NOBODY: UserId = UserId(0);
