//! Documents and their versions, over SQL.

use async_trait::async_trait;
use guildgate_model::{Form, GuildId, Revision, UnixMs, UserId, form};
use serde_json::{Value as Json, json};

use super::{audit, bounds, feed, listed, submissions};
use crate::{
    AppendPatch, Appended, AuditAction, AuditEntry, ChangeKind, Document, DocumentKey,
    DocumentVersion, Documents, Listed, PAGE_MAX, Page, PatchId, PatchRefusal, RestoreVersion,
    StoreError,
    engine::{Engine, SqlStore},
    sql::{Row, Sql, Turn, params},
};

/// How many versions of a draft are kept: enough to know a patch that is sent again, and to
/// rebase one that is late.
const DRAFT_VERSIONS_MAX: u64 = 64;

/// How many forms are looked at at a time, for their opening time.
const FORMS_PAGE: u32 = 64;

/// The columns of a [`DocumentVersion`], in the order in which [`read_version_row`] takes them.
macro_rules! columns {
    () => {
        "revision, actor, at, patch, patch_id"
    };
}

#[async_trait]
impl<E: Engine> Documents for SqlStore<E> {
    async fn read_document(&self, key: DocumentKey) -> Result<Option<Document>, StoreError> {
        self.engine
            .read("reading a document", move |sql| newest(sql, key))
            .await
    }

    async fn open_document(
        &self,
        key: DocumentKey,
        initial: Json,
        now: UnixMs,
    ) -> Result<Document, StoreError> {
        if let Some(document) = self.read_document(key).await? {
            return Ok(document);
        }
        self.engine
            .write("beginning a document", move |sql| {
                begin(sql, key, &initial, now)
            })
            .await
    }

    async fn append_patch(
        &self,
        patch: AppendPatch,
        now: UnixMs,
    ) -> Result<Result<Appended, PatchRefusal>, StoreError> {
        self.engine
            .write("taking a patch", move |sql| append(sql, &patch, now))
            .await
    }

    async fn restore_version(
        &self,
        restore: RestoreVersion,
        now: UnixMs,
    ) -> Result<Result<Document, PatchRefusal>, StoreError> {
        self.engine
            .write("restoring a version", move |sql| {
                bring_back(sql, &restore, now)
            })
            .await
    }

    async fn read_version(
        &self,
        key: DocumentKey,
        revision: Revision,
    ) -> Result<Option<Document>, StoreError> {
        self.engine
            .read("reading a version", move |sql| at(sql, key, revision))
            .await
    }

    async fn list_versions(
        &self,
        key: DocumentKey,
        page: Page,
    ) -> Result<Listed<DocumentVersion>, StoreError> {
        self.engine
            .read("listing versions", move |sql| {
                let (guild, user) = columns_of(key);
                let (before, limit) = bounds(page);
                let rows = sql.query(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM document_versions
                        WHERE guild = $1 AND user_id = $2 AND revision < $3
                        ORDER BY revision DESC LIMIT $4"
                    ),
                    params![guild, user, before, limit],
                )?;
                listed(&rows, page, read_version_row, |version| version.revision.0)
            })
            .await
    }

    async fn versions_after(
        &self,
        key: DocumentKey,
        base: Revision,
        limit: u32,
    ) -> Result<Vec<DocumentVersion>, StoreError> {
        self.engine
            .read("reading versions", move |sql| {
                let (guild, user) = columns_of(key);
                sql.query(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM document_versions
                        WHERE guild = $1 AND user_id = $2 AND revision > $3
                        ORDER BY revision LIMIT $4"
                    ),
                    params![guild, user, base, limit.min(PAGE_MAX)],
                )?
                .iter()
                .map(read_version_row)
                .collect()
            })
            .await
    }

    async fn opening_forms(&self) -> Result<Vec<(GuildId, UnixMs)>, StoreError> {
        self.engine
            .read("looking for forms that open by themselves", opening)
            .await
    }

    async fn discard_document(&self, key: DocumentKey) -> Result<(), StoreError> {
        self.engine
            .write("discarding a document", move |sql| discard(sql, key))
            .await
    }
}

/// How a key is kept: the guild, and the user or 0, which is nobody's id.
fn columns_of(key: DocumentKey) -> (i64, i64) {
    match key {
        DocumentKey::Form(guild) => (guild.0.cast_signed(), 0),
        DocumentKey::Draft(guild, user) => (guild.0.cast_signed(), user.0.cast_signed()),
    }
}

pub(super) fn await_turn(sql: &mut dyn Sql, key: DocumentKey) -> Result<(), StoreError> {
    let (guild, user) = columns_of(key);
    sql.await_turn(Turn::Document(guild, user))
}

pub(super) fn newest(sql: &mut dyn Sql, key: DocumentKey) -> Result<Option<Document>, StoreError> {
    let (guild, user) = columns_of(key);
    let rows = sql.query(
        "SELECT d.revision, v.content FROM documents d JOIN document_versions v
          ON v.guild = d.guild AND v.user_id = d.user_id AND v.revision = d.revision
        WHERE d.guild = $1 AND d.user_id = $2",
        params![guild, user],
    )?;
    rows.first().map(read_document_row).transpose()
}

