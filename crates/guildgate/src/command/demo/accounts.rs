//! The demo's tokens: issued once, and kept beside the database, so that what was copied from
//! one run still works in the next.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guildgate_model::{Secret, TokenKind};
use guildgate_server::{clock::Clock, config::Config};
use guildgate_store::{NewToken, Owner, Store, Uses};
use serde::{Deserialize, Serialize};

use super::{GUILDS, KEPT_FILE, PEOPLE};
use crate::{exit::Failure, sources::database};

/// What the demo shows again when it is started anew.
#[derive(Serialize, Deserialize, Default)]
pub struct Kept {
    pub admin_key: String,
    /// Basic access for everyone.
    #[serde(default)]
    pub global: String,
    #[serde(default)]
    pub guilds: Vec<DemoGuild>,
    #[serde(default)]
    pub accounts: Vec<Account>,
}

/// A guild, and a token of kind gatewayGuild that is never used up.
#[derive(Serialize, Deserialize, Clone, Default)]
pub struct DemoGuild {
    pub id: String,
    pub name: String,
    pub token: String,
}

/// Somebody of the demo's world, with tokens of kind gatewayUser and user.
#[derive(Serialize, Deserialize, Clone, Default)]
pub struct Account {
    pub uid: String,
    pub tag: String,
    pub about: String,
    pub token: String,
    pub user_token: String,
}

/// Reads what was kept, issues what is missing or no longer good, and keeps it.
pub async fn prepare(config: &Config, store: &dyn Store) -> Result<Kept, Failure> {
    let path = config.data.join(KEPT_FILE);
    let before = read(&path);
    let issuer = Issuer {
        store,
        clock: Clock::start(),
    };
    let admin_key = match &config.admin_key {
        Some(key) => key.expose().to_owned(),
        None if before.admin_key.is_empty() => URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>()),
        None => before.admin_key.clone(),
    };
    let mut kept = Kept {
        admin_key,
        global: issuer.good(&before.global, TokenKind::Global, None).await?,
        ..Kept::default()
    };
    for (id, name) in GUILDS {
        let id_text = id.to_string();
        let old = before.guilds.iter().find(|guild| guild.id == id_text);
        let old = old.cloned().unwrap_or_default();
        kept.guilds.push(DemoGuild {
            id: id_text,
            name: name.to_owned(),
            token: issuer
                .good(&old.token, TokenKind::GatewayGuild, Some(id.0))
                .await?,
        });
    }
    for (user, tag, about) in PEOPLE {
        let uid = user.to_string();
        let old = before.accounts.iter().find(|account| account.uid == uid);
        let old = old.cloned().unwrap_or_default();
        let owner = Some(user.0);
        kept.accounts.push(Account {
            uid,
            tag: tag.to_owned(),
            about: about.to_owned(),
            token: issuer
                .good(&old.token, TokenKind::GatewayUser, owner)
                .await?,
            user_token: issuer.good(&old.user_token, TokenKind::User, owner).await?,
        });
    }
    write(&path, &kept)
        .with_context(|| format!("cannot keep the demo's tokens in {}", path.display()))
        .map_err(Failure::other)?;
    Ok(kept)
}

struct Issuer<'a> {
    store: &'a dyn Store,
    clock: Clock,
}

impl Issuer<'_> {
    /// The token as it was, if it is still good; a new one otherwise.
    async fn good(
        &self,
        before: &str,
        kind: TokenKind,
        owner: Option<u64>,
    ) -> Result<String, Failure> {
        let now = self.clock.now().wall;
        if !before.is_empty() {
            let secret = Secret::new(before);
            let whose = owner.map_or(Owner::Any, Owner::Id);
            let found = self
                .store
                .inspect_token(&secret, kind, whose, now)
                .await
                .map_err(database)?;
            if found.is_ok() {
                return Ok(before.to_owned());
            }
        }
        let new = NewToken {
            kind,
            owner,
            uses: Uses::Unlimited,
            expires_at: None,
        };
        let (_, secret) = self.store.issue_token(new, now).await.map_err(database)?;
        Ok(secret.expose().to_owned())
    }
}

/// What was kept; nothing if there is no such file, or it does not read.
fn read(path: &Path) -> Kept {
    fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// For the owner's eyes only: these are tokens.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(kept).map_err(io::Error::other)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&text)
}
