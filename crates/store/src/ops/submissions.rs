//! Submissions and reviews, over SQL.

use async_trait::async_trait;
use guildgate_model::{
    ApplicationId, Form, GuildId, LastReview, NewReview, Revision, SubmissionStatus, UnixMs,
    UserId,
    form::{FieldId, Renamed},
};
use serde_json::json;

use super::{audit, bounds, documents, feed, inbox, listed, one, outbox};
use crate::{
    AuditAction, AuditEntry, ChangeKind, DocumentKey, Listed, NewNotification, NewSubmission, Page,
    Review, ReviewRefusal, Reviewed, StoreError, Submission, SubmissionFilter, Submissions,
    SubmitRefusal, Submitted, WithdrawRefusal,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, Turn, params},
};

/// The columns of a [`Submission`], in the order in which [`read_row`] takes them.
macro_rules! columns {
    () => {
        "id, guild, user_id, revision, answers, status, submitted_at, decided_at, reviewer, note"
    };
}

/// How many answers are looked at at a time, for a field's id.
const ANSWERS_PAGE: u32 = 64;

#[async_trait]
impl<E: Engine> Submissions for SqlStore<E> {
    async fn submit(
        &self,
        new: NewSubmission,
        now: UnixMs,
    ) -> Result<Result<Submitted, SubmitRefusal>, StoreError> {
        self.engine
            .write("submitting an application", move |sql| {
                submit(sql, &new, now)
            })
            .await
    }

    async fn read_submission(
        &self,
        guild: GuildId,
        id: ApplicationId,
    ) -> Result<Option<Submission>, StoreError> {
        self.engine
            .read("reading an application", move |sql| read(sql, guild, id))
            .await
    }

    async fn list_submissions(
        &self,
        guild: GuildId,
        filter: SubmissionFilter,
        page: Page,
    ) -> Result<Listed<Submission>, StoreError> {
        self.engine
            .read("listing applications", move |sql| {
                let (before, limit) = bounds(page);
                let rows = sql.query(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM submissions WHERE guild = $1
                          AND (CAST($2 AS TEXT) IS NULL OR status = $2)
                          AND (CAST($3 AS BIGINT) IS NULL OR user_id = $3) AND id < $4
                        ORDER BY id DESC LIMIT $5"
                    ),
                    params![
                        guild,
                        filter.status.map(SubmissionStatus::name),
                        filter.user,
                        before,
                        limit
                    ],
                )?;
                listed(&rows, page, read_row, |submission| submission.id.0)
            })
            .await
    }

    async fn count_submissions(
        &self,
        guild: GuildId,
        counted_since: Option<UnixMs>,
    ) -> Result<u32, StoreError> {
        self.engine
            .read("counting applications", move |sql| {
                count(sql, guild, counted_since)
            })
            .await
    }

    async fn withdraw(
        &self,
        guild: GuildId,
        id: ApplicationId,
        user: UserId,
        now: UnixMs,
    ) -> Result<Result<Submission, WithdrawRefusal>, StoreError> {
        self.engine
            .write("withdrawing an application", move |sql| {
                withdraw(sql, guild, id, user, now)
            })
            .await
    }

    async fn review(
        &self,
        review: Review,
        now: UnixMs,
    ) -> Result<Result<Reviewed, ReviewRefusal>, StoreError> {
        self.engine
            .write("reviewing an application", move |sql| {
                decide(sql, &review, now)
            })
            .await
    }
}

