//! What live application sessions say: the events, and `data` of the answers.
//!
//! Source: wire protocol, "Live application sessions", "Commands", "Events".

use std::sync::Arc;

use guildgate_model::{ApplicationId, GuildId, Permissions, Revision, UserId};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::{EventFrame, EventName, Lane};

/// Why an application session is over; `reason` of APPLICATION_SESSION_END.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// Its client ended it.
    Command,
    /// Its client did not answer APPLICATION_SESSION_HB_P.
    HeartbeatTimeout,
    /// Its client did not, or not rightly, authenticate again.
    ReauthFailed,
    /// The user may not take part any more.
    Forbidden,
    /// The bot is no longer in the guild.
    GuildGone,
}

impl EndReason {
    /// Every reason, in the order of the protocol's list.
    pub const ALL: [EndReason; 5] = [
        EndReason::Command,
        EndReason::HeartbeatTimeout,
        EndReason::ReauthFailed,
        EndReason::Forbidden,
        EndReason::GuildGone,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EndReason::Command => "command",
            EndReason::HeartbeatTimeout => "heartbeat_timeout",
            EndReason::ReauthFailed => "reauth_failed",
            EndReason::Forbidden => "forbidden",
            EndReason::GuildGone => "guild_gone",
        }
    }

    /// What happened, for the documents.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            EndReason::Command => "you ended it",
            EndReason::HeartbeatTimeout => "no APPLICATION_SESSION_HB_M came in time",
            EndReason::ReauthFailed => {
                "no APPLICATION_SESSION_REAUTH in time, or one with a wrong `pm` or bad tokens"
            }
            EndReason::Forbidden => "you may not take part any more",
            EndReason::GuildGone => "the bot is no longer in the guild",
        }
    }
}

/// Why a client must authenticate again; `reason` of APPLICATION_SESSION_REAUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReauthReason {
    /// The member's permissions changed.
    PermissionsChanged,
    /// One of the session's tokens expired.
    TokenExpired,
    /// One of the session's tokens was revoked.
    TokenRevoked,
}

impl ReauthReason {
    /// Every reason.
    pub const ALL: [ReauthReason; 3] = [
        ReauthReason::PermissionsChanged,
        ReauthReason::TokenExpired,
        ReauthReason::TokenRevoked,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReauthReason::PermissionsChanged => "permissions_changed",
            ReauthReason::TokenExpired => "token_expired",
            ReauthReason::TokenRevoked => "token_revoked",
        }
    }

    /// What happened, for the documents.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            ReauthReason::PermissionsChanged => "your permissions in the guild changed",
            ReauthReason::TokenExpired => "one of the session's two tokens expired",
            ReauthReason::TokenRevoked => "one of them was revoked",
        }
    }
}

/// Who takes part in a session, as `participants` lists them and JOIN and LEAVE name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParticipantView<'a> {
    /// Who.
    pub uid: UserId,
    /// Their tag.
    pub tag: &'a str,
}

/// `data` of APPLICATION_SESSION's answer.
#[derive(Debug, Serialize)]
pub struct SessionStarted<'a> {
    /// Where.
    pub gid: GuildId,
    /// The document's version.
    pub apv: Revision,
    /// The document.
    pub document: &'a Value,
    /// Who else takes part, each user once.
    pub participants: Vec<ParticipantView<'a>>,
    /// Milliseconds between two heartbeats of the session.
    pub heartbeat_interval: u64,
    /// The user's permissions, the first `pm` to remember.
    pub permissions: Permissions,
    /// The form that a draft answers; none in a session on the form itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<FormView<'a>>,
}

/// The form that a draft answers.
#[derive(Debug, Serialize)]
pub struct FormView<'a> {
    /// Its version, which a submission names.
    pub apv: Revision,
    /// Its document.
    pub document: &'a Value,
}

impl SessionStarted<'_> {
    /// Encoded.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        raw(self)
    }
}

/// `data` of APPLICATION_SESSION_PATCH's answer: the version that the patch made.
#[must_use]
pub fn patch_taken(guild: GuildId, apv: Revision) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Data {
        gid: GuildId,
        apv: Revision,
    }
    raw(&Data { gid: guild, apv })
}

/// `data` of APPLICATION_SESSION_REAUTH's answer: the permissions as they are now.
#[must_use]
pub fn reauthenticated(permissions: Permissions) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Data {
        success: bool,
        permissions: Permissions,
    }
    raw(&Data {
        success: true,
        permissions,
    })
}

/// `data` of APPLICATION_SESSION_HB_M's answer.
#[must_use]
pub fn session_heartbeat_taken() -> Box<RawValue> {
    raw(&serde_json::Map::new())
}

/// `{success: true}`: `data` of APPLICATION_SESSION_END's answer, and of others.
#[must_use]
pub fn success() -> Box<RawValue> {
    #[derive(Serialize)]
    struct Data {
        success: bool,
    }
    raw(&Data { success: true })
}

