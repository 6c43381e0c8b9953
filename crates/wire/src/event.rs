//! Events, encoded once for all their receivers.

use std::sync::Arc;

use guildgate_model::{GuildId, Notification, NotificationId, Permissions, UserId};
use serde::Serialize;

use crate::{Sequence, UserView, notification_json};

macro_rules! event_names {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// An event's name: `ev` and `t`.
        ///
        /// Source: wire protocol, "Events".
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventName {
            $($(#[$doc])* $variant),+
        }

        impl EventName {
            /// Every name, in the order of the protocol's table.
            pub const ALL: &'static [EventName] = &[$(EventName::$variant),+];

            /// The name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(EventName::$variant => $name),+ }
            }
        }
    };
}

event_names! {
    /// A member joined or left.
    GuildMemberCountChange => "GUILD_MEMBER_COUNT_CHANGE",
    /// The user's own permissions changed.
    GuildPrivilegeUpdate => "GUILD_PRIVILEGE_UPDATE",
    /// A shown field changed.
    GuildUpdate => "GUILD_UPDATE",
    /// A fresh snapshot after a gap.
    GuildResync => "GUILD_RESYNC",
    /// An outage, or the bot was removed.
    GuildUnavailable => "GUILD_UNAVAILABLE",
    /// An application session's heartbeat.
    ApplicationSessionHbP => "APPLICATION_SESSION_HB_P",
    /// An application session wants fresh tokens.
    ApplicationSessionReauth => "APPLICATION_SESSION_REAUTH",
    /// Somebody else's patch.
    ApplicationSessionPatch => "APPLICATION_SESSION_PATCH",
    /// Somebody joined the session.
    ApplicationSessionJoin => "APPLICATION_SESSION_JOIN",
    /// Somebody left the session.
    ApplicationSessionLeave => "APPLICATION_SESSION_LEAVE",
    /// The session is over.
    ApplicationSessionEnd => "APPLICATION_SESSION_END",
    /// An application of the user's was reviewed.
    ApplicationReviwed => "APPLICATION_REVIWED",
    /// Somebody applied.
    ApplicationSubmitted => "APPLICATION_SUBMITTED",
}

impl EventName {
    /// Who gets it, for the documents.
    #[must_use]
    pub fn receivers(self) -> &'static str {
        match self {
            EventName::GuildMemberCountChange
            | EventName::GuildUpdate
            | EventName::GuildResync
            | EventName::GuildUnavailable => "all on the guild",
            EventName::GuildPrivilegeUpdate => "the user concerned",
            EventName::ApplicationSessionHbP
            | EventName::ApplicationSessionReauth
            | EventName::ApplicationSessionEnd => "a session's connection",
            EventName::ApplicationSessionPatch
            | EventName::ApplicationSessionJoin
            | EventName::ApplicationSessionLeave => "the other participants",
            EventName::ApplicationReviwed => "the applicant",
            EventName::ApplicationSubmitted => "managers on the guild",
        }
    }

    /// Its `d`, for the documents.
    #[must_use]
    pub fn data(self) -> &'static str {
        match self {
            EventName::GuildMemberCountChange => "`{guild_id, member_count}`",
            EventName::GuildPrivilegeUpdate => "`{guild_id, id, tag, self: true, permissions}`",
            EventName::GuildUpdate => "`{guild_id, guild}`",
            EventName::GuildResync => "`{guild_id, guild, user}`",
            EventName::GuildUnavailable => "`{guild_id, left}`",
            EventName::ApplicationSessionHbP => "`{gid}`",
            EventName::ApplicationSessionReauth => "`{gid, reason, deadline_ms}`",
            EventName::ApplicationSessionPatch => "`{gid, uid, apv, patch}`",
            EventName::ApplicationSessionJoin | EventName::ApplicationSessionLeave => {
                "`{gid, uid, tag}`"
            }
            EventName::ApplicationSessionEnd => "`{gid, reason}`",
            EventName::ApplicationReviwed => "the notification",
            EventName::ApplicationSubmitted => "`{gid, id, uid}`",
        }
    }
}