fn submit(
    sql: &mut dyn Sql,
    new: &NewSubmission,
    now: UnixMs,
) -> Result<Result<Submitted, SubmitRefusal>, StoreError> {
    let form = DocumentKey::Form(new.guild);
    documents::await_turn(sql, form)?;
    documents::await_turn(sql, DocumentKey::Draft(new.guild, new.user))?;
    let is_newest = documents::newest_revision(sql, form)? == new.judged_by;
    if !is_newest {
        let newest = documents::newest(sql, form)?;
        let newest = newest.and_then(|newest| Form::check(&newest.content).ok());
        let both = newest.zip(new.form.as_ref());
        if !both.is_some_and(|(newest, judged)| newest.judges_as(judged)) {
            return Ok(Err(SubmitRefusal::FormChanged));
        }
    }
    sql.await_turn(Turn::Submissions(new.guild))?;
    let waiting = sql.query(
        "SELECT id FROM submissions
        WHERE guild = $1 AND user_id = $2 AND status IN ('pending', 'on_hold')",
        params![new.guild, new.user],
    )?;
    if let Some(row) = waiting.first() {
        let id = ApplicationId(row.id(0)?);
        return Ok(Err(SubmitRefusal::Duplicate(id)));
    }
    let taken = match new.limit {
        None => 0,
        Some(limit) => {
            let taken = count(sql, new.guild, new.counted_since)?;
            if taken >= limit {
                // Another season may have begun meanwhile, with the same limit.
                return Ok(Err(if is_newest {
                    SubmitRefusal::Full
                } else {
                    SubmitRefusal::FormChanged
                }));
            }
            taken + 1
        }
    };
    let rows = sql.query(
        "INSERT INTO submissions (guild, user_id, revision, answers, status, submitted_at)
        VALUES ($1, $2, $3, $4, 'pending', $5) RETURNING id",
        params![
            new.guild,
            new.user,
            new.revision,
            &new.answers,
            new.counted_since.map_or(now, |since| since.max(now))
        ],
    )?;
    let id = ApplicationId(one(&rows)?.id(0)?);
    let entry = AuditEntry {
        id: 0,
        guild: new.guild,
        at: now,
        actor: Some(new.user),
        action: AuditAction::Submitted,
        detail: json!({ "id": id, "apv": new.revision }),
    };
    audit::append(sql, &entry)?;
    for task in &new.tasks {
        outbox::insert(sql, &outbox::named(task, id.0, id), now)?;
    }
    documents::begin_anew(sql, new.guild, new.user, now)?;
    let change = ChangeKind::Submitted {
        guild: new.guild,
        id,
        user: new.user,
    };
    feed::append(sql, &change, now)?;
    Ok(Ok(Submitted { id, taken }))
}

fn read(
    sql: &mut dyn Sql,
    guild: GuildId,
    id: ApplicationId,
) -> Result<Option<Submission>, StoreError> {
    let rows = sql.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM submissions WHERE id = $1 AND guild = $2"
        ),
        params![id, guild],
    )?;
    rows.first().map(read_row).transpose()
}

fn count(
    sql: &mut dyn Sql,
    guild: GuildId,
    counted_since: Option<UnixMs>,
) -> Result<u32, StoreError> {
    let rows = sql.query(
        "SELECT count(*) FROM submissions
        WHERE guild = $1 AND status <> 'withdrawn' AND submitted_at >= $2",
        params![guild, counted_since.unwrap_or(UnixMs(i64::MIN))],
    )?;
    one(&rows)?.count(0)
}

fn withdraw(
    sql: &mut dyn Sql,
    guild: GuildId,
    id: ApplicationId,
    user: UserId,
    now: UnixMs,
) -> Result<Result<Submission, WithdrawRefusal>, StoreError> {
    sql.await_turn(Turn::Submissions(guild))?;
    let Some(found) = read(sql, guild, id)?.filter(|found| found.user == user) else {
        return Ok(Err(WithdrawRefusal::Unknown));
    };
    if let Err(late) = found.status.withdrawn() {
        return Ok(Err(WithdrawRefusal::Final(late.0)));
    }
    let rows = sql.query(
        concat!(
            "UPDATE submissions SET status = 'withdrawn', decided_at = $2
            WHERE id = $1 RETURNING ",
            columns!()
        ),
        params![id, now],
    )?;
    let submission = read_row(one(&rows)?)?;
    let entry = AuditEntry {
        id: 0,
        guild,
        at: now,
        actor: Some(user),
        action: AuditAction::Withdrawn,
        detail: json!({ "id": id }),
    };
    audit::append(sql, &entry)?;
    announce(sql, &submission, now)?;
    Ok(Ok(submission))
}

