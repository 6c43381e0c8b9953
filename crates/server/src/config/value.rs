//! One value as an operator wrote it, in whatever source, and how it is read as each type.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use guildgate_discord::Intents;
use guildgate_model::Secret;

use super::AddressRange;

/// A value as written: TOML says its type, a variable or flag is always text.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<Value>),
    /// A TOML value that no key takes; what it is called.
    Other(&'static str),
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `127.0.0.1:7102`.
    Address,
    /// `250ms`, `45s`, `15m`, `2h`, `7d`.
    Duration,
    /// `4KiB`, `1MiB`, or a number of bytes.
    Size,
    /// A size of at least one byte, where nothing would work without.
    Room,
    /// A number from 0 up.
    Number,
    /// A number from 1 up, where nothing would work with 0.
    Count,
    /// Any text.
    Text,
    /// Any text, never shown.
    Secret,
    /// A path.
    Path,
    /// An `http://` or `https://` address.
    Url,
    /// A list of web origins.
    Origins,
    /// A list of addresses and ranges.
    Ranges,
    /// A list of Discord's intents.
    Intents,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A number, or `auto`.
    NumberOrAuto,
    /// A level of the log, or a filter.
    LogFilter,
}

impl Kind {
    /// Its name in the documents.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Kind::Address => "address".into(),
            Kind::Duration => "duration".into(),
            Kind::Size => "size".into(),
            Kind::Room => "size, not 0".into(),
            Kind::Number => "number".into(),
            Kind::Count => "number from 1".into(),
            Kind::Text => "text".into(),
            Kind::Secret => "secret".into(),
            Kind::Path => "path".into(),
            Kind::Url => "URL".into(),
            Kind::Origins => "list of origins".into(),
            Kind::Ranges => "list of addresses".into(),
            Kind::Intents => "list of intents".into(),
            Kind::OneOf(words) => words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(" or "),
            Kind::NumberOrAuto => "number or `auto`".into(),
            Kind::LogFilter => "level or filter".into(),
        }
    }

    /// What a person should have written.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Kind::Address => "an IP address and port such as \"127.0.0.1:7102\" or \"[::]:80\"".into(),
            Kind::Duration => {
                "a duration with its unit such as \"250ms\", \"45s\", \"15m\" or \"2h\", at most \
                 \"30d\""
                    .into()
            }
            Kind::Size => "a size such as \"4KiB\", \"1MiB\" or a number of bytes".into(),
            Kind::Room => "a size such as \"4KiB\" or \"1MiB\", at least 1 byte".into(),
            Kind::Number => "a whole number from 0 to 4294967295".into(),
            Kind::Count => "a whole number from 1 to 4294967295".into(),
            Kind::Text | Kind::Secret => "a text".into(),
            Kind::Path => "a path".into(),
            Kind::Url => "an address that begins with http:// or https://".into(),
            Kind::Origins => {
                "a list of origins such as [\"https://example.org\"] (scheme, host and port, no path)"
                    .into()
            }
            Kind::Ranges => {
                "a list of addresses or ranges such as [\"10.0.0.0/8\", \"192.0.2.7\"]".into()
            }
            Kind::Intents => {
                "a list of Discord's intent names such as [\"GUILDS\", \"GUILD_MEMBERS\"], with \
                 GUILDS among them"
                    .into()
            }
            Kind::OneOf(words) => words
                .iter()
                .map(|word| format!("\"{word}\""))
                .collect::<Vec<_>>()
                .join(" or "),
            Kind::NumberOrAuto => "a whole number from 1 up, or \"auto\"".into(),
            Kind::LogFilter => {
                "error, warn, info, debug, trace, or a filter such as \
                 \"info,guildgate_server=debug\""
                    .into()
            }
        }
    }
}

