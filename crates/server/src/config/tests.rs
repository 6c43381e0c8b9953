use std::{io::Write, net::IpAddr};

use super::*;

fn from_toml(text: &str) -> Result<Config, ConfigErrors> {
    let mut file = Scratch::new();
    file.file.write_all(text.as_bytes()).expect("written");
    Config::load(&Sources {
        file: Some(file.path.clone()),
        ..Sources::default()
    })
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(&Sources {
        environment: variables
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect(),
        ..Sources::default()
    })
}

/// A file that goes when the test is over.
struct Scratch {
    path: PathBuf,
    file: std::fs::File,
}

impl Scratch {
    fn new() -> Scratch {
        let name = format!("guildgate-config-{:016x}.toml", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        let file = std::fs::File::create(&path).expect("a temporary file");
        Scratch { path, file }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn every_default_is_what_its_key_takes_and_the_protocols_own() {
    let config = Config::default();
    assert_eq!(config.client, Limits::default(), "the protocol's limits");
    assert_eq!(config.discord.intents, Intents::GATEWAY);
    assert_eq!(config.connections_per_ip, PerAddress::ExceptLoopback(256));
    assert_eq!(config.database().expose(), "sqlite:data/guildgate.db");
}

#[test]
fn a_file_sets_every_kind_of_value() {
    let config = from_toml(
        r#"
        listen = "[::1]:80"
        origins = ["https://example.org"]
        trusted_proxies = ["10.0.0.0/8"]
        count_interval = "1s"
        [tls]
        certificate = "a.pem"
        key = "b.pem"
        [limits]
        connections_per_ip = 3
        body_bytes = "2MiB"
        frame_bytes = 100
        [discord]
        intents = ["GUILDS"]
        shards = 4
        compression = "off"
        user_opcodes = "allow"
        [invites]
        42 = "abc"
        [webhooks.staff]
        url = "https://example.org/hook"
        secret = "s"
        "#,
    )
    .expect("a good file");
    assert_eq!(config.listen.to_string(), "[::1]:80");
    assert_eq!(config.connections_per_ip, PerAddress::Everyone(3));
    assert_eq!(config.body_bytes_max, 2 << 20);
    assert_eq!(config.client.frame_bytes_max, 100);
    assert_eq!(config.count_interval, Duration::from_secs(1));
    assert_eq!(config.discord.intents, Intents::GUILDS);
    assert_eq!(config.discord.shards, Some(4));
    assert_eq!(config.discord.compression, TransportCompression::Off);
    assert_eq!(config.discord.user_opcodes, UserOpcodes::Allow);
    assert_eq!(config.invites[&GuildId(42)], "abc");
    assert_eq!(config.webhooks["staff"].url, "https://example.org/hook");
    let proxy: IpAddr = "10.9.8.7".parse().expect("an address");
    assert!(config.trusted_proxies[0].contains(proxy));
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let mut file = Scratch::new();
    file.file
        .write_all(b"data = 'file'\ncount_interval = '1s'\ndrain_window = '1s'")
        .expect("written");
    let config = Config::load(&Sources {
        file: Some(file.path.clone()),
        environment: vec![
            ("GUILDGATE_COUNT_INTERVAL".into(), "2s".into()),
            ("GUILDGATE_DRAIN_WINDOW".into(), "2s".into()),
            ("GUILDGATE_DISCORD__TOKEN".into(), "prefixed".into()),
            ("DISCORD_TOKEN".into(), "plain".into()),
            ("DATABASE_URL".into(), "postgres://x".into()),
            ("HOME".into(), "/root".into()),
            ("GUILDGATE_PORT".into(), "tcp://10.0.0.1:7102".into()),
            ("GUILDGATE_SERVICE_HOST".into(), "10.0.0.1".into()),
        ],
        flags: vec![Flag {
            flag: "--drain",
            key: "drain_window",
            value: "3s".into(),
        }],
    })
    .expect("good sources");
    assert_eq!(config.data, PathBuf::from("file"));
    assert_eq!(config.count_interval, Duration::from_secs(2));
    assert_eq!(config.drain_window, Duration::from_secs(3));
    let token = config.discord.token.expect("a token");
    assert_eq!(token.expose(), "prefixed");
    assert_eq!(config.database_url.expect("a URL").expose(), "postgres://x");
}

#[test]
fn what_is_wrong_is_told_with_key_place_and_cure() {
    let check = |text: &str, expected: &[&str]| {
        let error = from_toml(text).expect_err(text).to_string();
        for part in expected {
            assert!(error.contains(part), "{error}\nlacks {part:?}");
        }
    };
    check(
        "\n[limits]\nconections = 1",
        &[
            "line 3",
            "`limits.conections`",
            "did you mean `limits.connections`?",
        ],
    );
    check(
        "nonsense_of_mine = 1",
        &["`nonsense_of_mine`", "docs/configuration.md"],
    );
    check("listen = 7102", &["`listen` is 7102", "127.0.0.1:7102"]);
    check(
        "listen = 'localhost'",
        &["`listen` is \"localhost\"", "an IP address and port"],
    );
    check(
        "count_interval = 250",
        &["`count_interval` is 250", "a duration with its unit"],
    );
    check("heartbeat.interval = '0s'", &["`heartbeat.interval`"]);
    check(
        "limits.frames = -1",
        &["`limits.frames` is -1", "from 1 to"],
    );
    for key in [
        "connections",
        "connections_per_ip",
        "questions",
        "frames",
        "session_frames",
        "queue_frames",
    ] {
        check(&format!("limits.{key} = 0"), &[key, "from 1 to"]);
    }
    for key in [
        "body_bytes",
        "frame_bytes",
        "session_frame_bytes",
        "queue_bytes",
    ] {
        check(&format!("limits.{key} = 0"), &[key, "at least 1 byte"]);
    }
    check("resume.window = '31d'", &["`resume.window`", "at most"]);
    check("resume.events = -1", &["from 0 to"]);
    check(
        "limits.body_bytes = '1 flop'",
        &["`limits.body_bytes` is \"1 flop\"", "4KiB"],
    );
    check(
        "heartbeat.require = 'none'",
        &["expected \"any\" or \"reply\""],
    );
    check(
        "origins = 'example.org'",
        &["`origins`", "https://example.org"],
    );
    check(
        "trusted_proxies = ['10.0.0.0/33']",
        &["`trusted_proxies`", "10.0.0.0/8"],
    );
    check(
        "discord.intents = ['GUILD']",
        &["`discord.intents`", "GUILD_MEMBERS"],
    );
    check(
        "discord.api_url = 'ftp://x'",
        &["`discord.api_url`", "http://"],
    );
    check("discord.shards = 0", &["`discord.shards` is 0", "auto"]);
    check("edge.shards = 65", &["`edge.shards`", "from 1 to 64"]);
    check("data = 1979-05-27", &["`data` is a datetime", "a path"]);
    check("data = {}\n x.y = 1.5", &["`x.y`"]);
    check(
        "[log]\nlevel = 'inof'",
        &[
            "line 2",
            "`log.level` is \"inof\"",
            "info,guildgate_server=debug",
        ],
    );
    check(
        "invites.abc = 'x'",
        &["`invites.abc`", "guild's id in digits"],
    );
    check(
        "tls.key = 'k.pem'",
        &["`tls.certificate`", "TLS needs both"],
    );
    check(
        "webhooks.a.url = 'http://b'",
        &["`webhooks.<name>.secret`", "signed"],
    );
    check("listen = \n", &["line 1", "not valid TOML"]);
    check("listen = 1\ndata = 2", &["`listen` is 1", "`data` is 2"]);
}

#[test]
fn a_missing_file_and_a_bad_variable_are_named() {
    let error = Config::load(&Sources {
        file: Some("no-such.toml".into()),
        ..Sources::default()
    })
    .expect_err("no file");
    assert!(error.to_string().contains("no-such.toml"), "{error}");
    let error = from_environment(&[("GUILDGATE_DISCORD__TOKN", "x")]).expect_err("a typo");
    let text = error.to_string();
    assert!(
        text.contains("environment variable GUILDGATE_DISCORD__TOKN"),
        "{text}"
    );
    assert!(text.contains("did you mean `discord.token`?"), "{text}");
}

#[test]
fn a_secret_is_in_no_error_and_no_debug() {
    let error = from_environment(&[("GUILDGATE_ADMIN_KEY", "hunter2")]).expect_err("too short");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(error.to_string().contains("16 characters"), "{error}");
    let config = from_environment(&[
        ("GUILDGATE_ADMIN_KEY", "sesame-sesame-sesame"),
        ("DISCORD_TOKEN", "bot-sesame"),
        ("DATABASE_URL", "postgres://me:sesame@host/db"),
    ])
    .expect("good");
    assert!(!format!("{config:?}").contains("sesame"), "{config:?}");
}

#[test]
fn a_database_is_named_with_its_scheme() {
    for wrong in ["me:sesame@host", "mysql://me:sesame@host/db", "a.db"] {
        let error = from_environment(&[("DATABASE_URL", wrong)]).expect_err(wrong);
        let told = error.to_string();
        assert!(!told.contains(wrong), "{told}");
        assert!(told.contains("sqlite:PATH or postgres://USER"), "{told}");
        assert!(told.contains("variable DATABASE_URL"), "{told}");
    }
    for (right, kept) in [
        ("sqlite:a.db", Some("sqlite:a.db")),
        ("postgresql://host/db", Some("postgresql://host/db")),
        ("", None),
    ] {
        let config = from_environment(&[("DATABASE_URL", right)]).expect(right);
        let url = config.database_url.as_ref().map(|url| url.expose());
        assert_eq!(url, kept);
    }
}

#[test]
fn ranges_hold_what_they_say() {
    let check = |range: &str, address: &str, expected: bool| {
        let range: AddressRange = range.parse().expect(range);
        let address: IpAddr = address.parse().expect(address);
        assert_eq!(range.contains(address), expected, "{range} and {address}");
    };
    check("10.0.0.0/8", "10.255.0.1", true);
    check("10.0.0.0/8", "11.0.0.1", false);
    check("10.0.0.0/8", "::ffff:10.0.0.1", true);
    check("192.0.2.7", "192.0.2.7", true);
    check("192.0.2.7", "192.0.2.6", false);
    check("0.0.0.0/0", "8.8.8.8", true);
    check("0.0.0.0/0", "2001:db8::1", false);
    check("2001:db8::/32", "2001:db8:1::1", true);
    check("2001:db8::/32", "2001:db9::1", false);
}

#[test]
fn the_docs_table_is_the_codes_table() {
    crate::docs::assert_current("configuration.md", &markdown());
}

#[test]
fn a_token_is_taken_without_what_is_around_it_and_refused_if_it_cannot_be_sent() {
    let token = |text: &str| from_environment(&[("DISCORD_TOKEN", text)]);
    let set = |text: &str| token(text).expect("a good token").discord.token;
    assert_eq!(
        set("abc.def-g_h\n").expect("a token").expose(),
        "abc.def-g_h"
    );
    assert_eq!(set(" \tabc\r\n").expect("a token").expose(), "abc");
    assert!(set("\n").is_none());
    for bad in ["abc\ndef", "abc def", "abcdéf", "abc\u{7f}"] {
        let told = token(bad).expect_err("refused").to_string();
        assert!(
            told.contains("environment variable DISCORD_TOKEN: `discord.token`"),
            "{told}"
        );
        assert!(told.contains("copy it anew"), "{told}");
        assert!(!told.contains("abc"), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_of_ours_that_is_no_text_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let raw = |text: &[u8]| std::ffi::OsString::from_vec(text.to_vec());
    let load = |name: &[u8]| {
        Config::load(&Sources {
            environment: vec![(raw(name), raw(b"secret\xff"))],
            ..Sources::default()
        })
    };
    for name in ["DATABASE_URL", "GUILDGATE_DATA"] {
        let told = load(name.as_bytes()).expect_err("refused").to_string();
        assert!(
            told.contains(&format!("environment variable {name}: not UTF-8")),
            "{told}"
        );
        assert!(!told.contains("secret"), "{told}");
    }
    assert!(load(b"GUILDGATE_DAT\xff").is_err());
    assert!(load(b"OTHER").is_ok());
    assert!(load(b"GUILDGATE_PORT").is_ok());
}
