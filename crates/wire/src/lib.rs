//! The clients' protocol as bytes: opcodes, frames, commands, events, close codes, limits.
//!
//! Pure, and the only crate that knows the clients' JSON. It decides nothing: what a frame
//! means for a client is `guildgate-core`'s concern.

mod application;
mod close;
mod command_name;
mod decode;
mod encode;
mod error_code;
mod error_detail;
mod event;
mod limits;
mod opcode;
mod sequence;
pub mod tables;
mod view;

pub use application::{
    EndReason, FormView, ParticipantView, ReauthReason, SessionStarted, patch_taken,
    reauthenticated, session_heartbeat_taken, success,
};
pub use close::CloseCode;
pub use command_name::CommandName;
pub use decode::{ApplicationCommand, BadField, ClientFrame, Command, Nonce, ResumeFrom, decode};
pub use encode::{
    Authenticated, command_answer, command_error, heartbeat, notification_json, request_auth,
};
pub use error_code::ErrorCode;
pub use error_detail::ErrorDetail;
pub use event::{Ends, EventFrame, EventName, Lane};
pub use limits::{
    APPLICATION_SESSIONS_MAX, HeartbeatRequire, Limits, NOTIFICATION_IDS_MAX, PARTICIPANTS_MAX,
    PRESENCE_USERS_MAX, REAUTH_WITHIN, SESSION_HEARTBEAT_INTERVAL, UNKNOWN_NAME_BYTES_MAX,
};
pub use opcode::{Opcode, Sender};
pub use sequence::{ParseSessionIdError, Sequence, SessionId};
pub use view::{GuildView, UserView};
