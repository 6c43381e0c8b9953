//! Gathering values from the file, the environment and the flags, and checking them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    Config, ConfigError, ConfigErrors, KEYS, Kind, Origin,
    keys::{Key, PLAIN_VARIABLES, VARIABLE_PREFIX},
    value::Value,
};

/// Where to read a configuration from.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// The TOML file, if one is named.
    pub file: Option<PathBuf>,
    /// The environment: names and values. What is not ours is passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// What the command line says.
    pub flags: Vec<Flag>,
}

/// A key's value from the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag as typed, for the error: `--listen`.
    pub flag: &'static str,
    /// The key that it sets.
    pub key: &'static str,
    /// The value.
    pub value: String,
}

/// One value, and where it was written.
struct Setting {
    key: String,
    value: Value,
    origin: Origin,
}

pub(super) fn load(sources: &Sources) -> Result<Config, ConfigErrors> {
    let mut errors = Vec::new();
    let mut settings = Vec::new();
    if let Some(path) = &sources.file {
        match read_file(path) {
            Ok(found) => settings.extend(found),
            Err(error) => errors.push(error),
        }
    }
    settings.extend(from_environment(&ours(&sources.environment, &mut errors)));
    settings.extend(sources.flags.iter().map(|flag| Setting {
        key: flag.key.to_owned(),
        value: Value::Text(flag.value.clone()),
        origin: Origin::Flag(flag.flag.to_owned()),
    }));

    let mut config = Config::default();
    for setting in &settings {
        if let Err(error) = apply(&mut config, setting) {
            errors.push(error);
        }
    }
    if errors.is_empty() {
        check_together(&config, &settings, &mut errors);
    }
    if errors.is_empty() {
        Ok(config)
    } else {
        Err(ConfigErrors(errors))
    }
}

fn apply(config: &mut Config, setting: &Setting) -> Result<(), ConfigError> {
    let found = KEYS
        .iter()
        .find_map(|key| Some((key, key.matches(&setting.key)?)));
    let Some((key, picked)) = found else {
        return Err(ConfigError::UnknownKey {
            origin: setting.origin.clone(),
            key: setting.key.clone(),
            hint: hint(&setting.key),
        });
    };
    (key.set)(config, &setting.value, picked).ok_or_else(|| ConfigError::BadValue {
        origin: setting.origin.clone(),
        key: setting.key.clone(),
        found: match key.kind {
            Kind::Secret => "hidden, for it is a secret".to_owned(),
            _ => setting.value.shown(),
        },
        expected: expected(key),
    })
}

fn expected(key: &Key) -> String {
    match key.name {
        "discord.token" => {
            "the token in one piece, of plain ASCII characters alone: copy it anew from the \
             application's Bot page (https://discord.com/developers/applications)"
                .to_owned()
        }
        "admin_key" => "a text of at least 16 characters".to_owned(),
        "database_url" => "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE".to_owned(),
        "invites.<guild>" => "an invite's code, under the guild's id in digits".to_owned(),
        "edge.shards" => "a whole number from 1 to 64, or \"auto\"".to_owned(),
        _ => key.kind.expected(),
    }
}

/// "; did you mean …?", or where to find every key.
fn hint(wrong: &str) -> String {
    let nearest = KEYS
        .iter()
        .map(|key| (distance(wrong, key.name), key.name))
        .min()
        .filter(|&(distance, name)| distance <= 2.max(name.len() / 4));
    match nearest {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None => "; docs/configuration.md lists every key".to_owned(),
    }
}

/// How many letters must be added, removed or replaced to make `a` out of `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn read_file(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let at = |offset: usize| Origin::File {
        path: path.to_owned(),
        line: text[..offset.min(text.len())].matches('\n').count() + 1,
    };
    let table = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        origin: at(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut settings = Vec::new();
    flatten("", table.get_ref(), &at, &mut settings);
    Ok(settings)
}

