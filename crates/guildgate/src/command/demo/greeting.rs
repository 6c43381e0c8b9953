//! What the demo says when it is up.

use std::{fmt, net::SocketAddr, path::Path};

use super::Kept;

/// Where everything is, and what to try.
pub struct Greeting<'a> {
    pub gateway: SocketAddr,
    pub simulator: SocketAddr,
    pub data: &'a Path,
    pub still: bool,
    pub kept: &'a Kept,
}

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Greeting {
            gateway,
            simulator,
            kept,
            ..
        } = self;
        writeln!(f, "\n  Guildgate is up. Open\n\n      http://{gateway}/\n")?;
        if self.still {
            writeln!(
                f,
                "  The world stands still; move it through the simulator's REST:\n"
            )?;
        } else {
            writeln!(
                f,
                "  The world moves by itself: members come and go, robin's role too. To move it\n  \
                 yourself, through the simulator's REST:\n"
            )?;
        }
        self.role_example(f)?;
        writeln!(
            f,
            "\n  By hand, with any WebSocket client (docs/protocol.md explains the frames):\n"
        )?;
        writeln!(f, "      npx wscat -c ws://{gateway}/gateway\n")?;
        if let Some(mia) = kept.accounts.first() {
            writeln!(
                f,
                "      {{\"op\":1,\"d\":{{\"token\":\"{}\",\"uid\":\"{}\"}}}}",
                mia.token, mia.uid
            )?;
        }
        if let Some(guild) = kept.guilds.first() {
            writeln!(
                f,
                "      {{\"op\":6,\"cmd\":\"CONNECT_GUILD\",\"d\":{{\"token\":\"{}\",\"gid\":\"{}\"}}}}",
                guild.token, guild.id
            )?;
        }
        writeln!(
            f,
            "\n  The API for a site's back end, with the admin key:\n"
        )?;
        writeln!(
            f,
            "      curl -H 'Authorization: Bearer {}' http://{gateway}/api/v1/guilds",
            kept.admin_key
        )?;
        writeln!(f, "\n  Users, each with a gatewayUser and a user token:\n")?;
        for account in &kept.accounts {
            writeln!(
                f,
                "      {:<6} {}  {}\n             {}\n             {}",
                account.tag, account.uid, account.about, account.token, account.user_token
            )?;
        }
        writeln!(f, "\n  Guilds, each with a gatewayGuild token:\n")?;
        for guild in &kept.guilds {
            writeln!(
                f,
                "      {}  {}\n             {}",
                guild.id, guild.name, guild.token
            )?;
        }
        writeln!(
            f,
            "\n  Global token, for basic access:\n\n             {}",
            kept.global
        )?;
        writeln!(
            f,
            "\n  More tokens: {}\n  \
             The simulated Discord: http://{simulator}/api/v10\n  Ctrl-C stops it all.",
            self.token_example()
        )
    }
}

impl Greeting<'_> {
    /// A command that issues a token, to be pasted into a shell in whatever folder.
    fn token_example(&self) -> String {
        let data = std::path::absolute(self.data).unwrap_or_else(|_| self.data.to_owned());
        format!(
            "guildgate token issue --kind gatewayUser --for {} --data {}",
            guildgate_simulator::demo_ids::MIA,
            quoted(&data.display().to_string())
        )
    }

    /// A role taken from mia, and given back.
    fn role_example(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use guildgate_simulator::demo_ids::{MIA, REST, ROLE_MANAGER};
        for method in ["DELETE", "PUT"] {
            writeln!(
                f,
                "      curl -X {method} -H 'Authorization: Bot {}' \\\n        \
                 http://{}/api/v10/guilds/{REST}/members/{MIA}/roles/{ROLE_MANAGER}",
                guildgate_simulator::DEFAULT_TOKEN,
                self.simulator
            )?;
        }
        Ok(())
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("/my data/it's"), r"'/my data/it'\''s'");
    }
}