/// How an event travels when its receiver is slow.
///
/// Source: wire protocol, "Events", the two lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Never dropped; past the bound the client is too slow.
    Certain,
    /// A member count, replaced by a newer one of the same guild while it waits.
    Count(GuildId),
    /// A guild snapshot, replaced by a newer one of the same guild while it waits.
    Snapshot(GuildId),
    /// A snapshot with the receiver's own part, replaced by a newer such one of the same guild
    /// while it waits. Not by a plain snapshot, which lacks that part.
    Resync(GuildId),
}

impl Lane {
    /// Whether a waiting event of this lane gives way to a newer one of `newer`.
    #[must_use]
    pub fn gives_way_to(self, newer: Lane) -> bool {
        match self {
            Lane::Certain => false,
            Lane::Count(_) | Lane::Snapshot(_) | Lane::Resync(_) => self == newer,
        }
    }
}

/// What is over for the connection that receives an event, so that its state can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Nothing.
    Nothing,
    /// Its connection to this guild: the bot was removed from it.
    GuildConnection(GuildId),
    /// Its application session in this guild.
    ApplicationSession(GuildId),
}

/// One event, encoded: shared by reference between all who get it.
///
/// The text lacks only what differs between receivers, which comes last: the sequence of a
/// resumable session, and the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub struct EventFrame {
    lane: Lane,
    ends: Ends,
    notification: Option<NotificationId>,
    open_text: Box<str>,
}

impl EventFrame {
    /// Encodes an event that ends nothing; `data` becomes its `d`. Those that may end
    /// something have their own constructors: [`EventFrame::guild_unavailable`],
    /// [`EventFrame::application_session_end`]; and so has the one that is known again by what
    /// it tells, [`EventFrame::reviewed`].
    ///
    /// # Panics
    /// If `data` cannot be written as JSON, which a type of this crate always can.
    #[must_use]
    pub fn new(name: EventName, lane: Lane, data: &impl Serialize) -> Arc<EventFrame> {
        debug_assert!(
            !matches!(
                name,
                EventName::ApplicationSessionEnd
                    | EventName::GuildUnavailable
                    | EventName::ApplicationReviwed
            ),
            "{name:?} has its own constructor"
        );
        EventFrame::ending(Ends::Nothing, name, lane, data)
    }

    fn ending(ends: Ends, name: EventName, lane: Lane, data: &impl Serialize) -> Arc<EventFrame> {
        Arc::new(EventFrame {
            lane,
            ends,
            notification: None,
            open_text: open_text(name, data),
        })
    }

    /// A certain event that was encoded by an earlier process, by its [`EventFrame::open_text`].
    /// What it ended was ended then; `notification` as [`EventFrame::notification`] told it.
    #[must_use]
    pub fn saved(open_text: Box<str>, notification: Option<NotificationId>) -> Arc<EventFrame> {
        Arc::new(EventFrame {
            lane: Lane::Certain,
            ends: Ends::Nothing,
            notification,
            open_text,
        })
    }

