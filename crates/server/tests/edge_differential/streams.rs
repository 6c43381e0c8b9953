//! `testdata/websocket/streams.json`: what clients may send, and what the edge's decoder makes
//! of it. node's `ws` reads the same file and the same corpus in the page's tests.
//!
//! `UPDATE_GOLDEN=1` writes it anew, by the same lot; read the difference before
//! committing it.

use std::path::{Path, PathBuf};

use guildgate_server::edge::codec::Deflate;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use crate::{
    fixed,
    frames::{Length, Mask, frame},
    ours,
    seen::{End, Fault, Said, Seen},
    strategies::{message, stream},
};

/// Longest stream that is drawn for the file, bytes.
const DRAWN_BYTES_MAX: usize = 400;

struct Stream {
    name: String,
    deflate: Deflate,
    bytes: Vec<u8>,
}

#[test]
fn every_stream_is_read_as_it_is_written_down() {
    let file = root().join("testdata/websocket/streams.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let streams: Vec<Value> = typed()
            .into_iter()
            .chain(drawn())
            .map(whole_entry)
            .collect();
        let corpus: Vec<Value> = corpus().into_iter().map(corpus_entry).collect();
        let lines = |entries: &[Value]| {
            let lines: Vec<String> = entries.iter().map(|entry| format!("    {entry}")).collect();
            lines.join(",\n")
        };
        let text = format!(
            "{{\n  \"streams\": [\n{}\n  ],\n  \"corpus\": [\n{}\n  ]\n}}\n",
            lines(&streams),
            lines(&corpus)
        );
        std::fs::write(&file, text).expect("it can be written");
    }
    let written: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("JSON");
    let streams = written["streams"].as_array().expect("streams");
    assert!(streams.len() >= 150);
    for entry in streams {
        let stream = Stream {
            name: entry["name"].as_str().expect("a name").to_owned(),
            deflate: match entry["deflate"].as_bool() {
                Some(true) => Deflate::On,
                Some(false) | None => Deflate::Off,
            },
            bytes: bytes(entry["bytes"].as_str().expect("bytes")),
        };
        assert_eq!(&whole_entry(stream), entry);
    }
    let read: Vec<Value> = corpus().into_iter().map(corpus_entry).collect();
    assert_eq!(
        written["corpus"],
        json!(read),
        "UPDATE_GOLDEN=1 adds what is new"
    );
}

fn whole_entry(stream: Stream) -> Value {
    let seen = everyhow(&stream);
    json!({
        "name": stream.name,
        "deflate": stream.deflate == Deflate::On,
        "bytes": hex(&stream.bytes),
        "said": said(&seen),
        "end": end(&seen),
    })
}

fn corpus_entry(stream: Stream) -> Value {
    let seen = everyhow(&stream);
    json!({ "name": stream.name, "said": said(&seen), "end": end(&seen) })
}

/// Reads a stream whole and in pieces, which must be the same.
fn everyhow(stream: &Stream) -> Seen {
    let whole = ours::decode(&stream.bytes, &[], stream.deflate);
    for pieces in [&[1][..], &[3, 1, 7]] {
        let cut = ours::decode(&stream.bytes, pieces, stream.deflate);
        assert_eq!(cut, whole, "{} in pieces of {pieces:?}", stream.name);
    }
    whole
}

fn said(seen: &Seen) -> Value {
    seen.said
        .iter()
        .map(|said| match said {
            Said::Text(text) => json!({ "text": std::str::from_utf8(text).expect("UTF-8") }),
            Said::Binary(_) => panic!("the edge takes no binary messages"),
            Said::Ping(payload) => json!({ "ping": hex(payload) }),
            Said::Pong => json!("pong"),
        })
        .collect()
}

fn end(seen: &Seen) -> Value {
    match seen.end {
        End::Open => json!("open"),
        End::Closed(code) => json!({ "closed": code }),
        End::Refused(fault) => json!({ "refused": match fault {
            Fault::Frames => "frames",
            Fault::Utf8 => "utf8",
            Fault::Size => "size",
            Fault::Binary => "binary",
            Fault::Inflate => "inflate",
        } }),
    }
}

