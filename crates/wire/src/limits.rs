//! The protocol's bounds, in one table.

use std::time::Duration;

/// What counts as a sign of life.
///
/// Source: wire protocol, "Heartbeat", `heartbeat.require`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeartbeatRequire {
    /// Any frame of the client's, a pong included: deployed clients know no opcode 3.
    #[default]
    AnySign,
    /// Opcode 4 alone.
    Reply,
}

/// Most ids in one NOTIFICATIONS_ACK.
pub const NOTIFICATION_IDS_MAX: usize = 256;
/// The longest name of an unknown command that is said back, bytes: a name may be as long as a
/// frame.
pub const UNKNOWN_NAME_BYTES_MAX: usize = 64;
/// Most guilds whose applications one connection edits at a time.
pub const APPLICATION_SESSIONS_MAX: usize = 16;
/// Most clients in one application session of a node; one more is refused with `full`.
pub const PARTICIPANTS_MAX: usize = 16_384;
/// Most users for whom coming and going is told, and who are listed to newcomers. In a larger
/// crowd a join would cost as many events as there are people.
pub const PRESENCE_USERS_MAX: usize = 128;
/// Between two heartbeats of an application session, and how long its client has to answer one.
pub const SESSION_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);
/// How long a client may take to authenticate to an application session again.
pub const REAUTH_WITHIN: Duration = Duration::from_secs(20);

/// What a connection may do and for how long. The default is the protocol's.
///
/// Source: wire protocol, "Close codes", "Heartbeat", "Resume".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest client frame outside an application session, bytes.
    pub frame_bytes_max: usize,
    /// Largest client frame inside one, bytes.
    pub session_frame_bytes_max: usize,
    /// Most client frames in [`Limits::frames_window`] outside an application session.
    pub frames_max: u32,
    /// Most client frames in [`Limits::frames_window`] inside one.
    pub session_frames_max: u32,
    /// The window that frames are counted in.
    pub frames_window: Duration,
    /// How long a client may still send what fits an application session after its last one
    /// ended: what it sends had been on its way when it was told of the end.
    pub session_grace: Duration,
    /// How long a client may take to authenticate.
    pub authenticate_within: Duration,
    /// Between two heartbeats.
    pub heartbeat_interval: Duration,
    /// What counts as a sign of life between two of them.
    pub heartbeat_require: HeartbeatRequire,
    /// How long a session outlives its connection.
    pub resume_window: Duration,
    /// Most events kept for a resume.
    pub resume_events_max: usize,
    /// Most bytes of events kept for a resume.
    pub resume_bytes_max: usize,
    /// Most certain frames that wait for a socket, before the client is too slow.
    pub queue_frames_max: usize,
    /// Most bytes of certain frames that wait for a socket, before the client is too slow.
    pub queue_bytes_max: usize,
    /// Longest nonce, bytes.
    pub nonce_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            frame_bytes_max: 4 * 1024,
            session_frame_bytes_max: 64 * 1024,
            frames_max: 50,
            session_frames_max: 200,
            frames_window: Duration::from_secs(5),
            session_grace: Duration::from_secs(10),
            authenticate_within: Duration::from_secs(20),
            heartbeat_interval: Duration::from_secs(45),
            heartbeat_require: HeartbeatRequire::AnySign,
            resume_window: Duration::from_secs(120),
            resume_events_max: 256,
            resume_bytes_max: 1024 * 1024,
            queue_frames_max: 256,
            queue_bytes_max: 256 * 1024,
            nonce_bytes_max: 64,
        }
    }
}