/// Without the content, which can be large.
pub(super) fn newest_revision(
    sql: &mut dyn Sql,
    key: DocumentKey,
) -> Result<Option<Revision>, StoreError> {
    let (guild, user) = columns_of(key);
    let rows = sql.query(
        "SELECT revision FROM documents WHERE guild = $1 AND user_id = $2",
        params![guild, user],
    )?;
    rows.first().map(|row| row.id(0).map(Revision)).transpose()
}

fn at(
    sql: &mut dyn Sql,
    key: DocumentKey,
    revision: Revision,
) -> Result<Option<Document>, StoreError> {
    let (guild, user) = columns_of(key);
    let rows = sql.query(
        "SELECT revision, content FROM document_versions
        WHERE guild = $1 AND user_id = $2 AND revision = $3",
        params![guild, user, revision],
    )?;
    rows.first().map(read_document_row).transpose()
}

fn begin(
    sql: &mut dyn Sql,
    key: DocumentKey,
    initial: &Json,
    now: UnixMs,
) -> Result<Document, StoreError> {
    await_turn(sql, key)?;
    if let Some(document) = newest(sql, key)? {
        return Ok(document);
    }
    let (guild, user) = columns_of(key);
    sql.execute(
        "INSERT INTO documents (guild, user_id, revision) VALUES ($1, $2, $3)",
        params![guild, user, Revision::FIRST],
    )?;
    sql.execute(
        "INSERT INTO document_versions (guild, user_id, revision, at, content)
        VALUES ($1, $2, $3, $4, $5)",
        params![guild, user, Revision::FIRST, now, initial],
    )?;
    announce(sql, key, Revision::FIRST, now)?;
    Ok(Document {
        revision: Revision::FIRST,
        content: initial.clone(),
    })
}

fn append(
    sql: &mut dyn Sql,
    patch: &AppendPatch,
    now: UnixMs,
) -> Result<Result<Appended, PatchRefusal>, StoreError> {
    await_turn(sql, patch.key)?;
    if let Some(revision) = taken_before(sql, patch)? {
        return Ok(Ok(Appended::Before(revision)));
    }
    if let Err(refusal) = check_base(sql, patch.key, patch.base)? {
        return Ok(Err(refusal));
    }
    if let DocumentKey::Form(guild) = patch.key
        && let Some(renamed) = submissions::answered(sql, guild, &patch.renamed)?
    {
        return Ok(Err(PatchRefusal::Answered(renamed)));
    }
    let revision = patch.base.next();
    write_version(sql, patch, revision, now)?;
    if let DocumentKey::Form(guild) = patch.key {
        let entry = AuditEntry {
            id: 0,
            guild,
            at: now,
            actor: Some(patch.actor),
            action: AuditAction::FormChanged,
            detail: json!({ "apv": revision }),
        };
        audit::append(sql, &entry)?;
    }
    announce(sql, patch.key, revision, now)?;
    Ok(Ok(Appended::New(revision)))
}

fn taken_before(sql: &mut dyn Sql, patch: &AppendPatch) -> Result<Option<Revision>, StoreError> {
    let Some(PatchId(id)) = &patch.patch_id else {
        return Ok(None);
    };
    let (guild, user) = columns_of(patch.key);
    let rows = sql.query(
        "SELECT revision FROM document_versions
        WHERE guild = $1 AND user_id = $2 AND actor = $3 AND patch_id = $4",
        params![guild, user, patch.actor, &**id],
    )?;
    rows.first().map(|row| row.id(0).map(Revision)).transpose()
}

/// Whether `base` is the newest version.
fn check_base(
    sql: &mut dyn Sql,
    key: DocumentKey,
    base: Revision,
) -> Result<Result<(), PatchRefusal>, StoreError> {
    Ok(match newest_revision(sql, key)? {
        Some(revision) if revision == base => Ok(()),
        Some(_) => {
            Err(
                newest(sql, key)?.map_or(PatchRefusal::Unknown, |newest| PatchRefusal::Conflict {
                    newest,
                }),
            )
        }
        None => Err(PatchRefusal::Unknown),
    })
}

fn write_version(
    sql: &mut dyn Sql,
    patch: &AppendPatch,
    revision: Revision,
    now: UnixMs,
) -> Result<(), StoreError> {
    let (guild, user) = columns_of(patch.key);
    sql.execute(
        "INSERT INTO document_versions
          (guild, user_id, revision, actor, at, patch, patch_id, content)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            guild,
            user,
            revision,
            patch.actor,
            now,
            &patch.patch,
            patch.patch_id.as_ref().map(|id| &*id.0),
            &patch.content
        ],
    )?;
    sql.execute(
        "UPDATE documents SET revision = $3 WHERE guild = $1 AND user_id = $2",
        params![guild, user, revision],
    )?;
    if let DocumentKey::Draft(..) = patch.key {
        sql.execute(
            "DELETE FROM document_versions
            WHERE guild = $1 AND user_id = $2 AND revision <= $3",
            params![guild, user, revision.0.saturating_sub(DRAFT_VERSIONS_MAX)],
        )?;
    }
    Ok(())
}

