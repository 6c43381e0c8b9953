//! Opcode 5, every event.

use std::sync::Arc;

use guildgate_model::{
    ApplicationId, Decision, GuildId, Notification, NotificationId, Permissions, Revision, UnixMs,
    UserId,
};
use guildgate_wire::{EventFrame, ParticipantView, ReauthReason, Sequence};
use serde_json::json;

use super::server::{guild_json, user};

const GUILD: GuildId = GuildId(123_467);

/// Name, event, and the receiver's sequence.
pub fn frames() -> Vec<(&'static str, Arc<EventFrame>, Option<Sequence>)> {
    let mut frames = guild_events();
    frames.extend(application_events());
    frames
}

fn guild_events() -> Vec<(&'static str, Arc<EventFrame>, Option<Sequence>)> {
    let guild = guild_json();
    let privilege = EventFrame::privilege(GUILD, UserId(1234), "name#disc", Permissions(1 << 63));
    vec![
        ("member count, basic", EventFrame::count(GUILD, 101), None),
        (
            "member count, full",
            EventFrame::count(GUILD, 101),
            Some(Sequence(1)),
        ),
        (
            "the largest sequence",
            EventFrame::count(GUILD, u64::MAX),
            Some(Sequence(u64::MAX)),
        ),
        ("privileges", privilege, Some(Sequence(10))),
        (
            "guild update",
            EventFrame::guild_update(GUILD, &guild),
            None,
        ),
        (
            "resync, full",
            EventFrame::guild_resync(GUILD, &guild, Some(&user())),
            Some(Sequence(2)),
        ),
        (
            "resync, basic",
            EventFrame::guild_resync(GUILD, &guild, None),
            None,
        ),
        ("outage", EventFrame::guild_unavailable(GUILD, false), None),
        (
            "the bot was removed",
            EventFrame::guild_unavailable(GUILD, true),
            None,
        ),
    ]
}

fn application_events() -> Vec<(&'static str, Arc<EventFrame>, Option<Sequence>)> {
    let notification = Notification {
        id: NotificationId(41),
        decision: Decision::Denied,
        guild: GUILD,
        application: Some(ApplicationId(9)),
        note: None,
        at: UnixMs(1_790_000_000_000),
    };
    let reviewed = EventFrame::reviewed(&notification);
    let who = ParticipantView {
        uid: UserId(1234),
        tag: "name#disc",
    };
    let patch = json!([{ "op": "replace", "path": "/sections/0/title", "value": "Hello" }]);
    let events = vec![
        ("session heartbeat", EventFrame::session_heartbeat(GUILD)),
        (
            "session wants fresh tokens",
            EventFrame::session_reauth(GUILD, ReauthReason::PermissionsChanged, 20_000),
        ),
        (
            "somebody's patch",
            EventFrame::session_patch(GUILD, Some(UserId(1234)), Revision(8), &patch),
        ),
        (
            "somebody joins the session",
            EventFrame::session_join(GUILD, &who),
        ),
        (
            "somebody leaves the session",
            EventFrame::session_leave(GUILD, &who),
        ),
        (
            "session is over",
            EventFrame::application_session_end(GUILD, "heartbeat_timeout"),
        ),
        ("application reviewed", reviewed),
        (
            "application submitted",
            EventFrame::application_submitted(GUILD, ApplicationId(9), UserId(1234)),
        ),
    ];
    events
        .into_iter()
        .zip(1..)
        .map(|((name, event), number)| (name, event, Some(Sequence(number))))
        .collect()
}
