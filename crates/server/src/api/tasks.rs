//! What is to be done elsewhere, as managers see it: how far it is, and once more, please.

use guildgate_model::{GuildId, UnixMs};
use guildgate_store::{OutboxItem, OutboxState, Page, Topic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    actor::bad_query,
    extract::{PageQuery, shown},
};
use crate::problem::{Problem, ProblemKind};

/// Which tasks are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TaskQuery {
    /// Only those: `pending`, `done` or `failed`
    state: Option<String>,
}

impl TaskQuery {
    pub(super) fn state(&self) -> Result<Option<OutboxState>, Problem> {
        match self.state.as_deref() {
            None => Ok(None),
            Some("pending") => Ok(Some(OutboxState::Pending)),
            Some("done") => Ok(Some(OutboxState::Done)),
            Some("failed") => Ok(Some(OutboxState::Failed)),
            Some(_) => Err(bad_query("state", "pending, done or failed")),
        }
    }
}

/// A page of a guild's tasks of one topic, as `show` shows them, and `before` of the next.
pub(super) async fn list<T>(
    api: &Api,
    guild: GuildId,
    topic: Topic,
    query: &TaskQuery,
    page: &PageQuery,
    show: impl Fn(&OutboxItem) -> Option<T>,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let (state, page) = (query.state()?, page.page()?);
    let listed = api.store.list_outbox(guild, topic, state, page).await?;
    Ok(shown(&listed, show))
}

/// How far a task is.
#[derive(Serialize, ToSchema)]
pub(super) struct Progress {
    id: String,
    /// `pending`, `done` or `failed`
    state: &'static str,
    /// How often it was tried
    attempts: u32,
    /// Not tried again before: Unix time, ms; null unless pending
    #[schema(value_type = Option<i64>)]
    next_at: Option<UnixMs>,
    /// What went wrong last
    error: Option<Box<str>>,
    /// Unix time, ms
    #[schema(value_type = i64)]
    created_at: UnixMs,
}

impl From<&OutboxItem> for Progress {
    fn from(item: &OutboxItem) -> Progress {
        Progress {
            id: item.id.to_string(),
            state: match item.state {
                OutboxState::Pending => "pending",
                OutboxState::Done => "done",
                OutboxState::Failed => "failed",
            },
            attempts: item.attempts,
            next_at: (item.state == OutboxState::Pending).then_some(item.next_at),
            error: item.error.clone(),
            created_at: item.created_at,
        }
    }
}

/// Has a failed task tried again, and answers it as it is then.
pub(super) async fn retry(
    api: &Api,
    guild: GuildId,
    topic: Topic,
    id: u64,
) -> Result<OutboxItem, Problem> {
    // The store's own retry knows guilds, not topics: another topic's task is not found here.
    let before = read(api, guild, topic, id).await?;
    let now = api.clock.now().wall;
    let is_retried = before.state == OutboxState::Failed && api.store.retry(guild, id, now).await?;
    let after = read(api, guild, topic, id).await?;
    if is_retried {
        tracing::info!(%guild, task = id, "a failed task is tried again");
        return Ok(after);
    }
    let progress = serde_json::to_value(Progress::from(&after));
    Err(Problem::new(
        ProblemKind::Conflict,
        "it has not failed, so there is nothing to try again; look at `current`",
    )
    .with_current(progress.expect("progress is plain JSON")))
}

async fn read(api: &Api, guild: GuildId, topic: Topic, id: u64) -> Result<OutboxItem, Problem> {
    let page = Page {
        before: id.checked_add(1),
        limit: 1,
    };
    let listed = api.store.list_outbox(guild, topic, None, page).await?;
    let found = listed.items.into_iter().find(|item| item.id == id);
    found.ok_or_else(|| {
        Problem::new(
            ProblemKind::NotFound,
            format!("guild {guild} has no {id} here; GET lists what there is"),
        )
    })
}
