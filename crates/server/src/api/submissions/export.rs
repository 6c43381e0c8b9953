//! All submissions of a guild in one answer, read page by page as it is sent.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use guildgate_model::{Form, GuildId};
use guildgate_store::{DocumentKey, Page, StoreError, Submission, SubmissionFilter};
use http::header;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{SubmissionJson, SubmissionQuery, csv::Table};
use crate::{
    api::{
        Api,
        actor::bad_query,
        extract::{Admin, InPath, InQuery},
    },
    problem::Problem,
};

/// How many submissions are read at a time: what an export holds in memory.
const PAGE: u32 = 200;

/// As what to export.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct FormatQuery {
    /// `csv` or `json`
    #[param(value_type = String, required = true)]
    format: Option<String>,
}

/// Export a guild's submissions
///
/// Newest first, streamed. CSV has a column for each field of the newest form, and for each that
/// is gone from it and was answered; a text that a spreadsheet would take for a formula begins
/// with `'`. An answer that breaks off is not whole: ask again.
#[utoipa::path(
    get,
    path = "/api/v1/guilds/{id}/submissions/export",
    tag = "submissions",
    security(("admin_key" = [])),
    params(("id" = String, Path, description = "The guild's id"), FormatQuery, SubmissionQuery),
    responses(
        (status = 200, description = "All of them", content(
            (String = "text/csv"),
            (Vec<SubmissionJson> = "application/json"),
        )),
        (status = 400, description = "Not an id, or a query that is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No admin key, or a wrong one", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::api) async fn export(
    _: Admin,
    State(api): State<Api>,
    InPath(guild): InPath<GuildId>,
    InQuery(format): InQuery<FormatQuery>,
    InQuery(query): InQuery<SubmissionQuery>,
) -> Result<Response, Problem> {
    let filter = query.filter()?;
    // Before the columns are chosen: what is submitted after this may answer fields that have
    // none, and is left for the next export.
    let first = api
        .store
        .list_submissions(guild, filter, Page::first(PAGE))
        .await?;
    let (name, content_type, format) = match format.format.as_deref() {
        Some("csv") => {
            let table = Format::Csv(table(&api, guild).await?);
            ("csv", "text/csv; charset=utf-8; header=present", table)
        }
        Some("json") => ("json", "application/json", Format::Json),
        Some(_) | None => return Err(bad_query("format", "csv or json")),
    };
    let head = format.head();
    let rest = Rest {
        api,
        guild,
        filter,
        format,
        at: At::Page(first.items, first.next, Some(head)),
    };
    let disposition = format!("attachment; filename=\"submissions-{guild}.{name}\"");
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    let body = Body::from_stream(stream::try_unfold(rest, Rest::step));
    Ok((headers, body).into_response())
}

/// The columns of a guild's export.
async fn table(api: &Api, guild: GuildId) -> Result<Table, StoreError> {
    let answered = api.services.answered_fields(guild).await?;
    let document = api.store.read_document(DocumentKey::Form(guild)).await?;
    let form = document.and_then(|document| Form::check(&document.content).ok());
    Ok(Table::new(form.as_ref(), answered))
}

enum Format {
    Csv(Table),
    Json,
}

impl Format {
    fn head(&self) -> String {
        match self {
            Format::Csv(table) => table.head(),
            Format::Json => "[".to_owned(),
        }
    }

    fn rows(&self, submissions: Vec<Submission>, is_first: bool) -> String {
        let mut text = String::new();
        for (at, submission) in submissions.into_iter().enumerate() {
            match self {
                Format::Csv(table) => table.row(&submission, &mut text),
                Format::Json => {
                    text.push_str(if is_first && at == 0 { "\n" } else { ",\n" });
                    let json = serde_json::to_string(&SubmissionJson::from(submission));
                    text.push_str(&json.expect("a submission is plain JSON"));
                }
            }
        }
        text
    }

    fn tail(&self) -> &'static str {
        match self {
            Format::Csv(_) => "",
            Format::Json => "\n]\n",
        }
    }
}

/// What of an export is still to be sent.
struct Rest {
    api: Api,
    guild: GuildId,
    filter: SubmissionFilter,
    format: Format,
    at: At,
}

enum At {
    /// A page that was read, where the next one begins, and what stands before the first.
    Page(Vec<Submission>, Option<u64>, Option<String>),
    /// The next page is to be read.
    Before(u64),
    End,
}

impl Rest {
    /// The next piece. An error breaks the answer off, so that nobody takes it for the whole.
    async fn step(self) -> Result<Option<(Bytes, Rest)>, StoreError> {
        let (submissions, next, head) = match self.at {
            At::End => return Ok(None),
            At::Page(submissions, next, head) => (submissions, next, head),
            At::Before(before) => {
                let page = Page {
                    before: Some(before),
                    limit: PAGE,
                };
                let listed = self
                    .api
                    .store
                    .list_submissions(self.guild, self.filter, page)
                    .await
                    .inspect_err(|error| {
                        tracing::error!(
                            error = error as &dyn std::error::Error,
                            guild = %self.guild,
                            "an export broke off"
                        );
                    })?;
                (listed.items, listed.next, None)
            }
        };
        let is_first = head.is_some();
        let mut text = head.unwrap_or_default();
        text.push_str(&self.format.rows(submissions, is_first));
        let at = match next {
            Some(before) => At::Before(before),
            None => {
                text.push_str(self.format.tail());
                At::End
            }
        };
        Ok(Some((text.into(), Rest { at, ..self })))
    }
}
