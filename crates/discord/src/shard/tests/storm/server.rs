//! Discord's side of a storm: what it keeps, and how it answers.

use super::{Storm, Weather, *};
use crate::{
    SEND_PAYLOADS_MAX,
    inflate::tests::{Deflater, Zstd},
};

const HEARTBEAT: u64 = 45;
/// A chunk is told from others by a user who is none: this and its number.
const CHUNK: u64 = 2_000_000;

/// Discord, as the storm plays it.
pub(super) struct Server {
    /// The number of the session, and what was sent in it: index 0 is sequence 1.
    pub(super) session: u64,
    pub(super) log: Vec<Logged>,
    /// The socket, once it is open.
    pub(super) socket: Option<Socket>,
    next_event: u64,
    compression: Compression,
    /// When all members of a guild were last asked for.
    full_at: BTreeMap<String, Mono>,
}

impl Server {
    pub(super) fn new(compression: Compression) -> Server {
        Server {
            session: 0,
            log: Vec::new(),
            socket: None,
            next_event: 0,
            compression,
            full_at: BTreeMap::new(),
        }
    }
}

/// What was dispatched.
pub(super) enum Logged {
    /// What the client makes nothing of.
    Nothing,
    /// The event with this number, of a member who bears it too.
    Member(u64),
    /// Members who were asked for, also an event with a number.
    Chunk { event: u64, data: String },
}

impl Logged {
    fn text(&self, seq: usize) -> String {
        let (name, data) = match self {
            Logged::Nothing => ("TYPING_START", "{}".to_owned()),
            Logged::Member(event) if is_change(*event) => {
                ("GUILD_MEMBER_UPDATE", joined(1, *event).to_string())
            }
            Logged::Member(event) => ("GUILD_MEMBER_ADD", joined(1, *event).to_string()),
            Logged::Chunk { data, .. } => ("GUILD_MEMBERS_CHUNK", data.clone()),
        };
        format!(r#"{{"t":"{name}","s":{seq},"op":0,"d":{data}}}"#)
    }
}

pub(super) fn is_change(event: u64) -> bool {
    event.is_multiple_of(3)
}

/// The number of the chunk that this user marks, if it marks one.
pub(super) fn chunk_of(user: UserId) -> Option<u64> {
    user.0.checked_sub(CHUNK)
}

fn id_of(value: &Value) -> UserId {
    let text = value.as_str().expect("ids are text");
    UserId(text.parse().expect("a number"))
}

/// What is on its way to the client.
pub(super) enum Said {
    Text(String),
    /// Only the first half of it, as it is packed.
    Cut(String),
    /// Bytes that nobody packed.
    Noise(Vec<u8>),
}

pub(super) struct Socket {
    pub(super) epoch: Epoch,
    identified: bool,
    pub(super) silent: bool,
    sent_by_client: Vec<Mono>,
    pack: Pack,
}

/// How a connection's messages are compressed.
enum Pack {
    None,
    Zlib(Box<Deflater>),
    Zstd(Zstd),
}

/// A WebSocket message.
enum Packed {
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

impl Packed {
    fn as_mut(&mut self) -> &mut Vec<u8> {
        match self {
            Packed::Text(bytes) | Packed::Binary(bytes) => bytes,
        }
    }
}

impl Pack {
    fn new(compression: Compression) -> Pack {
        match compression {
            Compression::None | Compression::Payload => Pack::None,
            Compression::ZlibStream => Pack::Zlib(Box::new(Deflater::new())),
            Compression::ZstdStream => Pack::Zstd(Zstd::new()),
        }
    }

    fn push(&mut self, text: &[u8]) -> Packed {
        match self {
            Pack::None => Packed::Text(text.to_vec()),
            Pack::Zlib(deflater) => Packed::Binary(deflater.push(text)),
            Pack::Zstd(encoder) => Packed::Binary(encoder.push(text)),
        }
    }
}

impl Storm {
    /// An event: kept in the session's log, and sent if somebody listens.
    pub(super) fn happen(&mut self) {
        self.server.next_event += 1;
        let event = self.server.next_event;
        self.server.log.push(Logged::Member(event));
        self.say_last();
    }

