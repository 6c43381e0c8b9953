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
            "\n  More tokens: guildgate token issue --data {}\n  \
             The simulated Discord: http://{simulator}/api/v10\n  Ctrl-C stops it all.",
            self.data.display()
        )
    }
}

impl Greeting<'_> {
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
