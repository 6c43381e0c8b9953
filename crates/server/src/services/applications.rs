//! APPLICATION_SUBMIT and APPLICATION_REVIEW: what a submission must be to be taken, and who
//! decides on it. The store takes it or not, all or nothing.

use guildgate_core::{
    client::{Answer, Refusal},
    form_session::{PublishedForm, Standing},
};
use guildgate_model::{
    Answers, Decision, Form, Grants, GuildId, Misfit, Revision, RoleId, UserId,
    form::{Intake, Status, bounds::NOTE_CHARS_MAX},
};
use guildgate_store::{
    DocumentKey, NewSubmission, Review, ReviewRefusal, Reviewed, StoreError, SubmitRefusal,
    Submitted, Task,
};
use guildgate_wire::{ErrorCode, ErrorDetail};
use serde_json::{Value, json, value::RawValue};

use super::{NoAnswer, Services, outbox};

/// How often an application is judged anew because its form has changed meanwhile.
const TRIES_MAX: u32 = 8;

/// Answers that an applicant hands in.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) guild: GuildId,
    pub(crate) user: UserId,
    /// The form's version that they answer.
    pub(crate) revision: Revision,
    pub(crate) answers: Value,
}

/// In whose name a review is made.
#[derive(Debug)]
pub(crate) enum Authority {
    /// The site's, which has asked whether the reviewer may.
    Site,
    /// The reviewer's own, who may give these roles.
    Member(Grants),
}

impl Authority {
    fn gives(&self, role: RoleId) -> bool {
        match self {
            Authority::Site => true,
            Authority::Member(grants) => grants.allow(role),
        }
    }

    /// The owner has nobody above to ask.
    fn reviews_itself(&self) -> bool {
        match self {
            Authority::Site | Authority::Member(Grants::Any) => true,
            Authority::Member(Grants::Roles(_)) => false,
        }
    }
}

/// Why the database has no submission or review to show for it.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// It was refused.
    Refused(Refusal),
    /// The database did not answer.
    Store(StoreError),
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> NotDone {
        NotDone::Store(error)
    }
}

impl Services {
    /// APPLICATION_SUBMIT.
    pub(super) async fn submit(&self, application: Application) -> Answer {
        let (guild, user) = (application.guild, application.user);
        if let Err(refusal) = self.must_be_member(guild, user).await {
            return Answer::Refused(refusal);
        }
        let revision = application.revision;
        let submitted = self.timed(flat(self.take_application(application))).await;
        answer_of(
            submitted
                .map(|done| done.map(|submitted| json!({ "id": submitted.id, "apv": revision }))),
        )
    }

    /// APPLICATION_REVIEW.
    pub(super) async fn review(&self, review: Review) -> Answer {
        let grants = match self.must_manage(review.guild, review.reviewer).await {
            Ok(grants) => grants,
            Err(refusal) => return Answer::Refused(refusal),
        };
        let reviewed = self.take_review(review, Authority::Member(grants));
        let reviewed = self.timed(flat(reviewed)).await;
        answer_of(reviewed.map(|done| done.map(|_| json!({ "success": true }))))
    }

    /// Checks answers against the guild's form, and hands them to the store; again where the
    /// form changes meanwhile.
    pub(crate) async fn take_application(
        &self,
        application: Application,
    ) -> Result<Submitted, NotDone> {
        for _ in 0..TRIES_MAX {
            if let Some(submitted) = self.try_application(&application).await? {
                return Ok(submitted);
            }
        }
        Err(refuse(
            ErrorCode::Unavailable,
            "the form changes too fast for the application to be judged by it; try again",
        ))
    }