    /// Sends the last event of the log.
    fn say_last(&mut self) {
        let seq = self.server.log.len();
        let listens = self
            .server
            .socket
            .as_ref()
            .is_some_and(|socket| socket.identified);
        if let Some(last) = self.server.log.last().filter(|_| listens) {
            let text = last.text(seq);
            self.say(text);
        }
    }

    /// Something arrives that is not what was sent.
    pub(super) fn spoil(&mut self) {
        let said = match self.chance.below(2) {
            0 => Said::Cut(r#"{"op":11,"d":"the rest of this is lost"}"#.to_owned()),
            _ => {
                let bytes = 1 + self.chance.below(40);
                let noise = (0..bytes).map(|_| self.chance.number().to_le_bytes()[0]);
                Said::Noise(noise.collect())
            }
        };
        if self.server.socket.is_some() {
            self.inbox.push_back(said);
        }
    }

    pub(super) fn say(&mut self, text: String) {
        if self.server.socket.is_some() {
            self.inbox.push_back(Said::Text(text));
        }
    }

    pub(super) fn close(&mut self, code: Option<u16>) {
        if let Some(socket) = self.server.socket.take() {
            self.deliver();
            self.live.remove(&socket.epoch);
            if matches!(code, Some(1000 | 1001 | 4003 | 4007 | 4009)) {
                self.server.session += 1;
                self.server.log.clear();
            }
            let code = code.map(CloseCode);
            self.input(Input::Closed {
                epoch: socket.epoch,
                code,
            });
        }
    }

    /// What was said arrives, packed as the connection wants it.
    pub(super) fn deliver(&mut self) {
        while let Some(said) = self.inbox.pop_front() {
            let Some(socket) = &mut self.server.socket else {
                self.inbox.clear();
                return;
            };
            let epoch = socket.epoch;
            let (mut bytes, half) = match said {
                Said::Text(text) => (socket.pack.push(text.as_bytes()), false),
                Said::Cut(text) => (socket.pack.push(text.as_bytes()), true),
                Said::Noise(noise) => (Packed::Binary(noise), false),
            };
            if half {
                let bytes = bytes.as_mut();
                bytes.truncate(bytes.len() / 2);
            }
            match bytes {
                Packed::Text(bytes) => self.input(Input::Text {
                    epoch,
                    bytes: &bytes,
                }),
                Packed::Binary(bytes) => self.input(Input::Binary {
                    epoch,
                    bytes: &bytes,
                }),
            }
        }
    }

    pub(super) fn dialled(&mut self, epoch: Epoch) {
        let fault = match self.weather {
            Weather::Storm => self.chance.below(8),
            Weather::Calm => 7,
        };
        match fault {
            0 => {
                self.live.remove(&epoch);
                self.sim.input(Input::DialFailed { epoch });
            }
            // It hangs.
            1 => {}
            _ => {
                self.server.socket = Some(Socket {
                    epoch,
                    identified: false,
                    silent: false,
                    sent_by_client: Vec::new(),
                    pack: Pack::new(self.server.compression),
                });
                self.sim.input(Input::Opened { epoch });
                if !self.one_in(10) {
                    self.say(format!(
                        r#"{{"op":10,"d":{{"heartbeat_interval":{}}}}}"#,
                        HEARTBEAT * 1000
                    ));
                }
            }
        }
    }

    /// The server hears a payload.
    pub(super) fn hear(&mut self, epoch: Epoch, message: &Message) {
        let now = self.sim.now.mono;
        let (mute, one_too_many) = (self.one_in(12), self.one_in(3));
        let Some(socket) = self
            .server
            .socket
            .as_mut()
            .filter(|socket| socket.epoch == epoch)
        else {
            return;
        };
        socket.sent_by_client.push(now);
        let within = socket
            .sent_by_client
            .iter()
            .filter(|at| now.since(**at) <= seconds(60))
            .count();
        assert!(
            within <= SEND_PAYLOADS_MAX,
            "seed {}: {within} payloads in a minute",
            self.seed
        );
        let frame: Value = serde_json::from_str(&message.text).expect("JSON");
        match message.op {
            Opcode::Heartbeat if !socket.silent => self.say(r#"{"op":11}"#.to_owned()),
            Opcode::Identify => {
                self.identified_at.push(now);
                self.server.session += 1;
                self.server.log = vec![Logged::Nothing];
                if !mute {
                    socket.identified = true;
                    let id = format!("session-{}", self.server.session);
                    self.say(json!({"t": "READY", "s": 1, "op": 0, "d": {"session_id": id, "resume_gateway_url": RESUME, "user": {"id": "1"}, "guilds": []}}).to_string());
                }
            }
            Opcode::Resume if !mute => {
                let wanted = format!("session-{}", self.server.session);
                let seq =
                    usize::try_from(frame["d"]["seq"].as_u64().expect("a number")).expect("small");
                if frame["d"]["session_id"] != json!(wanted)
                    || seq > self.server.log.len()
                    || self.server.log.is_empty()
                {
                    self.say(r#"{"op":9,"d":false}"#.to_owned());
                    return;
                }
                socket.identified = true;
                // Some servers replay one event too many.
                let from = seq.saturating_sub(usize::from(one_too_many));
                let replay: Vec<String> = self
                    .server
                    .log
                    .iter()
                    .enumerate()
                    .skip(from.max(1))
                    .map(|(index, logged)| logged.text(index + 1))
                    .collect();
                for text in replay {
                    self.say(text);
                }
                self.server.log.push(Logged::Nothing);
                let resumed = self.server.log.len();
                self.say(json!({"t": "RESUMED", "s": resumed, "op": 0, "d": {}}).to_string());
            }
            Opcode::RequestMembers => self.on_members_wanted(&frame["d"], mute),
            _ => {}
        }
    }

    /// Answers with a chunk or two, in any order; not at all, or with a refusal, in bad weather.
    fn on_members_wanted(&mut self, wish: &Value, mute: bool) {
        let now = self.sim.now.mono;
        let guild = &wish["guild_id"];
        let nonce = wish["nonce"].as_str().expect("every request has one");
        let users: Vec<UserId> = match wish["user_ids"].as_array() {
            Some(ids) => ids.iter().map(id_of).collect(),
            None => {
                let before = self.server.full_at.insert(guild.to_string(), now);
                assert!(
                    before.is_none_or(|before| now.since(before) >= crate::FULL_REQUEST_SPACING),
                    "seed {}: two full requests for {guild}",
                    self.seed
                );
                Vec::new()
            }
        };
        self.requests.insert(nonce.into(), users.clone());
        if mute {
            return;
        }
        if self.one_in(6) {
            let d = json!({"opcode": 8, "retry_after": 5.5, "meta": {"guild_id": guild, "nonce": nonce}});
            self.server.log.push(Logged::Nothing);
            let seq = self.server.log.len();
            self.say(json!({"t": "RATE_LIMITED", "s": seq, "op": 0, "d": d}).to_string());
            return;
        }
        let half = users.len() / 2;
        let mut parts = vec![(0, &users[..half]), (1, &users[half..])];
        if self.one_in(2) {
            parts.reverse();
        }
        for (index, part) in parts {
            self.server.next_event += 1;
            let event = self.server.next_event;
            // Every third is no member, and every fifth is not mentioned at all.
            let (gone, found): (Vec<UserId>, Vec<UserId>) = part
                .iter()
                .filter(|user| !user.0.is_multiple_of(5))
                .partition(|user| user.0.is_multiple_of(3));
            let mut not_found: Vec<String> = gone.iter().map(ToString::to_string).collect();
            not_found.push((CHUNK + event).to_string());
            let members: Vec<Value> = found
                .iter()
                .map(|user| json!({"user": {"id": user.to_string()}, "roles": []}))
                .collect();
            let data = json!({
                "guild_id": guild, "members": members, "not_found": not_found, "nonce": nonce,
                "chunk_index": index, "chunk_count": 2,
            })
            .to_string();
            self.server.log.push(Logged::Chunk { event, data });
            self.say_last();
        }
    }
}