impl Value {
    /// The value as it may be shown in an error; never of a secret.
    pub(super) fn shown(&self) -> String {
        match self {
            Value::Text(text) => format!("{text:?}"),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::shown).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Other(what) => format!("a {what}"),
        }
    }

    /// Whether nothing is said, which stands for "not set" where a key may be unset.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Value::Text(text) => text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Number(_) | Value::Bool(_) | Value::Other(_) => false,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn some_text(&self) -> Option<Option<String>> {
        self.text()
            .map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    pub(super) fn secret(&self) -> Option<Option<Secret>> {
        Some(self.some_text()?.map(Secret::new))
    }

    /// A secret that is sent in a header of HTTP. Files and terminals put blanks and line breaks
    /// around it, which no token has.
    pub(super) fn token(&self) -> Option<Option<Secret>> {
        let text = self.text()?.trim();
        let sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
        sendable.then(|| (!text.is_empty()).then(|| Secret::new(text)))
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.text()
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.text()?.parse().ok()
    }

    pub(super) fn number(&self) -> Option<u32> {
        match self {
            Value::Number(number) => u32::try_from(*number).ok(),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn count(&self) -> Option<u32> {
        self.number().filter(|&number| number > 0)
    }

    /// A number from 1 up, or none for "auto".
    pub(super) fn number_or_auto(&self) -> Option<Option<u32>> {
        match self {
            Value::Text(text) if text == "auto" => Some(None),
            _ => self.count().map(Some),
        }
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        parse_duration(self.text()?).filter(|&duration| duration <= DURATION_MAX)
    }

    pub(super) fn positive_duration(&self) -> Option<Duration> {
        self.duration().filter(|duration| !duration.is_zero())
    }

    pub(super) fn room(&self) -> Option<usize> {
        self.size().filter(|&bytes| bytes > 0)
    }

    pub(super) fn size(&self) -> Option<usize> {
        if let Value::Number(number) = self {
            return usize::try_from(*number).ok();
        }
        let text = self.text()?.trim();
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: usize = number.parse().ok()?;
        let bytes = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" | "K" | "k" => 1 << 10,
            "MiB" | "M" => 1 << 20,
            "GiB" | "G" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(bytes)
    }

    pub(super) fn log_filter(&self) -> Option<String> {
        let text = self.text()?;
        crate::log::filter(text).map(|_| text.to_owned())
    }

    pub(super) fn url(&self) -> Option<String> {
        let text = self.text()?.trim().trim_end_matches('/');
        let host = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))?;
        let parses = text
            .parse::<http::Uri>()
            .is_ok_and(|uri| uri.host().is_some());
        (!host.is_empty() && parses).then(|| text.to_owned())
    }

    /// The items of a list; a text is taken apart at its commas.
    fn items(&self) -> Option<Vec<String>> {
        match self {
            Value::List(items) => items
                .iter()
                .map(|item| item.text().map(str::to_owned))
                .collect(),
            Value::Text(text) => Some(
                text.split(',')
                    .map(|item| item.trim().to_owned())
                    .filter(|item| !item.is_empty())
                    .collect(),
            ),
            _ => None,
        }
    }

    pub(super) fn origins(&self) -> Option<Vec<String>> {
        let origins = self.items()?;
        let good = |origin: &String| {
            origin == "null"
                || origin.split_once("://").is_some_and(|(scheme, host)| {
                    !scheme.is_empty() && !host.is_empty() && !host.contains('/')
                })
        };
        origins.iter().all(good).then_some(origins)
    }

    pub(super) fn ranges(&self) -> Option<Vec<AddressRange>> {
        self.items()?.iter().map(|item| item.parse().ok()).collect()
    }

    pub(super) fn intents(&self) -> Option<Intents> {
        let set = self
            .items()?
            .iter()
            .try_fold(Intents::NONE, |set, name| Some(set | Intents::named(name)?))?;
        set.contains(Intents::GUILDS).then_some(set)
    }

    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|&(_, meaning)| meaning)
    }
}

/// What is longer was mistyped; it would also be past what a clock can count to.
const DURATION_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Reads `250ms`, `45s`, `15m`, `2h` or `7d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}
