//! `/api/v1/guilds/{id}/submissions`: applications that were submitted, and their reviews.
//!
//! A review made here is the one that APPLICATION_REVIEW makes: the applicant hears of it live or
//! from their inbox, the role is given and web hooks are called all the same.

mod csv;
mod export;

use axum::extract::State;
use guildgate_model::{
    ApplicationId, Decision, GuildId, Revision, UnixMs, UserId, form::bounds::NOTE_CHARS_MAX,
};
use guildgate_store::{Review, Submission, SubmissionFilter, WithdrawRefusal};
use guildgate_wire::{ErrorCode, notification_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    actor::{ActorQuery, bad_query},
    extract::{Admin, InPath, InQuery, Json, PageQuery, shown},
};
use crate::{
    problem::{Problem, ProblemKind},
    services::{Authority, NotDone},
};

/// What is served here.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export::export))
        .routes(routes!(read))
        .routes(routes!(review))
        .routes(routes!(withdraw))
}

/// A submitted application
#[derive(Serialize, ToSchema)]
#[schema(as = Submission)]
pub(super) struct SubmissionJson {
    #[schema(value_type = String)]
    id: ApplicationId,
    #[schema(value_type = String)]
    gid: GuildId,
    /// Who applies
    #[schema(value_type = String)]
    user: UserId,
    /// The form's version that it answers
    #[schema(value_type = u64)]
    apv: Revision,
    /// By field id: a text, or the list of options chosen
    #[schema(value_type = Object)]
    answers: Value,
    /// `pending`, `on_hold`, `accepted`, `denied` or `withdrawn`
    status: &'static str,
    /// Unix time, ms
    #[schema(value_type = i64)]
    submitted_at: UnixMs,
    /// When it was last reviewed or withdrawn: Unix time, ms
    #[schema(value_type = Option<i64>)]
    decided_at: Option<UnixMs>,
    /// Who last reviewed it
    #[schema(value_type = Option<String>)]
    reviewer: Option<UserId>,
    /// What they wrote to the applicant
    note: Option<Box<str>>,
}

impl From<Submission> for SubmissionJson {
    fn from(submission: Submission) -> SubmissionJson {
        SubmissionJson {
            id: submission.id,
            gid: submission.guild,
            user: submission.user,
            apv: submission.revision,
            answers: submission.answers,
            status: submission.status.name(),
            submitted_at: submission.submitted_at,
            decided_at: submission.decided_at,
            reviewer: submission.reviewer,
            note: submission.note,
        }
    }
}

/// Which submissions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SubmissionQuery {
    /// Only those: `pending`, `on_hold`, `accepted`, `denied` or `withdrawn`
    status: Option<String>,
    /// Only this user's
    user: Option<String>,
}

impl SubmissionQuery {
    fn filter(&self) -> Result<SubmissionFilter, Problem> {
        let status = self.status.as_deref().map(|text| {
            text.parse()
                .map_err(|_| bad_query("status", "pending, on_hold, accepted, denied or withdrawn"))
        });
        let user = self.user.as_deref().map(|text| {
            text.parse()
                .map_err(|_| bad_query("user", "a user's id in digits"))
        });
        Ok(SubmissionFilter {
            status: status.transpose()?,
            user: user.transpose()?,
        })
    }
}

/// A page of submissions
#[derive(Serialize, ToSchema)]
pub(super) struct SubmissionList {
    /// Newest first
    submissions: Vec<SubmissionJson>,
    /// `before` of the next page; null at the end
    next: Option<String>,
}

/// List a guild's submissions
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/submissions",
    tag = "submissions",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id"), SubmissionQuery, PageQuery),
    responses(
        (status = 200, description = "Newest first", body = SubmissionList),
        (status = 400, description = "Not an id, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(query): InQuery<SubmissionQuery>,
    InQuery(page): InQuery<PageQuery>,
) -> Result<axum::Json<SubmissionList>, Problem> {
    let (filter, page) = (query.filter()?, page.page()?);
    let listed = api.store.list_submissions(guild, filter, page).await?;
    let show = |submission: &Submission| Some(submission.clone().into());
    let (submissions, next) = shown(&listed, show);
    Ok(axum::Json(SubmissionList { submissions, next }))
}

/// Read a submission
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/submissions/{submission}",
    tag = "submissions",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("submission" = String, Path, description = "The submission's id"),
    ),
    responses(
        (status = 200, description = "As it is now", body = SubmissionJson),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The guild has no such submission", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, id)): InPath<(GuildId, ApplicationId)>,
) -> Result<axum::Json<SubmissionJson>, Problem> {
    Ok(axum::Json(known(&api, guild, id).await?.into()))
}

async fn known(api: &Api, guild: GuildId, id: ApplicationId) -> Result<Submission, Problem> {
    let found = api.store.read_submission(guild, id).await?;
    found.ok_or_else(|| {
        Problem::new(
            ProblemKind::NotFound,
            format!(
                "guild {guild} has no submission {id}; \
                 GET /api/v1/guilds/{guild}/submissions lists them"
            ),
        )
    })
}

