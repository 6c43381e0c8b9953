//! The names of commands, in one table.

macro_rules! command_names {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $who:literal, $data:literal, $answer:literal;)+) => {
        /// A command's name: `cmd`.
        ///
        /// Source: wire protocol, "Commands".
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CommandName {
            $($(#[$doc])* $variant),+
        }

        impl CommandName {
            /// Every name, in the order of the protocol's table.
            pub const ALL: &'static [CommandName] = &[$(CommandName::$variant),+];

            /// The name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(CommandName::$variant => $name),+ }
            }

            /// Who may send it, for the documents.
            #[must_use]
            pub fn who(self) -> &'static str {
                match self { $(CommandName::$variant => $who),+ }
            }

            /// Its `d`, for the documents.
            #[must_use]
            pub fn data(self) -> &'static str {
                match self { $(CommandName::$variant => $data),+ }
            }

            /// `data` of its answer, for the documents.
            #[must_use]
            pub fn answer(self) -> &'static str {
                match self { $(CommandName::$variant => $answer),+ }
            }
        }
    };
}

command_names! {
    /// Onto a guild.
    ConnectGuild => "CONNECT_GUILD", "basic, full", "`{token, gid}`",
        "`{guild, user}`; a second one replaces the first";
    /// Off it.
    DisconnectGuild => "DESCONNECT_GUILD", "basic, full", "`{gid}`", "`{success: true}`";
    /// Into an application session.
    ApplicationSession => "APPLICATION_SESSION", "full", "`{uid, gid, utokh, uhash, target?}`",
        "`{gid, apv, document, participants, heartbeat_interval, permissions, form?}`";
    /// A change of its document.
    ApplicationSessionPatch => "APPLICATION_SESSION_PATCH", "in a session", "`{gid, base, patch}`",
        "`{gid, apv}`";
    /// Fresh tokens for it.
    ApplicationSessionReauth => "APPLICATION_SESSION_REAUTH", "in a session",
        "`{utokh, uhash, pm}` (`gid` optional)", "`{success: true, permissions}`";
    /// Its sign of life.
    ApplicationSessionHbM => "APPLICATION_SESSION_HB_M", "in a session", "`{gid}` or null", "`{}`";
    /// Its end.
    ApplicationSessionEnd => "APPLICATION_SESSION_END", "in a session", "`{gid}`",
        "`{success: true}`";
    /// Answers to a form.
    ApplicationSubmit => "APPLICATION_SUBMIT", "full", "`{gid, answers, apv}`", "`{id, apv}`";
    /// What is decided on them.
    ApplicationReview => "APPLICATION_REVIEW", "full, a manager",
        "`{gid, id, proccessed_type, note?, expected?}`", "`{success: true}`";
    /// Notifications were seen.
    NotificationsAck => "NOTIFICATIONS_ACK", "full", "`{ids: […]}`", "`{success: true}`";
}

impl CommandName {
    /// The command of this name, which may be spelled right where the protocol does not.
    #[must_use]
    pub fn of(name: &str) -> Option<CommandName> {
        if name == "DISCONNECT_GUILD" {
            return Some(CommandName::DisconnectGuild);
        }
        CommandName::ALL
            .iter()
            .copied()
            .find(|known| known.name() == name)
    }
}
