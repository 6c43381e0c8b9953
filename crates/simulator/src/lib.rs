//! A Discord to run offline: a world of guilds, its gateway, its REST calls, and faults on
//! demand.
//!
//! [`Simulator`] runs it; [`World`] is what it shows; docs/simulator.md is its guide. It keeps
//! Discord's shapes, numbers and close codes, so that any bot library connects to it
//! unchanged. It has no messages, no CDN and no voice servers.

mod clock;
mod config;
mod driver;
mod error;
mod event;
mod gateway;
mod iso;
mod recording;
mod remote;
mod rest;
mod rng;
mod simulator;
mod world;

pub use clock::Clock;
pub use config::{
    Authority, DEFAULT_TOKEN, Liveness, MainUrlResume, Motion, Settings, SimulatorConfig,
    UserAccount,
};
pub use error::SimulatorError;
pub use gateway::{
    Burst, BurstKind, BurstReport, CloseCode, Corruption, Counters, Emission, Fault, Playback,
    Speed, Target,
};
pub use recording::{
    Direction, RecordError, RecordOptions, RecordSummary, RecordedFrame, Recorder, Recording,
    RecordingError, Redaction, Redactor, record,
};
pub use remote::{RemoteError, RemoteSimulator};
pub use simulator::{Made, Simulator, SimulatorHandle};
pub use world::{
    Application, Availability, Change, ChangeError, Channel, ChannelKind, Crowd, Emoji, Generated,
    Guild, GuildEdit, Invite, Join, Member, MemberEdit, Members, Overwrite, Role, RoleEdit,
    RoleSource, User, UserKind, VoiceState, World, WorldError, demo_ids,
};