/// A decision on a submission
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewSubmission {
    /// 0 accepted, 1 denied, 2 on hold
    #[schema(value_type = u8, maximum = 2)]
    proccessed_type: Decision,
    /// What the applicant is told, 2,000 characters at most
    #[schema(max_length = 2000)]
    note: Option<Box<str>>,
    /// The status that the reviewer saw: refused where it is another by now
    expected: Option<Box<str>>,
}

/// A review that was made
#[derive(Serialize, ToSchema)]
pub(super) struct ReviewedSubmission {
    /// As it is now
    submission: SubmissionJson,
    /// What the applicant is told
    #[schema(value_type = Object)]
    notification: Value,
}

/// Review a submission
///
/// As APPLICATION_REVIEW does: of several at once one is made.
#[utoipa::path(
    post,
    path = "/api/v1/guilds/{id}/submissions/{submission}/review",
    tag = "submissions",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("submission" = String, Path, description = "The submission's id"),
        ActorQuery,
    ),
    request_body = ReviewSubmission,
    responses(
        (status = 200, description = "Reviewed; the applicant is told", body = ReviewedSubmission),
        (status = 400, description = "Not an id, not JSON, or no actor", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The guild has no such submission", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody was first, or it is final; `current` is the submission", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not said to be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a review", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn review(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, id)): InPath<(GuildId, ApplicationId)>,
    InQuery(actor): InQuery<ActorQuery>,
    Json(wanted): Json<ReviewSubmission>,
) -> Result<axum::Json<ReviewedSubmission>, Problem> {
    let reviewer = actor.user()?;
    let expected = wanted.expected.as_deref().map(|text| {
        text.parse().map_err(|_| {
            let expected = "expected pending, on_hold, accepted, denied or withdrawn";
            Problem::field("/expected", expected)
        })
    });
    let long = |note: &str| note.chars().count() > NOTE_CHARS_MAX;
    if wanted.note.as_deref().is_some_and(long) {
        return Err(Problem::field("/note", "expected at most 2000 characters"));
    }
    let review = Review {
        guild,
        id,
        decision: wanted.proccessed_type,
        note: wanted.note,
        reviewer,
        expected: expected.transpose()?,
        tasks: Vec::new(),
    };
    known(&api, guild, id).await?;
    match api.services.take_review(review, Authority::Site).await {
        Ok(reviewed) => {
            let status = reviewed.submission.status.name();
            tracing::info!(%guild, %id, %reviewer, status, "application reviewed");
            let notification = serde_json::to_value(notification_json(&reviewed.notification))
                .expect("a notification is plain JSON");
            Ok(axum::Json(ReviewedSubmission {
                submission: reviewed.submission.into(),
                notification,
            }))
        }
        Err(NotDone::Refused(refusal)) if refusal.code == ErrorCode::Conflict => {
            let current = known(&api, guild, id).await?;
            let what = format!("{}; look at `current`", refusal.message);
            Err(conflict(what, current))
        }
        Err(NotDone::Refused(refusal)) => {
            Err(Problem::new(ProblemKind::Unprocessable, refusal.message))
        }
        Err(NotDone::Store(error)) => Err(error.into()),
    }
}

fn conflict(what: impl Into<String>, current: Submission) -> Problem {
    let current = serde_json::to_value(SubmissionJson::from(current));
    Problem::new(ProblemKind::Conflict, what)
        .with_current(current.expect("a submission is plain JSON"))
}

/// Whose submission is taken back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ApplicantQuery {
    /// The applicant's id: a submission of somebody else's is not found
    #[param(value_type = String, required = true)]
    user: Option<String>,
}

/// Withdraw a submission for its applicant
#[utoipa::path(
    post,
    path = "/api/v1/guilds/{id}/submissions/{submission}/withdraw",
    tag = "submissions",
    security(("admin_key" = [])),
    params(
        ("id" = String, Path, description = "The guild's id"),
        ("submission" = String, Path, description = "The submission's id"),
        ApplicantQuery,
    ),
    responses(
        (status = 200, description = "Withdrawn", body = SubmissionJson),
        (status = 400, description = "Not an id, or no user", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The user has no such submission in the guild", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is final; `current` is the submission", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn withdraw(
    _: Admin,
    State(api): State<Api>,
    InPath((guild, id)): InPath<(GuildId, ApplicationId)>,
    InQuery(query): InQuery<ApplicantQuery>,
) -> Result<axum::Json<SubmissionJson>, Problem> {
    let user: UserId = query
        .user
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad_query("user", "the applicant's id in digits"))?;
    let now = api.clock.now().wall;
    match api.store.withdraw(guild, id, user, now).await? {
        Ok(submission) => {
            tracing::info!(%guild, %id, %user, "application withdrawn");
            Ok(axum::Json(submission.into()))
        }
        Err(WithdrawRefusal::Unknown) => Err(Problem::new(
            ProblemKind::NotFound,
            format!("user {user} has no submission {id} in guild {guild}"),
        )),
        Err(refusal @ WithdrawRefusal::Final(_)) => {
            let current = known(&api, guild, id).await?;
            Err(conflict(format!("{refusal}; it stays so"), current))
        }
    }
}
