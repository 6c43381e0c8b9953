//! Submitted applications, and their reviews.

use async_trait::async_trait;
use guildgate_model::{
    ApplicationId, Decision, Form, GuildId, Notification, Revision, SubmissionStatus, UnixMs,
    UserId,
};
use serde_json::Value;

use crate::{Listed, Page, StoreError, Task};

/// An application to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSubmission {
    /// Where.
    pub guild: GuildId,
    /// By whom.
    pub user: UserId,
    /// The form's version that it answers: `apv`.
    pub revision: Revision,
    /// The answers, already found to fit the form.
    pub answers: Value,
    /// The form's newest version when that was found; none if the guild had no form. It must
    /// still be, unless the newest judges as `form` does.
    pub judged_by: Option<Revision>,
    /// What that version was, so that an application need not wait for people to stop retitling
    /// the form.
    pub form: Option<Form>,
    /// How many the guild takes in all, where the form is open up to a limit. Withdrawn ones
    /// don't count.
    pub limit: Option<u32>,
    /// Only submissions from then on count towards `limit`; all of them if none. This one
    /// does, whatever the clock says.
    pub counted_since: Option<UnixMs>,
    /// What is to be done about it elsewhere, in the same transaction (web hooks). A
    /// [`Task::Webhook`] names its event by the submission's id: see [`Task`].
    pub tasks: Vec<Task>,
}

/// An application was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub id: ApplicationId,
    /// How many count towards the limit by now, this one included; the limit itself once full.
    /// Zero where no limit was given.
    pub taken: u32,
}

/// Why an application was not submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitRefusal {
    /// The user has one waiting in this guild, pending or on hold.
    #[error("this user's application {0} waits for review already")]
    Duplicate(ApplicationId),
    /// The guild has as many as it takes.
    #[error("no more applications are taken")]
    Full,
    /// The form is another one by now: to be judged again.
    #[error("the form has changed meanwhile")]
    FormChanged,
}

/// A submitted application.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Its id.
    pub id: ApplicationId,
    /// Where.
    pub guild: GuildId,
    /// By whom.
    pub user: UserId,
    /// The form's version that it answers.
    pub revision: Revision,
    /// The answers.
    pub answers: Value,
    /// What has become of it.
    pub status: SubmissionStatus,
    /// When it was submitted.
    pub submitted_at: UnixMs,
    /// When it was last reviewed or withdrawn.
    pub decided_at: Option<UnixMs>,
    /// Who last reviewed it.
    pub reviewer: Option<UserId>,
    /// What they wrote.
    pub note: Option<Box<str>>,
}

/// Which submissions to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubmissionFilter {
    /// Only those.
    pub status: Option<SubmissionStatus>,
    /// Only this user's.
    pub user: Option<UserId>,
}

/// A review to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// Where.
    pub guild: GuildId,
    /// Of which submission.
    pub id: ApplicationId,
    /// The decision.
    pub decision: Decision,
    /// What the reviewer writes to the applicant.
    pub note: Option<Box<str>>,
    /// Who reviews.
    pub reviewer: UserId,
    /// The status that the reviewer saw; must still be. Without it
    /// [`SubmissionStatus::reviewed`] says which reviews come too late.
    pub expected: Option<SubmissionStatus>,
    /// What is to be done about it elsewhere, in the same transaction: a role, and web hooks,
    /// whose event is named by the notification's id.
    pub tasks: Vec<Task>,
}

/// A review was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    /// The submission as it is now.
    pub submission: Submission,
    /// What was put into the applicant's inbox.
    pub notification: Notification,
}

/// Why a review was not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReviewRefusal {
    /// No such submission in this guild.
    #[error("no such application")]
    Unknown,
    /// Somebody was first, or it is final.
    #[error("the application is {} by now", current.status.name())]
    Conflict {
        /// The submission as it is.
        current: Box<Submission>,
    },
}

/// Why a submission was not withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawRefusal {
    /// The user has no such submission in this guild.
    #[error("no such application of this user")]
    Unknown,
    /// It is final.
    #[error("the application is {} by now", .0.name())]
    Final(SubmissionStatus),
}

/// Submitted applications, and their reviews.
#[async_trait]
pub trait Submissions: Send + Sync {
    /// Submits an application, with its tasks, its audit row and its entry in the feed. The
    /// user's draft, if there is one, is emptied by a version of its own; those before are gone.
    ///
    /// Atomic: of any number at once a user has one, and a guild exactly its limit.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed. A refusal is `Ok(Err(_))`.
    async fn submit(
        &self,
        new: NewSubmission,
        now: UnixMs,
    ) -> Result<Result<Submitted, SubmitRefusal>, StoreError>;

    /// A submission of a guild.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn read_submission(
        &self,
        guild: GuildId,
        id: ApplicationId,
    ) -> Result<Option<Submission>, StoreError>;

    /// Submissions of a guild, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn list_submissions(
        &self,
        guild: GuildId,
        filter: SubmissionFilter,
        page: Page,
    ) -> Result<Listed<Submission>, StoreError>;

    /// How many of a guild's submissions count towards a limit.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed.
    async fn count_submissions(
        &self,
        guild: GuildId,
        counted_since: Option<UnixMs>,
    ) -> Result<u32, StoreError>;

    /// Takes a submission back, for its applicant.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed. A refusal is `Ok(Err(_))`.
    async fn withdraw(
        &self,
        guild: GuildId,
        id: ApplicationId,
        user: UserId,
        now: UnixMs,
    ) -> Result<Result<Submission, WithdrawRefusal>, StoreError>;

    /// Reviews a submission: its status, the applicant's notification, the audit row, the tasks
    /// and the feed's entries, all or nothing. Of several at once one wins.
    ///
    /// # Errors
    /// [`StoreError`] if the database failed. A refusal is `Ok(Err(_))`.
    async fn review(
        &self,
        review: Review,
        now: UnixMs,
    ) -> Result<Result<Reviewed, ReviewRefusal>, StoreError>;
}