    /// GUILD_MEMBER_COUNT_CHANGE.
    #[must_use]
    pub fn count(guild: GuildId, member_count: u64) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data {
            guild_id: GuildId,
            member_count: u64,
        }
        let data = Data {
            guild_id: guild,
            member_count,
        };
        EventFrame::new(EventName::GuildMemberCountChange, Lane::Count(guild), &data)
    }

    /// GUILD_PRIVILEGE_UPDATE.
    #[must_use]
    pub fn privilege(
        guild: GuildId,
        user: UserId,
        tag: &str,
        permissions: Permissions,
    ) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data<'a> {
            guild_id: GuildId,
            id: UserId,
            tag: &'a str,
            #[serde(rename = "self")]
            own: bool,
            permissions: Permissions,
        }
        let data = Data {
            guild_id: guild,
            id: user,
            tag,
            own: true,
            permissions,
        };
        EventFrame::new(EventName::GuildPrivilegeUpdate, Lane::Certain, &data)
    }

    /// GUILD_UPDATE; `guild_json` is an encoded [`crate::GuildView`].
    #[must_use]
    pub fn guild_update(
        guild: GuildId,
        guild_json: &serde_json::value::RawValue,
    ) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data<'a> {
            guild_id: GuildId,
            guild: &'a serde_json::value::RawValue,
        }
        let data = Data {
            guild_id: guild,
            guild: guild_json,
        };
        EventFrame::new(EventName::GuildUpdate, Lane::Snapshot(guild), &data)
    }

    /// GUILD_RESYNC; it carries the receiver's own `user`, so that only another one for the same
    /// receiver says all that it does.
    #[must_use]
    pub fn guild_resync(
        guild: GuildId,
        guild_json: &serde_json::value::RawValue,
        user: Option<&UserView>,
    ) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data<'a> {
            guild_id: GuildId,
            guild: &'a serde_json::value::RawValue,
            user: Option<&'a UserView>,
        }
        let data = Data {
            guild_id: guild,
            guild: guild_json,
            user,
        };
        EventFrame::new(EventName::GuildResync, Lane::Resync(guild), &data)
    }

    /// GUILD_UNAVAILABLE; `left` is whether the bot was removed.
    #[must_use]
    pub fn guild_unavailable(guild: GuildId, left: bool) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data {
            guild_id: GuildId,
            left: bool,
        }
        let data = Data {
            guild_id: guild,
            left,
        };
        let ends = if left {
            Ends::GuildConnection(guild)
        } else {
            Ends::Nothing
        };
        EventFrame::ending(ends, EventName::GuildUnavailable, Lane::Certain, &data)
    }

    /// APPLICATION_SESSION_END; `reason` as in wire protocol, "Live application sessions".
    #[must_use]
    pub fn application_session_end(guild: GuildId, reason: &str) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data<'a> {
            gid: GuildId,
            reason: &'a str,
        }
        EventFrame::ending(
            Ends::ApplicationSession(guild),
            EventName::ApplicationSessionEnd,
            Lane::Certain,
            &Data { gid: guild, reason },
        )
    }

    /// APPLICATION_REVIWED.
    #[must_use]
    pub fn reviewed(notification: &Notification) -> Arc<EventFrame> {
        Arc::new(EventFrame {
            lane: Lane::Certain,
            ends: Ends::Nothing,
            notification: Some(notification.id),
            open_text: open_text(
                EventName::ApplicationReviwed,
                &notification_json(notification),
            ),
        })
    }

    /// How it travels.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// What is over for those who receive it.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// The notification that it tells of: the same one may come in opcode 2.
    #[must_use]
    pub fn notification(&self) -> Option<NotificationId> {
        self.notification
    }

    /// Length of [`EventFrame::write_to`]'s text at most, bytes.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.open_text.len() + SEQUENCE_BYTES_MAX
    }

    /// What all receivers share: the frame's text without sequence and closing brace.
    #[must_use]
    pub fn open_text(&self) -> &str {
        &self.open_text
    }

    /// Appends the whole frame's text, with the receiver's own sequence if it has one.
    pub fn write_to(&self, sequence: Option<Sequence>, text: &mut Vec<u8>) {
        text.extend_from_slice(self.open_text.as_bytes());
        write_tail(sequence, text);
    }
}

fn open_text(name: EventName, data: &impl Serialize) -> Box<str> {
    let name = name.name();
    let mut text = format!(r#"{{"op":5,"t":"{name}","ev":"{name}","d":"#).into_bytes();
    serde_json::to_writer(&mut text, data).expect("an event's data is plain JSON");
    String::from_utf8(text)
        .expect("JSON is UTF-8")
        .into_boxed_str()
}

/// Appends what differs between receivers: `,"s":N` if there is a sequence, and `}`.
fn write_tail(sequence: Option<Sequence>, text: &mut Vec<u8>) {
    if let Some(Sequence(number)) = sequence {
        text.extend_from_slice(b",\"s\":");
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        text.extend_from_slice(&digits[start..]);
    }
    text.push(b'}');
}

/// `,"s":`, twenty digits and `}`.
const SEQUENCE_BYTES_MAX: usize = 5 + 20 + 1;
