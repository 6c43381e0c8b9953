//! Any bytes from Discord's side: no panic, bounded memory, and the promises of the machine.
//!
//! Shared by the fuzzer and by the ordinary tests, which replay the corpora.

use std::{collections::VecDeque, time::Duration};

use guildgate_discord::{
    Backlog, CloseCode, Command, Compression, Dispatch, Envelope, EnvelopeError, Epoch, Inflater,
    Input, Output, Rng, SEND_PAYLOADS_MAX, SEND_WINDOW, Shard, ShardConfig, decode, decode_wanted,
};
use guildgate_model::{GuildId, Mono, Now, Secret, ShardId, UserId};

const INFLATED_MAX: usize = 64 << 10;

/// A payload is read or refused; one that is whole JSON is never called malformed.
pub fn payload(data: &[u8]) {
    let whole: Option<serde_json::Value> = serde_json::from_slice(data).ok();
    match Envelope::peek(data) {
        Ok(envelope) => {
            let decoded = decode(&envelope);
            // With somebody not wanted less is looked at, and nothing is read otherwise.
            let some = decode_wanted(&envelope, |user| user.0 % 2 == 0);
            assert!(
                some == Ok(Dispatch::Unneeded) || some == decoded,
                "{some:?}"
            );
            if whole.is_some() {
                let malformed =
                    matches!(decoded, Err(guildgate_discord::DecodeError::Malformed(_)));
                assert!(!malformed, "{decoded:?}");
            }
        }
        Err(EnvelopeError::Malformed(fault)) => {
            assert!(!whole.is_some_and(|value| value.is_object()), "{fault}");
        }
        Err(EnvelopeError::Unnamed) => {}
    }
}

