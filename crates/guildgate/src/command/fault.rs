//! `guildgate fault`.

use anyhow::anyhow;
use guildgate_simulator::RemoteSimulator;
use http::Method;
use serde_json::{Map, Value, json};

use crate::{cli::Fault, exit::Failure};

pub async fn run(arguments: Fault) -> Result<(), Failure> {
    let mut settings = Map::new();
    for setting in &arguments.settings {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Failure::other(anyhow!(
                "{setting:?}: expected KEY=VALUE, such as code=4000"
            ))
        })?;
        let value = match key {
            "target" => target(value)?,
            _ => to_json(value),
        };
        settings.insert(key.to_owned(), value);
    }
    let simulator = RemoteSimulator::new(&format!("http://{}", arguments.simulator));
    let (method, path, body) = call(&arguments.kind, settings)?;
    let said = simulator
        .call(method, &path, body.as_ref())
        .await
        .map_err(Failure::other)?;
    match said["connections"].as_u64() {
        Some(met) => println!("{} met {met} connections", arguments.kind),
        None => println!("{}: done", arguments.kind),
    }
    Ok(())
}

/// The simulator's own call for a fault: most are one kind of its `/simulator/faults`.
fn call(
    kind: &str,
    mut settings: Map<String, Value>,
) -> Result<(Method, String, Option<Value>), Failure> {
    match kind {
        "outage" | "end-outage" => {
            let guild = settings
                .remove("guild")
                .ok_or_else(|| Failure::other(anyhow!("{kind} needs to know where: guild=ID")))?;
            let guild = guild
                .as_str()
                .map_or_else(|| guild.to_string(), str::to_owned);
            let method = match kind {
                "outage" => Method::POST,
                _ => Method::DELETE,
            };
            Ok((method, format!("/simulator/guilds/{guild}/outage"), None))
        }
        "storm" | "motion" => {
            settings.entry("every_ms").or_insert(Value::Null);
            let body = Value::Object(settings);
            Ok((Method::POST, format!("/simulator/{kind}"), Some(body)))
        }
        kind => {
            settings.insert("kind".to_owned(), kind.replace('-', "_").into());
            let body = Value::Object(settings);
            Ok((Method::POST, "/simulator/faults".to_owned(), Some(body)))
        }
    }
}

/// Whose connections: `all`, `shard:0` or `session:ID`.
fn target(text: &str) -> Result<Value, Failure> {
    let unknown = || {
        Failure::other(anyhow!(
            "target={text:?}: expected all, shard:NUMBER or session:ID"
        ))
    };
    match text.split_once(':') {
        None if text == "all" => Ok(json!("all")),
        Some(("shard", number)) => {
            let number: u32 = number.parse().map_err(|_| unknown())?;
            Ok(json!({ "shard": number }))
        }
        Some(("session", id)) if !id.is_empty() => Ok(json!({ "session": id })),
        _ => Err(unknown()),
    }
}

/// A number, true, false or null where it reads as one; text otherwise. Ids stay text, for they
/// are longer than what a JSON number holds exactly.
fn to_json(text: &str) -> Value {
    const ID_DIGITS_MIN: usize = 16;
    if text.len() >= ID_DIGITS_MIN {
        return text.into();
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