fn bring_back(
    sql: &mut dyn Sql,
    restore: &RestoreVersion,
    now: UnixMs,
) -> Result<Result<Document, PatchRefusal>, StoreError> {
    await_turn(sql, restore.key)?;
    if let Err(refusal) = check_base(sql, restore.key, restore.base)? {
        return Ok(Err(refusal));
    }
    let Some(wanted) = at(sql, restore.key, restore.wanted)? else {
        return Ok(Err(PatchRefusal::Unknown));
    };
    if let DocumentKey::Form(guild) = restore.key
        && let Some(newest) = at(sql, restore.key, restore.base)?
    {
        let renamed = form::renamed(&newest.content, &wanted.content);
        if let Some(renamed) = submissions::answered(sql, guild, &renamed)? {
            return Ok(Err(PatchRefusal::Answered(renamed)));
        }
    }
    let revision = restore.base.next();
    let patch = AppendPatch {
        key: restore.key,
        base: restore.base,
        patch: json!([{ "op": "replace", "path": "", "value": wanted.content }]),
        content: wanted.content,
        actor: restore.actor,
        patch_id: None,
        renamed: Vec::new(),
    };
    write_version(sql, &patch, revision, now)?;
    if let DocumentKey::Form(guild) = restore.key {
        let entry = AuditEntry {
            id: 0,
            guild,
            at: now,
            actor: Some(restore.actor),
            action: AuditAction::FormRestored,
            detail: json!({ "apv": revision, "restored": restore.wanted }),
        };
        audit::append(sql, &entry)?;
    }
    announce(sql, restore.key, revision, now)?;
    Ok(Ok(Document {
        revision,
        content: patch.content,
    }))
}

/// The database looks for the status as a text; whether it is the form's own is seen here, a
/// few forms at a time, since each can be large.
fn opening(sql: &mut dyn Sql) -> Result<Vec<(GuildId, UnixMs)>, StoreError> {
    let mut found = Vec::new();
    let mut after = i64::MIN;
    loop {
        let rows = sql.query(
            "SELECT d.guild, v.content FROM documents d JOIN document_versions v
              ON v.guild = d.guild AND v.user_id = d.user_id AND v.revision = d.revision
            WHERE d.user_id = 0 AND d.guild > $1 AND v.content LIKE '%\"status\":3%'
            ORDER BY d.guild LIMIT $2",
            params![after, FORMS_PAGE],
        )?;
        for row in &rows {
            let form = Form::check(&row.json(1)?).ok();
            let opens_at = form.and_then(|form| form.status.opens_at());
            let guild = GuildId(row.id(0)?);
            found.extend(opens_at.map(|at| (guild, at)));
            after = row.int(0)?;
        }
        if rows.len() < FORMS_PAGE as usize {
            return Ok(found);
        }
    }
}

fn discard(sql: &mut dyn Sql, key: DocumentKey) -> Result<(), StoreError> {
    await_turn(sql, key)?;
    let (guild, user) = columns_of(key);
    sql.execute(
        "DELETE FROM documents WHERE guild = $1 AND user_id = $2",
        params![guild, user],
    )?;
    sql.execute(
        "DELETE FROM document_versions WHERE guild = $1 AND user_id = $2",
        params![guild, user],
    )?;
    Ok(())
}

/// Empties a draft whose answers were handed in, and forgets what was written before. The
/// versions go on counting, so that whoever has it open sees the next one; the turn is the
/// caller's.
pub(super) fn begin_anew(
    sql: &mut dyn Sql,
    guild: GuildId,
    user: UserId,
    now: UnixMs,
) -> Result<(), StoreError> {
    let key = DocumentKey::Draft(guild, user);
    let Some(base) = newest_revision(sql, key)? else {
        return Ok(());
    };
    let empty = json!({});
    let patch = AppendPatch {
        key,
        base,
        patch: json!([{ "op": "replace", "path": "", "value": empty }]),
        content: empty,
        actor: user,
        patch_id: None,
        renamed: Vec::new(),
    };
    let revision = base.next();
    write_version(sql, &patch, revision, now)?;
    sql.execute(
        "DELETE FROM document_versions
        WHERE guild = $1 AND user_id = $2 AND revision < $3",
        params![guild, user, revision],
    )?;
    announce(sql, key, revision, now)
}

fn announce(
    sql: &mut dyn Sql,
    key: DocumentKey,
    revision: Revision,
    now: UnixMs,
) -> Result<(), StoreError> {
    feed::append(sql, &ChangeKind::DocumentChanged { key, revision }, now)
}

fn read_document_row(row: &Row) -> Result<Document, StoreError> {
    Ok(Document {
        revision: Revision(row.id(0)?),
        content: row.json(1)?,
    })
}

fn read_version_row(row: &Row) -> Result<DocumentVersion, StoreError> {
    Ok(DocumentVersion {
        revision: Revision(row.id(0)?),
        actor: row.id_opt(1)?.map(UserId),
        at: row.time(2)?,
        patch: row.json_opt(3)?,
        patch_id: row.text_opt(4)?.map(|id| PatchId(id.into())),
    })
}
