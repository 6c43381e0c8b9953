//! The clients' side: one event out, one command in.

use std::{hint::black_box, sync::Arc};

use guildgate_bench::measure;
use guildgate_core::{
    client::{Answer, Client, Input},
    outbox::{Admission, Outbox, Socket},
};
use guildgate_model::{GuildId, Now, Permissions, TokenId, UserId};
use guildgate_wire::{EventFrame, Limits, Sequence, SessionId, decode};

use crate::codec::{Chunk, Decoder, Deflate, Kind, Message, frame_header, unmask};

const GUILD: GuildId = GuildId(813_190_042_233_487_360);
const USER: UserId = UserId(281_457_010_338_758_656);
const CONNECT: &str = r#"{"op":6,"cmd":"CONNECT_GUILD","nonce":"17","d":{"token":"gg_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG","gid":"813190042233487360"}}"#;
const REPLY: &str = r#"{"op":4,"d":1207}"#;

/// A GUILD_MEMBER_COUNT_CHANGE, encoded.
pub fn encode_count() {
    measure((GUILD, 1_048_577), |(guild, count)| {
        EventFrame::count(guild, count)
    });
}

/// A GUILD_PRIVILEGE_UPDATE, encoded.
pub fn encode_privilege() {
    let permissions = Permissions(1_071_698_660_929);
    measure(
        (GUILD, USER, "somebody#1234", permissions),
        |(guild, user, tag, permissions)| EventFrame::privilege(guild, user, tag, permissions),
    );
}

/// Header and text, as a basic connection is written.
pub fn write_frame_basic() {
    write_frame(None);
}

/// Header, shared text and own sequence, as a session is written.
pub fn write_frame_session() {
    write_frame(Some(Sequence(120_007)));
}

fn write_frame(sequence: Option<Sequence>) {
    let scratch = Vec::with_capacity(4096);
    let given = (count(), sequence, scratch);
    measure(given, |(event, sequence, mut scratch)| {
        frame_header(Kind::Text, false, event.len_max(), &mut scratch);
        event.write_to(sequence, &mut scratch);
        (event, scratch)
    });
}

/// The text of a CONNECT_GUILD.
pub fn decode_connect_guild() {
    decode_text(CONNECT);
}

/// The text of an opcode 4 with a sequence.
pub fn decode_heartbeat_reply() {
    decode_text(REPLY);
}

fn decode_text(text: &str) {
    let decoded = measure(text, |text| decode(text, 64));
    assert!(decoded.is_ok(), "{text} is a good frame");
}

/// The mask of a frame near the size limit.
pub fn unmask_long() {
    let (_, turned) = measure(vec![b'x'; 4001], |mut bytes| {
        let turned = unmask(&mut bytes, [1, 2, 3, 4]);
        (bytes, turned)
    });
    assert_eq!(turned, [2, 3, 4, 1], "one byte past a whole key");
}

/// Header, mask and UTF-8 of a short frame.
pub fn read_frame_short() {
    read_frame(REPLY.as_bytes());
}

/// The same of one near the size limit.
pub fn read_frame_long() {
    read_frame(&[b'x'; 4000]);
}

fn read_frame(payload: &[u8]) {
    let bytes = masked(payload);
    let read = measure(bytes, |mut bytes| {
        let mut decoder = Decoder::default();
        let mut chunk = Chunk::new(&mut bytes);
        let message = decoder.next(&mut chunk, 4096, Deflate::Off);
        let length = match message {
            Ok(Some(Message::Text(text))) => Some(text.len()),
            _ => None,
        };
        (length, bytes)
    });
    assert_eq!(read.0, Some(payload.len()), "the frame is whole");
}

/// One event through a thousand basic connections' outboxes: nothing waits, all are written.
pub fn fan_out_basic() {
    let outboxes: Vec<Outbox> = (0..CLIENTS).map(|_| Outbox::new()).collect();
    let given = (outboxes, count(), Limits::default());
    let told = measure(given, |(mut outboxes, event, limits)| {
        let mut written = 0;
        for outbox in &mut outboxes {
            let admission = outbox.admit(&event, Socket::Free, &limits);
            written += usize::from(admission == Admission::Write(None));
        }
        (written, outboxes, event)
    });
    assert_eq!(told.0, CLIENTS, "each is to be written");
}

/// One event through a thousand sessions: numbered, kept for a resume in the older count's
/// place, and written with their own sequence.
pub fn fan_out_sessions() {
    let limits = Limits::default();
    let sessions: Vec<Client> = (0..CLIENTS)
        .map(|_| {
            let mut session = session();
            session.outbox_mut().admit(&count(), Socket::Free, &limits);
            session
        })
        .collect();
    let given = (sessions, count(), limits, Vec::with_capacity(4096));
    let told = measure(given, |(mut sessions, event, limits, mut scratch)| {
        let mut written = 0;
        for session in &mut sessions {
            let admission = session.outbox_mut().admit(&event, Socket::Free, &limits);
            if let Admission::Write(sequence) = admission {
                scratch.clear();
                event.write_to(sequence, &mut scratch);
                written += usize::from(black_box(&scratch).ends_with(b"\"s\":2}"));
            }
        }
        (written, sessions, event, scratch)
    });
    assert_eq!(told.0, CLIENTS, "each is written its second event");
}

fn count() -> Arc<EventFrame> {
    EventFrame::count(GUILD, 1_048_577)
}

/// A masked text frame, as a browser sends it.
fn masked(payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x81];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(b, k)| b ^ k));
    frame
}

fn session() -> Client {
    let now = Now::default();
    let limits = Limits::default();
    let mut out = Vec::new();
    let mut client = Client::open(now, 7, &limits, &mut out);
    let authenticate = r#"{"op":1,"d":{"token":"t","uid":"281457010338758656"}}"#;
    client.handle(now, &limits, Input::Text(authenticate), &mut out);
    let answer = Answer::Full {
        user: USER,
        token: TokenId(1),
        session: SessionId {
            edge: 0,
            random: [7; 15],
        },
        missed: Vec::new(),
    };
    client.handle(now, &limits, Input::Answer(answer), &mut out);
    client
}

const CLIENTS: usize = 1_000;