/// Streams with a point.
fn typed() -> Vec<Stream> {
    let plain = |first, payload: &[u8]| sent(first, payload);
    let mut streams = Vec::new();
    let mut add = |name: &str, deflate, frames: &[Vec<u8>]| {
        streams.push(Stream {
            name: name.to_owned(),
            deflate,
            bytes: frames.concat(),
        });
    };
    let off = Deflate::Off;
    add(
        "half a character, and an empty end",
        off,
        &[plain(0x01, b"\xf0\x9f"), plain(0x80, b"")],
    );
    add(
        "a character in four fragments with pings between",
        off,
        &[
            plain(0x01, b"\xf0"),
            plain(0x89, b"1"),
            plain(0x00, b"\x9f"),
            plain(0x00, b""),
            plain(0x89, b"2"),
            plain(0x00, b"\x98"),
            plain(0x80, b"\x80"),
        ],
    );
    for code in [999u16, 1000, 1004, 1005, 1014, 1016, 2999, 3000, 4999, 5000] {
        let name = format!("close with {code}");
        add(&name, off, &[plain(0x88, &code.to_be_bytes())]);
    }
    add(
        "a close reason that is not UTF-8",
        off,
        &[plain(0x88, b"\x03\xe8\xff")],
    );
    add(
        "words after a close",
        off,
        &[plain(0x88, b""), plain(0x81, b"more")],
    );
    add(
        "a binary message, and a text after it",
        off,
        &[plain(0x82, b"\x00"), plain(0x81, b"text")],
    );
    for claimed in [0, 125, 126, 65_535, 4_097, 1 << 53, 1 << 63] {
        let key = Mask::With([5, 6, 7, 8]);
        let name = format!("eight bytes that say {claimed}");
        add(
            &name,
            off,
            &[frame(0x81, key, Length::Claimed(claimed), b"")],
        );
    }
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    add("deflated, not agreed", off, &[plain(0xc1, &hello)]);
    let on = Deflate::On;
    add(
        "deflated",
        on,
        &[plain(0xc1, &hello), plain(0x81, b"plain")],
    );
    add(
        "deflated in fragments with a ping between",
        on,
        &[
            plain(0x41, &hello[..3]),
            plain(0x89, b""),
            plain(0x80, &hello[3..]),
        ],
    );
    add(
        "deflated, a block marked last",
        on,
        &[plain(0xc1, &[&last[..], &[0]].concat())],
    );
    add(
        "deflated, a block after one marked last",
        on,
        &[plain(0xc1, &[&last[..], &hello].concat())],
    );
    add("deflated to nothing", on, &[plain(0xc1, &[0])]);
    add("deflated, an empty payload", on, &[plain(0xc1, b"")]);
    add("deflated rubbish", on, &[plain(0xc1, &[0x07, 0xff])]);
    add("deflated binary", on, &[plain(0xc2, &hello)]);
    add(
        "deflated continuation",
        on,
        &[plain(0x41, &hello[..3]), plain(0xc0, &hello[3..])],
    );
    add("deflated ping", on, &[plain(0xc9, b"")]);
    streams
}

fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, Mask::With([1, 2, 3, 4]), Length::Shortest, payload)
}

/// Streams by lot.
fn drawn() -> Vec<Stream> {
    let mut runner = TestRunner::new(fixed(1));
    let plain = stream().prop_map(|bytes| (Deflate::Off, bytes));
    let deflated = (message(), message(), 0usize..60).prop_map(|(one, two, cut)| {
        let mut bytes = [one.deflated(), two.deflated()].concat();
        bytes.truncate(bytes.len() - cut.min(bytes.len()) / 3);
        (Deflate::On, bytes)
    });
    let mut draw = |strategy: proptest::strategy::BoxedStrategy<(Deflate, Vec<u8>)>, count| {
        let fits = strategy.prop_filter("short", |(_, bytes)| bytes.len() <= DRAWN_BYTES_MAX);
        (0..count)
            .map(|_| {
                fits.new_tree(&mut runner)
                    .expect("short ones are many")
                    .current()
            })
            .collect::<Vec<_>>()
    };
    let streams = [draw(plain.boxed(), 100), draw(deflated.boxed(), 40)].concat();
    let name = |(number, (deflate, bytes))| Stream {
        name: format!("drawn {number}"),
        deflate,
        bytes,
    };
    streams.into_iter().enumerate().map(name).collect()
}

/// What the fuzzer starts from and has found, in order of its names.
fn corpus() -> Vec<Stream> {
    let folder = root().join("fuzz/corpus/edge_codec");
    let mut streams: Vec<Stream> = std::fs::read_dir(&folder)
        .expect("the corpus is there")
        .filter_map(|file| {
            let file = file.expect("a file");
            let content = std::fs::read(file.path()).expect("it can be read");
            let [_, deflate, bytes @ ..] = content.as_slice() else {
                return None;
            };
            Some(Stream {
                name: file.file_name().into_string().expect("a name"),
                deflate: match deflate % 2 {
                    0 => Deflate::Off,
                    _ => Deflate::On,
                },
                bytes: bytes.to_vec(),
            })
        })
        .collect();
    streams.sort_by(|one, other| one.name.cmp(&other.name));
    streams
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}
