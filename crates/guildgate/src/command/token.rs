//! `guildgate token`.

use std::sync::Arc;

use anyhow::anyhow;
use guildgate_model::{TokenKind, TokenRecord, UnixMs};
use guildgate_server::{clock::Clock, config::Config};
use guildgate_store::{NewToken, PAGE_MAX, Page, Store, TokenFilter, Uses};
use serde_json::{Value, json};

use crate::{
    cli::{Database, Issue, List, Revoke, Token, TokenAction},
    exit::{Code, Failure},
    sources::{database, flag, load, open},
};

pub async fn run(arguments: Token) -> Result<(), Failure> {
    match arguments.action {
        TokenAction::Issue(arguments) => issue(arguments).await,
        TokenAction::List(arguments) => list(arguments).await,
        TokenAction::Revoke(arguments) => revoke(arguments).await,
    }
}

async fn store(of: Database) -> Result<Arc<dyn Store>, Failure> {
    let here = of.data.is_some();
    let flags = flag("--data", "data", of.data).into_iter().collect();
    let config = load(of.config, flags)?;
    // A folder named on the command line is the one that is meant, whatever the environment
    // says of another database.
    let config = Config {
        database_url: config.database_url.filter(|_| !here),
        ..config
    };
    if let Some(file) = config.database_file()
        && !file.exists()
    {
        // Made anew it would take the token, and no gateway would ever know of it.
        return Err(Failure::new(
            Code::Database,
            anyhow!(
                "there is no database at {}: name the gateway's folder with --data or its \
                 configuration with --config; `guildgate serve` or `guildgate demo` makes the \
                 database when it first starts",
                std::path::absolute(&file).unwrap_or(file).display()
            ),
        ));
    }
    open(&config).await
}

async fn issue(arguments: Issue) -> Result<(), Failure> {
    let expected = match arguments.kind {
        TokenKind::User | TokenKind::GatewayUser => Some("user"),
        TokenKind::GatewayGuild => Some("guild"),
        TokenKind::Global => None,
    };
    match (expected, arguments.owner) {
        (Some(whose), None) => {
            let kind = arguments.kind;
            return Err(Failure::other(anyhow!(
                "a token of kind {kind} belongs to a {whose}: say which with --for ID"
            )));
        }
        (None, Some(_)) => {
            return Err(Failure::other(anyhow!(
                "a global token is nobody's: leave --for out"
            )));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let store = store(arguments.database).await?;
    let now = Clock::start().now().wall;
    let new = NewToken {
        kind: arguments.kind,
        owner: arguments.owner,
        uses: arguments.uses.map_or(Uses::OfKind, Uses::Limited),
        expires_at: arguments.ttl.map(|ttl| now + ttl),
    };
    let (record, secret) = store.issue_token(new, now).await.map_err(database)?;
    if arguments.json {
        let mut json = to_json(&record, now);
        json["token"] = secret.expose().into();
        println!("{json}");
    } else {
        println!("{}", secret.expose());
        eprintln!(
            "Token {} ({}). It is shown this once; revoke it with `guildgate token revoke {}`.",
            record.id,
            describe(&record, now),
            record.id
        );
    }
    Ok(())
}

async fn list(arguments: List) -> Result<(), Failure> {
    let store = store(arguments.database).await?;
    let now = Clock::start().now().wall;
    let filter = TokenFilter {
        owner: arguments.owner,
        kind: arguments.kind,
    };
    let mut page = Page::first(PAGE_MAX);
    let mut any = false;
    loop {
        let listed = store.list_tokens(filter, page).await.map_err(database)?;
        for record in &listed.items {
            any = true;
            if arguments.json {
                println!("{}", to_json(record, now));
            } else {
                println!("{}  {}", record.id, describe(record, now));
            }
        }
        match listed.next {
            Some(next) => page.before = Some(next),
            None => break,
        }
    }
    if !any && !arguments.json {
        eprintln!("No tokens; issue one with `guildgate token issue`.");
    }
    Ok(())
}

async fn revoke(arguments: Revoke) -> Result<(), Failure> {
    let store = store(arguments.database).await?;
    let now = Clock::start().now().wall;
    let id = arguments.id;
    match store.revoke_token(id, now).await.map_err(database)? {
        Some(_) => {
            eprintln!("Token {id} is revoked; what it opened is closed within a second.");
            Ok(())
        }
        None => Err(Failure::other(anyhow!(
            "there is no token {id}: `guildgate token list` shows them"
        ))),
    }
}

/// Whether a token is accepted, or why not.
fn state(record: &TokenRecord, now: UnixMs) -> &'static str {
    if record.revoked_at.is_some() {
        "revoked"
    } else if record.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else if record.uses_left == Some(0) {
        "used up"
    } else {
        "good"
    }
}

fn describe(record: &TokenRecord, now: UnixMs) -> String {
    let owner = record.owner.map(|id| format!(" for {id}"));
    let uses = record.uses_left.map(|uses| format!(", {uses} uses left"));
    let expiry = record.expires_at.filter(|&at| at > now).map(|at| {
        let seconds = at.since(now).as_secs();
        format!(", expires in {}", roughly(seconds))
    });
    format!(
        "{}{}: {}{}{}",
        record.kind,
        owner.unwrap_or_default(),
        state(record, now),
        uses.unwrap_or_default(),
        expiry.unwrap_or_default()
    )
}

/// A time for a person, in its largest unit.
fn roughly(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn to_json(record: &TokenRecord, now: UnixMs) -> Value {
    json!({
        "id": record.id,
        "kind": record.kind,
        "for": record.owner.map(|id| id.to_string()),
        "state": state(record, now).replace(' ', "_"),
        "uses_left": record.uses_left,
        "expires_at": record.expires_at,
        "created_at": record.created_at,
        "last_used_at": record.last_used_at,
        "revoked_at": record.revoked_at,
    })
}