fn decide(
    sql: &mut dyn Sql,
    review: &Review,
    now: UnixMs,
) -> Result<Result<Reviewed, ReviewRefusal>, StoreError> {
    sql.await_turn(Turn::Submissions(review.guild))?;
    let Some(current) = read(sql, review.guild, review.id)? else {
        return Ok(Err(ReviewRefusal::Unknown));
    };
    let last = current.reviewer.zip(current.decided_at);
    let last = last.map(|(reviewer, at)| LastReview { reviewer, at });
    let made = current.status.reviewed(
        last,
        &NewReview {
            decision: review.decision,
            reviewer: review.reviewer,
            expected: review.expected,
            at: now,
        },
    );
    let Ok(status) = made else {
        return Ok(Err(ReviewRefusal::Conflict {
            current: Box::new(current),
        }));
    };
    let rows = sql.query(
        concat!(
            "UPDATE submissions SET status = $2, decided_at = $3, reviewer = $4, note = $5
            WHERE id = $1 RETURNING ",
            columns!()
        ),
        params![
            review.id,
            status.name(),
            now,
            review.reviewer,
            review.note.as_deref()
        ],
    )?;
    let submission = read_row(one(&rows)?)?;
    let entry = AuditEntry {
        id: 0,
        guild: review.guild,
        at: now,
        actor: Some(review.reviewer),
        action: AuditAction::Reviewed,
        detail: json!({
            "id": review.id,
            "user": submission.user,
            "decision": submission.status.name(),
            "note": review.note,
        }),
    };
    audit::append(sql, &entry)?;
    let new = NewNotification {
        user: submission.user,
        decision: review.decision,
        guild: review.guild,
        application: Some(review.id),
        note: review.note.clone(),
    };
    let notification = inbox::insert(sql, &new, now)?;
    for task in &review.tasks {
        outbox::insert(sql, &outbox::named(task, notification.id.0, review.id), now)?;
    }
    announce(sql, &submission, now)?;
    inbox::announce(sql, submission.user, &notification, now)?;
    Ok(Ok(Reviewed {
        submission,
        notification,
    }))
}

fn announce(sql: &mut dyn Sql, submission: &Submission, now: UnixMs) -> Result<(), StoreError> {
    let change = ChangeKind::SubmissionChanged {
        guild: submission.guild,
        id: submission.id,
        user: submission.user,
        status: submission.status,
    };
    feed::append(sql, &change, now)
}

/// The status of this name, as it is kept.
pub(super) fn status_named(name: &str) -> Result<SubmissionStatus, StoreError> {
    name.parse().map_err(|error| StoreError::Corrupt {
        what: format!("an application: {error}"),
    })
}

/// The first of the renamed fields that a submission answers; none comes meanwhile, since the
/// guild's turn is held from here on. Most patches rename nothing, and cost nothing here.
pub(super) fn answered(
    sql: &mut dyn Sql,
    guild: GuildId,
    renamed: &[Renamed],
) -> Result<Option<Renamed>, StoreError> {
    if renamed.is_empty() {
        return Ok(None);
    }
    sql.await_turn(Turn::Submissions(guild))?;
    for field in renamed {
        if is_answered(sql, guild, &field.was)? {
            return Ok(Some(field.clone()));
        }
    }
    Ok(None)
}

/// The database looks for the key as a text; whether it is the answers' own is seen here, a page
/// of them at a time.
fn is_answered(sql: &mut dyn Sql, guild: GuildId, field: &FieldId) -> Result<bool, StoreError> {
    let key = format!("%\"{}\":%", field.as_str().replace('_', "!_"));
    let mut after = 0;
    loop {
        let rows = sql.query(
            "SELECT id, answers FROM submissions
            WHERE guild = $1 AND id > $2 AND answers LIKE $3 ESCAPE '!' ORDER BY id LIMIT $4",
            params![guild, after, key.as_str(), ANSWERS_PAGE],
        )?;
        for row in &rows {
            if row.json(1)?.get(field.as_str()).is_some() {
                return Ok(true);
            }
            after = row.int(0)?;
        }
        if rows.len() < ANSWERS_PAGE as usize {
            return Ok(false);
        }
    }
}

fn read_row(row: &Row) -> Result<Submission, StoreError> {
    Ok(Submission {
        id: ApplicationId(row.id(0)?),
        guild: GuildId(row.id(1)?),
        user: UserId(row.id(2)?),
        revision: Revision(row.id(3)?),
        answers: row.json(4)?,
        status: status_named(row.text(5)?)?,
        submitted_at: row.time(6)?,
        decided_at: row.time_opt(7)?,
        reviewer: row.id_opt(8)?.map(UserId),
        note: row.text_opt(9)?.map(Into::into),
    })
}