impl EventFrame {
    /// APPLICATION_SESSION_HB_P.
    #[must_use]
    pub fn session_heartbeat(guild: GuildId) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data {
            gid: GuildId,
        }
        let data = Data { gid: guild };
        EventFrame::new(EventName::ApplicationSessionHbP, Lane::Certain, &data)
    }

    /// APPLICATION_SESSION_REAUTH; the client has `deadline_ms` from now.
    #[must_use]
    pub fn session_reauth(
        guild: GuildId,
        reason: ReauthReason,
        deadline_ms: u64,
    ) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data {
            gid: GuildId,
            reason: &'static str,
            deadline_ms: u64,
        }
        let data = Data {
            gid: guild,
            reason: reason.name(),
            deadline_ms,
        };
        EventFrame::new(EventName::ApplicationSessionReauth, Lane::Certain, &data)
    }

    /// APPLICATION_SESSION_PATCH; `uid` is null where the document changed by itself.
    #[must_use]
    pub fn session_patch(
        guild: GuildId,
        user: Option<UserId>,
        apv: Revision,
        patch: &Value,
    ) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data<'a> {
            gid: GuildId,
            uid: Option<UserId>,
            apv: Revision,
            patch: &'a Value,
        }
        let data = Data {
            gid: guild,
            uid: user,
            apv,
            patch,
        };
        EventFrame::new(EventName::ApplicationSessionPatch, Lane::Certain, &data)
    }

    /// APPLICATION_SESSION_JOIN.
    #[must_use]
    pub fn session_join(guild: GuildId, who: &ParticipantView<'_>) -> Arc<EventFrame> {
        presence(EventName::ApplicationSessionJoin, guild, who)
    }

    /// APPLICATION_SESSION_LEAVE.
    #[must_use]
    pub fn session_leave(guild: GuildId, who: &ParticipantView<'_>) -> Arc<EventFrame> {
        presence(EventName::ApplicationSessionLeave, guild, who)
    }

    /// APPLICATION_SUBMITTED.
    #[must_use]
    pub fn application_submitted(
        guild: GuildId,
        application: ApplicationId,
        user: UserId,
    ) -> Arc<EventFrame> {
        #[derive(Serialize)]
        struct Data {
            gid: GuildId,
            id: ApplicationId,
            uid: UserId,
        }
        let data = Data {
            gid: guild,
            id: application,
            uid: user,
        };
        EventFrame::new(EventName::ApplicationSubmitted, Lane::Certain, &data)
    }
}

fn presence(name: EventName, guild: GuildId, who: &ParticipantView<'_>) -> Arc<EventFrame> {
    #[derive(Serialize)]
    struct Data<'a> {
        gid: GuildId,
        #[serde(flatten)]
        who: &'a ParticipantView<'a>,
    }
    EventFrame::new(name, Lane::Certain, &Data { gid: guild, who })
}

fn raw(data: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(data).expect("an answer's data is plain JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GUILD: GuildId = GuildId(7);

    fn check_event(event: &EventFrame, name: &str, data: Value) {
        let mut text = Vec::new();
        event.write_to(None, &mut text);
        let frame: Value = serde_json::from_slice(&text).expect("a frame is JSON");
        assert_eq!(frame, json!({"op": 5, "t": name, "ev": name, "d": data}));
        assert_eq!(event.lane(), Lane::Certain);
    }

    #[test]
    fn events_have_the_protocols_shape() {
        check_event(
            &EventFrame::session_heartbeat(GUILD),
            "APPLICATION_SESSION_HB_P",
            json!({"gid": "7"}),
        );
        check_event(
            &EventFrame::session_reauth(GUILD, ReauthReason::TokenRevoked, 20_000),
            "APPLICATION_SESSION_REAUTH",
            json!({"gid": "7", "reason": "token_revoked", "deadline_ms": 20_000}),
        );
        let patch = json!([{"op": "remove", "path": "/sections/0"}]);
        check_event(
            &EventFrame::session_patch(GUILD, Some(UserId(9)), Revision(3), &patch),
            "APPLICATION_SESSION_PATCH",
            json!({"gid": "7", "uid": "9", "apv": 3, "patch": patch}),
        );
        let who = ParticipantView {
            uid: UserId(9),
            tag: "ann",
        };
        let data = json!({"gid": "7", "uid": "9", "tag": "ann"});
        let join = EventFrame::session_join(GUILD, &who);
        check_event(&join, "APPLICATION_SESSION_JOIN", data.clone());
        let leave = EventFrame::session_leave(GUILD, &who);
        check_event(&leave, "APPLICATION_SESSION_LEAVE", data);
        check_event(
            &EventFrame::application_submitted(GUILD, ApplicationId(4), UserId(9)),
            "APPLICATION_SUBMITTED",
            json!({"gid": "7", "id": "4", "uid": "9"}),
        );
    }

    #[test]
    fn answers_have_the_protocols_shape() {
        let document = json!({"status": 0, "sections": []});
        let started = SessionStarted {
            gid: GUILD,
            apv: Revision(2),
            document: &document,
            participants: vec![ParticipantView {
                uid: UserId(9),
                tag: "ann",
            }],
            heartbeat_interval: 30_000,
            permissions: Permissions(32),
            form: None,
        };
        let expected = json!({
            "gid": "7",
            "apv": 2,
            "document": document,
            "participants": [{"uid": "9", "tag": "ann"}],
            "heartbeat_interval": 30_000,
            "permissions": "32",
        });
        let cases = [
            (started.to_raw(), expected),
            (
                patch_taken(GUILD, Revision(3)),
                json!({"gid": "7", "apv": 3}),
            ),
            (
                reauthenticated(Permissions(40)),
                json!({"success": true, "permissions": "40"}),
            ),
            (session_heartbeat_taken(), json!({})),
            (success(), json!({"success": true})),
        ];
        for (raw, expected) in cases {
            let value: Value = serde_json::from_str(raw.get()).expect("an answer is JSON");
            assert_eq!(value, expected);
        }
    }
}