    /// None if the form has changed while the application was judged by it.
    async fn try_application(
        &self,
        application: &Application,
    ) -> Result<Option<Submitted>, NotDone> {
        let now = self.parts.clock.now().wall;
        let store = &self.parts.store;
        let Some(published) = self.published_form(application.guild).await? else {
            return Err(refuse(
                ErrorCode::Closed,
                "this guild has no application form yet",
            ));
        };
        match published.form.status.intake(now, 0) {
            Intake::Open => {}
            Intake::Closed => {
                return Err(refuse(
                    ErrorCode::Closed,
                    "this guild takes no applications now",
                ));
            }
            Intake::Full => return Err(full()),
            Intake::OpensAt(at) => {
                let refusal = Refusal::new(
                    ErrorCode::Closed,
                    "applications are not open yet; see opens_at",
                );
                let refusal = refusal.with(ErrorDetail::OpensAt, json!(at));
                return Err(NotDone::Refused(refusal));
            }
        }
        let answers = self.fitting(&published, application).await?;
        let (limit, counted_since) = match published.form.status {
            Status::OpenUpTo { limit } => {
                let since = self.season_began(application.guild, &published).await?;
                (Some(limit), Some(since))
            }
            Status::Closed | Status::Open | Status::Full | Status::Opening { .. } => (None, None),
        };
        let body = json!({
            "event": "submitted",
            "guild_id": application.guild,
            "user_id": application.user,
            "apv": application.revision,
            "at": now,
        });
        let new = NewSubmission {
            guild: application.guild,
            user: application.user,
            revision: application.revision,
            answers: answers.to_document(),
            judged_by: Some(published.revision),
            form: Some(published.form.clone()),
            limit,
            counted_since,
            tasks: outbox::webhooks(
                &self.parts.webhooks,
                application.guild,
                "submitted:$id",
                &body,
            ),
        };
        match store.submit(new, now).await? {
            Ok(submitted) => Ok(Some(submitted)),
            Err(SubmitRefusal::FormChanged) => Ok(None),
            Err(SubmitRefusal::Full) => Err(full()),
            Err(SubmitRefusal::Duplicate(id)) => {
                let refusal = Refusal::new(
                    ErrorCode::Duplicate,
                    "an application of yours waits for review here already",
                );
                Err(NotDone::Refused(refusal.with(ErrorDetail::Id, json!(id))))
            }
        }
    }

    /// The answers, if they fit the newest form.
    async fn fitting(
        &self,
        newest: &PublishedForm,
        application: &Application,
    ) -> Result<Answers, NotDone> {
        let key = DocumentKey::Form(application.guild);
        if application.revision > newest.revision {
            return Err(refuse(
                ErrorCode::BadRequest,
                "apv: the form has no such version; read it again",
            ));
        }
        let older = if application.revision == newest.revision {
            None
        } else {
            let version = self.parts.store.read_version(key, application.revision);
            version
                .await?
                .and_then(|document| Form::check(&document.content).ok())
        };
        Answers::check_for(&newest.form, older.as_ref(), &application.answers).map_err(|misfit| {
            let (code, message, faults) = match misfit {
                Misfit::Invalid(faults) => (
                    ErrorCode::InvalidAnswers,
                    "the answers do not fit the form; see faults",
                    faults,
                ),
                Misfit::FormChanged(faults) => (
                    ErrorCode::Conflict,
                    "the form has changed and the answers no longer fit it; see document, faults",
                    faults,
                ),
            };
            let mut refusal = Refusal::new(code, message).with_faults(&faults);
            if code == ErrorCode::Conflict {
                refusal = refusal
                    .with(ErrorDetail::Apv, json!(newest.revision))
                    .with(ErrorDetail::Document, newest.document.clone());
            }
            NotDone::Refused(refusal)
        })
    }

