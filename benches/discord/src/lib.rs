//! Discord's side beside twilight-gateway: the same recorded bytes for both.
//!
//! The simulator's gateway is recorded, message by message and in its order, and packed into one
//! zstd stream with the parameters that Discord has told of.

mod bodies;
pub mod inside;
mod pack;
mod record;

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use guildgate_discord::{Compression, Epoch, Input, Output, Rng, Shard, ShardConfig};
use guildgate_model::{Now, Secret, ShardId, UpstreamEvent, Wanted, WantedUsers};
use guildgate_simulator::Generated;

pub use crate::record::record;
use crate::record::{ACTIVE, GUILDS};

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// 2,500 guilds of 100 KiB appear.
    StartUp,
    /// Members get and lose roles and names, join and leave; roles change.
    Updates,
    /// Presences, typing, messages, reactions, voice.
    Unneeded,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 3] = [Workload::StartUp, Workload::Updates, Workload::Unneeded];

    /// Its name in reports and files.
    pub fn name(self) -> &'static str {
        match self {
            Workload::StartUp => "start-up",
            Workload::Updates => "updates",
            Workload::Unneeded => "unneeded",
        }
    }

    /// The one called so.
    pub fn named(name: &str) -> Option<Workload> {
        Workload::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
    }
}

/// A gateway connection's messages in order: HELLO, READY, the guilds, the events, and last a
/// GUILD_DELETE, by which a client knows that it has everything.
pub struct Recording {
    /// The binary messages, of one zstd stream.
    pub messages: Vec<Vec<u8>>,
}

impl Recording {
    /// The recording of a workload, made once and kept beside the build.
    ///
    /// # Errors
    /// Of the file.
    pub fn of(workload: Workload) -> io::Result<Recording> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("target/recordings")
            .join(format!("{}-{FORMAT}", workload.name()));
        if path.exists() {
            return Recording::load(&path);
        }
        let runtime = tokio::runtime::Runtime::new()?;
        let recording = Recording {
            messages: runtime.block_on(record(workload)),
        };
        recording.save(&path)?;
        Ok(recording)
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path.parent().expect("a folder"))?;
        let mut file = BufWriter::new(File::create(path)?);
        for message in &self.messages {
            let length = u32::try_from(message.len()).map_err(io::Error::other)?;
            file.write_all(&length.to_le_bytes())?;
            file.write_all(message)?;
        }
        file.flush()
    }

    fn load(path: &Path) -> io::Result<Recording> {
        let mut file = BufReader::new(File::open(path)?);
        let mut messages = Vec::new();
        let mut length = [0; 4];
        while file.read_exact(&mut length).is_ok() {
            let mut message = vec![0; u32::from_le_bytes(length) as usize];
            file.read_exact(&mut message)?;
            messages.push(message);
        }
        Ok(Recording { messages })
    }
}

/// Goes up whenever what is recorded changes.
const FORMAT: u32 = 2;

/// The epoch of a shard's first connection.
pub const EPOCH: Epoch = Epoch(1);

/// How many of the people in the recording are connected to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// None.
    Nobody,
    /// Ten of each guild's hundred who are about.
    OneInTen,
    /// All who are about.
    Everybody,
}

impl Share {
    /// All of them.
    pub const ALL: [Share; 3] = [Share::Nobody, Share::OneInTen, Share::Everybody];

    /// Its name in reports and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Share::Nobody => "nobody",
            Share::OneInTen => "one-in-ten",
            Share::Everybody => "everybody",
        }
    }
}

/// Those who are connected.
pub struct Audience {
    wanted: Arc<WantedUsers>,
    _kept: Vec<Wanted>,
}

impl Audience {
    /// A share of the people in the recordings.
    pub fn of(share: Share) -> Audience {
        let step = match share {
            Share::Nobody => return Audience::default(),
            Share::OneInTen => 10,
            Share::Everybody => 1,
        };
        let wanted = Arc::<WantedUsers>::default();
        let people = (0..GUILDS)
            .flat_map(|guild| (0..ACTIVE).map(move |number| Generated::user_id(guild, number)));
        Audience {
            _kept: people.step_by(step).map(|user| wanted.want(user)).collect(),
            wanted,
        }
    }
}

impl Default for Audience {
    fn default() -> Audience {
        Audience {
            wanted: Arc::default(),
            _kept: Vec::new(),
        }
    }
}

/// A shard that waits for HELLO, under zstd, for those who are connected.
pub fn shard(audience: &Audience) -> Shard {
    let id = ShardId { id: 0, count: 1 };
    let mut config = ShardConfig::new(id, Secret::new("simulator"), "ws://gateway");
    config.compression = Compression::ZstdStream;
    config.wanted = Some(Arc::clone(&audience.wanted));
    let mut shard = Shard::new(config, Rng::new(1), None);
    let mut out = Vec::new();
    shard.handle(Now::default(), Input::Start, &mut out);
    shard.handle(Now::default(), Input::Opened { epoch: EPOCH }, &mut out);
    shard
}

/// Whether this is the last event of a recording.
pub fn is_last(event: &UpstreamEvent) -> bool {
    matches!(event, UpstreamEvent::GuildLeft(_))
}

/// Runs a recording through a shard, and counts the events that came out.
pub fn run(shard: &mut Shard, recording: &Recording) -> usize {
    let now = Now::default();
    let mut out = Vec::new();
    let mut events = 0;
    for (index, bytes) in recording.messages.iter().enumerate() {
        let input = Input::Binary {
            epoch: EPOCH,
            bytes,
        };
        shard.handle(now, input, &mut out);
        if index == 0 {
            shard.handle(now, Input::Permit { epoch: EPOCH }, &mut out);
        }
        events += out
            .drain(..)
            .filter(|output| matches!(output, Output::Event { .. }))
            .count();
    }
    events
}