/// Whatever comes in, what comes out is bounded. The first byte chooses the compression, the
/// second the length of the messages.
pub fn inflate(data: &[u8]) {
    let [kind, length, bytes @ ..] = data else {
        return;
    };
    let compression = match kind % 4 {
        0 => Compression::None,
        1 => Compression::Payload,
        2 => Compression::ZlibStream,
        _ => Compression::ZstdStream,
    };
    let mut inflater =
        Inflater::with_bound(compression, INFLATED_MAX).expect("memory for a decoder");
    let length = match length {
        0 => bytes.len().max(1),
        length => usize::from(*length),
    };
    for message in bytes.chunks(length) {
        match inflater.push(message) {
            Ok(Some(out)) => assert!(out.len() <= INFLATED_MAX),
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// What a server may say, by number.
const SAYINGS: [&str; 14] = [
    r#"{"op":10,"d":{"heartbeat_interval":1000}}"#,
    r#"{"op":10,"d":{"heartbeat_interval":0}}"#,
    r#"{"t":"READY","s":1,"op":0,"d":{"session_id":"s","resume_gateway_url":"ws://r","user":{"id":"1"},"guilds":[]}}"#,
    r#"{"t":"RESUMED","s":3,"op":0,"d":{}}"#,
    r#"{"op":11}"#,
    r#"{"op":1}"#,
    r#"{"op":7}"#,
    r#"{"op":9,"d":true}"#,
    r#"{"op":9,"d":false}"#,
    r#"{"t":"GUILD_MEMBER_ADD","s":2,"op":0,"d":{"guild_id":"1","user":{"id":"2"}}}"#,
    r#"{"t":"GUILD_MEMBERS_CHUNK","s":4,"op":0,"d":{"guild_id":"1","members":[],"chunk_index":0,"chunk_count":9}}"#,
    r#"{"t":"RATE_LIMITED","s":5,"op":0,"d":{"opcode":8,"retry_after":1e300,"meta":{"guild_id":"1"}}}"#,
    r#"{"t":"GUILD_CREATE","s":18446744073709551615,"op":0,"d":{"id":1}}"#,
    r#"{"op":0,"s":0}"#,
];

/// A machine under a script: each step is a byte that says what happens and one that says how.
pub fn machine(data: &[u8]) {
    let mut play = Play::new(data.first().copied().unwrap_or(0));
    play.input(Input::Start);
    let mut script = data.iter().copied().skip(1);
    while let (Some(what), Some(how)) = (script.next(), script.next()) {
        let epoch = play.epoch(how);
        match what % 12 {
            0 => play.open(epoch),
            1 => play.fail(epoch),
            2 => play.close(epoch, 999 + u16::from(how) * 16),
            3 => play.input(Input::Permit { epoch }),
            4 => play.pass(Duration::from_millis(u64::from(how) * 400)),
            5 => play.command(how),
            6 => play.input(Input::Handled {
                seq: u64::from(how),
            }),
            7 => {
                let bytes: Vec<u8> = script.by_ref().take(usize::from(how)).collect();
                let epoch = play.last;
                play.input(Input::Text {
                    epoch,
                    bytes: &bytes,
                });
            }
            8 if how == 255 => play.input(Input::Suspend),
            8 if how == 254 => play.input(Input::Shutdown),
            _ => {
                let epoch = play.last;
                let bytes = SAYINGS[usize::from(how) % SAYINGS.len()].as_bytes();
                play.input(Input::Text { epoch, bytes });
            }
        }
    }
}

struct Play {
    shard: Shard,
    now: Now,
    last: Epoch,
    live: Option<Epoch>,
    opened: bool,
    sent: VecDeque<Mono>,
}

impl Play {
    fn new(seed: u8) -> Play {
        let shard = ShardId { id: 0, count: 1 };
        let mut config = ShardConfig::new(shard, Secret::new("token"), "ws://gateway");
        config.compression = Compression::None;
        Play {
            shard: Shard::new(config, Rng::new(u64::from(seed)), None),
            now: Now::default(),
            last: Epoch::default(),
            live: None,
            opened: false,
            sent: VecDeque::new(),
        }
    }

    /// Mostly the newest connection, sometimes the one before.
    fn epoch(&self, how: u8) -> Epoch {
        Epoch(self.last.0.saturating_sub(u64::from(how % 8 == 7)))
    }

    fn open(&mut self, epoch: Epoch) {
        self.opened |= self.live == Some(epoch);
        self.input(Input::Opened { epoch });
    }

    /// No driver says so of a connection that is open.
    fn fail(&mut self, epoch: Epoch) {
        if self.opened {
            return;
        }
        if self.live == Some(epoch) {
            self.live = None;
        }
        self.input(Input::DialFailed { epoch });
    }

    fn close(&mut self, epoch: Epoch, code: u16) {
        if self.live == Some(epoch) {
            self.live = None;
        }
        let code = Some(CloseCode(code));
        self.input(Input::Closed { epoch, code });
    }

    fn command(&mut self, how: u8) {
        let command = Command::WantMembers {
            guild: GuildId(u64::from(how % 4)),
            users: (0..u64::from(how)).map(UserId).collect(),
        };
        let mut out = Vec::new();
        // Refusing is an answer too.
        let _ = self.shard.command(self.now, command, &mut out);
        self.perform(out);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        for _ in 0..10_000 {
            let Some(at) = self.shard.deadline().filter(|&at| at <= end.mono) else {
                break;
            };
            self.now = self.now.after(at.since(self.now.mono));
            self.input(Input::Tick {
                backlog: Backlog::Empty,
            });
            let next = self.shard.deadline();
            assert!(
                next.is_none_or(|next| next > self.now.mono),
                "a deadline that stays"
            );
        }
        self.now = self.now.after(end.mono.since(self.now.mono));
    }

    fn input(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.shard.handle(self.now, input, &mut out);
        self.perform(out);
    }

    fn perform(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Dial { epoch, .. } => {
                    assert!(self.live.is_none(), "two connections at once");
                    assert!(epoch > self.last, "a connection's number comes once");
                    self.live = Some(epoch);
                    self.last = epoch;
                    self.opened = false;
                    self.sent.clear();
                }
                Output::Send { epoch, message } => {
                    assert_eq!(Some(epoch), self.live);
                    assert!(message.text.len() <= 4096);
                    self.sent.push_back(self.now.mono);
                    let now = self.now.mono;
                    self.sent.retain(|at| now.since(*at) <= SEND_WINDOW);
                    assert!(self.sent.len() <= SEND_PAYLOADS_MAX);
                }
                Output::Drop { epoch } => {
                    assert_eq!(Some(epoch), self.live);
                    self.live = None;
                }
                Output::Close { epoch, .. } => assert_eq!(Some(epoch), self.live),
                Output::AskPermit { .. }
                | Output::AskPrivileges { .. }
                | Output::ReleasePermit { .. }
                | Output::Event { .. }
                | Output::Members(_)
                | Output::Note(_)
                | Output::Stopped(_) => {}
            }
        }
    }
}