    /// Hands a review to the store, with what follows from it.
    pub(crate) async fn take_review(
        &self,
        mut review: Review,
        authority: Authority,
    ) -> Result<Reviewed, NotDone> {
        let now = self.parts.clock.now().wall;
        let store = &self.parts.store;
        let long = |note: &str| note.chars().count() > NOTE_CHARS_MAX;
        if review.note.as_deref().is_some_and(long) {
            return Err(refuse(ErrorCode::TooLarge, "note: at most 2000 characters"));
        }
        let Some(submission) = store.read_submission(review.guild, review.id).await? else {
            return Err(no_application());
        };
        if review.reviewer == submission.user && !authority.reviews_itself() {
            return Err(refuse(
                ErrorCode::Forbidden,
                "nobody but the guild's owner reviews an application of their own",
            ));
        }
        if review.decision == Decision::Accepted
            && let Some(form) = self.published_form(review.guild).await?
            && let Some(role) = form.form.role_on_accept
        {
            if !authority.gives(role) {
                return Err(refuse(
                    ErrorCode::Forbidden,
                    "accepting gives the form's role_on_accept, which needs Manage Roles and a \
                     role of your own above it",
                ));
            }
            review.tasks.push(Task::GrantRole {
                guild: review.guild,
                user: submission.user,
                role,
                application: review.id,
            });
        }
        let body = json!({
            "event": "reviewed",
            "guild_id": review.guild,
            "user_id": submission.user,
            "reviewer_id": review.reviewer,
            "proccessed_type": review.decision,
            "note": review.note,
            "at": now,
        });
        let hooks = outbox::webhooks(&self.parts.webhooks, review.guild, "reviewed:$id", &body);
        review.tasks.extend(hooks);
        match store.review(review, now).await? {
            Ok(reviewed) => Ok(reviewed),
            Err(ReviewRefusal::Unknown) => Err(no_application()),
            Err(ReviewRefusal::Conflict { current }) => {
                let status = current.status.name();
                let refusal = Refusal::new(
                    ErrorCode::Conflict,
                    format!("the application is {status} by now"),
                );
                let refusal = refusal
                    .with(ErrorDetail::Status, status)
                    .with(ErrorDetail::Reviewer, json!(current.reviewer));
                Err(NotDone::Refused(refusal))
            }
        }
    }

    async fn must_be_member(&self, guild: GuildId, user: UserId) -> Result<(), Refusal> {
        match self.parts.hub.standing(guild, user).await?.standing {
            Standing::Member(_) => Ok(()),
            Standing::Outsider => Err(Refusal::new(
                ErrorCode::Forbidden,
                "only members of the guild can apply",
            )),
        }
    }

    /// Which roles the user may give, who must manage the guild.
    async fn must_manage(&self, guild: GuildId, user: UserId) -> Result<Grants, Refusal> {
        let rights = self.parts.hub.standing(guild, user).await?;
        if rights.standing.permissions().manages_guild() {
            Ok(rights.grants)
        } else {
            Err(Refusal::new(
                ErrorCode::Forbidden,
                "reviewing needs Manage Server, Administrator or ownership",
            ))
        }
    }
}

/// A refusal is an answer of the database's too: only its failures are failures.
async fn flat<T>(
    done: impl Future<Output = Result<T, NotDone>>,
) -> Result<Result<T, Refusal>, StoreError> {
    match done.await {
        Ok(done) => Ok(Ok(done)),
        Err(NotDone::Refused(refusal)) => Ok(Err(refusal)),
        Err(NotDone::Store(error)) => Err(error),
    }
}

fn answer_of(done: Result<Result<Value, Refusal>, NoAnswer>) -> Answer {
    match done {
        Ok(Ok(data)) => {
            let text = data.to_string();
            Answer::Done(RawValue::from_string(text).expect("a value is JSON"))
        }
        Ok(Err(refusal)) => Answer::Refused(refusal),
        Err(NoAnswer) => super::unavailable("the application could not be kept"),
    }
}

fn refuse(code: ErrorCode, message: &str) -> NotDone {
    NotDone::Refused(Refusal::new(code, message))
}

fn full() -> NotDone {
    refuse(ErrorCode::Full, "this guild takes no more applications")
}

fn no_application() -> NotDone {
    refuse(
        ErrorCode::BadRequest,
        "id: there is no such application in this guild",
    )
}