/// Tables become dots: `[discord] token` is `discord.token`.
fn flatten(
    prefix: &str,
    table: &DeTable<'_>,
    at: &impl Fn(usize) -> Origin,
    settings: &mut Vec<Setting>,
) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&format!("{key}."), inner, at, settings),
            other => settings.push(Setting {
                key,
                value: from_toml(other),
                origin: at(name.span().start),
            }),
        }
    }
}

fn from_toml(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("number that is too large"),
        },
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| from_toml(item.get_ref())).collect())
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            Value::Other(value.type_str())
        }
    }
}

/// The variables that may be ours, as text.
fn ours<'a>(
    environment: &'a [(OsString, OsString)],
    errors: &mut Vec<ConfigError>,
) -> Vec<(&'a str, &'a str)> {
    let mut texts = Vec::new();
    for (name, value) in environment {
        let shown = name.to_string_lossy();
        let plain = PLAIN_VARIABLES.iter().any(|(plain, _)| *plain == shown);
        let prefixed = shown.strip_prefix(VARIABLE_PREFIX);
        if !plain && prefixed.is_none_or(is_service_link) {
            continue;
        }
        match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => texts.push((name, value)),
            _ => errors.push(ConfigError::NotText {
                origin: Origin::Variable(shown.into_owned()),
            }),
        }
    }
    texts
}

/// The variables that are ours, plain ones first, so that a prefixed one wins.
fn from_environment(environment: &[(&str, &str)]) -> Vec<Setting> {
    let plain = environment.iter().filter_map(|(name, value)| {
        let (_, key) = PLAIN_VARIABLES.iter().find(|(plain, _)| plain == name)?;
        Some(((*key).to_owned(), name, value))
    });
    let prefixed = environment.iter().filter_map(|(name, value)| {
        let key = name.strip_prefix(VARIABLE_PREFIX)?;
        Some((key.replace("__", ".").to_lowercase(), name, value))
    });
    plain
        .chain(prefixed)
        .map(|(key, name, value)| Setting {
            key,
            value: Value::Text((*value).to_owned()),
            origin: Origin::Variable((*name).to_owned()),
        })
        .collect()
}

/// Whether Kubernetes has set a variable, for a service that is called guildgate.
///
/// Source: Kubernetes, "Service: Environment variables".
fn is_service_link(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

/// What no key can tell alone.
fn check_together(config: &Config, settings: &[Setting], errors: &mut Vec<ConfigError>) {
    let origin = |key: &str| {
        settings
            .iter()
            .rfind(|setting| setting.key == key)
            .map_or(Origin::Together, |setting| setting.origin.clone())
    };
    let mut bad = |key: &'static str, near: &str, problem: String| {
        errors.push(ConfigError::Together {
            origin: origin(near),
            key,
            problem,
        });
    };
    if let Some(tls) = &config.tls {
        if tls.certificate.as_os_str().is_empty() {
            bad(
                "tls.certificate",
                "tls.key",
                "not set, but `tls.key` is: TLS needs both".into(),
            );
        }
        if tls.key.as_os_str().is_empty() {
            bad(
                "tls.key",
                "tls.certificate",
                "not set, but `tls.certificate` is: TLS needs both".into(),
            );
        }
    }
    for (name, webhook) in &config.webhooks {
        let url = format!("webhooks.{name}.url");
        let secret = format!("webhooks.{name}.secret");
        if webhook.url.is_empty() {
            bad(
                "webhooks.<name>.url",
                &secret,
                format!("not set for `{name}`: a web hook needs its address"),
            );
        }
        if webhook.secret.is_none() {
            bad(
                "webhooks.<name>.secret",
                &url,
                format!("not set for `{name}`: its calls are signed with it"),
            );
        }
    }
    if config.client.session_frame_bytes_max < config.client.frame_bytes_max {
        bad(
            "limits.session_frame_bytes",
            "limits.session_frame_bytes",
            "smaller than `limits.frame_bytes`: a session's frames are the larger ones".into(),
        );
    }
}
