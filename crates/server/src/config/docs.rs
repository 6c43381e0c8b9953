//! The documents' table of keys.

use std::fmt::Write;

use super::{KEYS, Kind};

/// `docs/configuration.md`, made from the table of keys.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for key in KEYS {
        let default = match (key.default, key.kind) {
            ("", _) => String::new(),
            (default, Kind::Intents | Kind::Origins | Kind::Ranges) => {
                let items: Vec<String> = default
                    .split(", ")
                    .map(|item| format!("\"{item}\""))
                    .collect();
                format!("`[{}]`", items.join(", "))
            }
            (default, Kind::Number | Kind::Count) => format!("`{default}`"),
            (default, _) => format!("`\"{default}\"`"),
        };
        writeln!(
            text,
            "| `{}` | {} | {default} | {} |",
            key.name,
            key.kind.name(),
            key.help
        )
        .expect("a string takes all that is written");
    }
    text
}

const HEAD: &str = "\
# Configuration

This page is made from the table in `crates/server/src/config/keys.rs`, and a test holds it
to that: change it there, then run `UPDATE_DOCS=1 cargo test -p guildgate-server docs`.

Values come from a TOML file (`guildgate serve --config FILE`), then from the environment, then
from the command line; later wins. A dot is a table in the file and two underscores in a
variable: `discord.token` is

```toml
[discord]
token = \"…\"
```

and `GUILDGATE_DISCORD__TOKEN`. Three variables have plain names as well: `DISCORD_TOKEN`,
`DATABASE_URL`, and `GUILDGATE_ADMIN_KEY` for `admin_key`. In a variable, a list is written with
commas. `guildgate check` says what is wrong with a configuration and what to do about it.

Durations are a number and `ms`, `s`, `m`, `h` or `d`; sizes a number and `KiB`, `MiB` or
`GiB`, or just bytes.

PostgreSQL 12 or newer is spoken to over TLS as `sslmode` in `database_url` says (`postgres://…/DATABASE?sslmode=verify-full`):
`prefer`, the default, where the server has it, without a look at its certificate; `require` and `verify-full`
always, with a certificate of a trusted authority that is for that host; `verify-ca` for whatever host; `disable`
never. Trusted are the authorities that browsers trust, or those in a PEM file: `sslrootcert=FILE` beside `sslmode`.

| key | takes | default | |
|---|---|---|---|
";
