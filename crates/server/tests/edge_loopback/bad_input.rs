//! What bad input gets: its code, and nobody else notices.

use guildgate_core::client::{Answer, Refusal};
use guildgate_wire::ErrorCode;

use crate::support::{Client, Said, World, frame, limits};

/// Sends `bytes` on a connection that is let in, and expects to be closed with `code` while a
/// neighbour goes on.
fn closes(code: u16, inputs: &[(&str, Vec<u8>)]) {
    let mut world = World::new(1, limits());
    let mut neighbour = world.connect();
    world.let_in_basic(&mut neighbour);
    for (what, bytes) in inputs {
        let mut client = world.connect();
        world.let_in_basic(&mut client);
        client.send_bytes(bytes);
        loop {
            match client.hear() {
                Said::Close(closed) => {
                    assert_eq!(closed, code, "{what}");
                    break;
                }
                Said::Text(_) | Said::Ping(_) | Said::Pong(_) => {}
                other => panic!("{what}: {other:?}"),
            }
        }
        assert_eq!(client.hear(), Said::End, "{what}");
        neighbour.expect_alive();
    }
    world.end();
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

fn claim(len: u64) -> Vec<u8> {
    let mut bytes = vec![0x81, 0xff];
    bytes.extend(len.to_be_bytes());
    bytes.extend([1, 2, 3, 4]);
    bytes
}

#[test]
fn what_cannot_be_decoded() {
    closes(
        4002,
        &[
            ("not JSON", text(b"hello")),
            ("half a JSON", text(br#"{"op":4"#)),
            ("no object", text(b"[]")),
            ("nested beyond reason", text(&[b'['; 4096])),
            ("1 MiB of [", text(&vec![b'['; 1 << 20])),
            ("no op", text(br#"{"d":null}"#)),
            ("op of the wrong type", text(br#"{"op":"1"}"#)),
            ("d of the wrong type", text(br#"{"op":4,"d":"1"}"#)),
            ("cmd of the wrong type", text(br#"{"op":6,"cmd":7}"#)),
            ("binary", frame(0x82, br#"{"op":4,"d":null}"#)),
            ("not UTF-8", text(b"{\"op\":4,\"d\":\"\xff\"}")),
            ("over the limit", text(&[b' '; 4097])),
            ("claims 2^63 bytes", claim(1 << 63)),
            ("claims 2^64 - 1 bytes", claim(u64::MAX)),
        ],
    );
}

#[test]
fn what_is_no_websocket() {
    closes(
        1002,
        &[
            ("unmasked", vec![0x81, 0x02, b'{', b'}']),
            ("reserved bit", frame(0xc1, b"{}")),
            ("reserved opcode", frame(0x83, b"{}")),
            ("fragmented ping", frame(0x09, b"")),
            ("stray continuation", frame(0x80, b"")),
            ("half a close code", frame(0x88, b"\x03")),
            (
                "close code that may not be sent",
                frame(0x88, &1005u16.to_be_bytes()),
            ),
        ],
    );
}

#[test]
fn opcodes_that_are_not_the_clients() {
    closes(
        4001,
        &[
            ("unknown", text(br#"{"op":99}"#)),
            ("the server's", text(br#"{"op":0}"#)),
            ("the server's too", text(br#"{"op":7}"#)),
        ],
    );
    closes(
        4005,
        &[(
            "a second authentication",
            text(br#"{"op":1,"d":{"token":null,"uid":null}}"#),
        )],
    );
}

#[test]
fn a_command_before_authentication() {
    let world = World::new(1, limits());
    let mut client = world.connect();
    client.expect_op(0);
    client.send(r#"{"op":6,"cmd":"DESCONNECT_GUILD","d":{"gid":"1"}}"#);
    client.expect_close(4003);
    world.end();
}

#[test]
fn a_token_that_is_not_good() {
    let mut world = World::new(1, limits());
    for (answer, code) in [
        (Answer::NotAuthentic, 4004),
        (Answer::Failed, 4000),
        (Answer::NotReady, 4012),
    ] {
        let mut client = world.connect();
        client.expect_op(0);
        client.send(r#"{"op":1,"d":{"token":"gggu_x","uid":"1"}}"#);
        let (id, _) = world.question();
        world.answer(id, answer);
        client.expect_close(code);
    }
    world.end();
}

#[test]
fn a_refused_command_keeps_the_connection() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    world.let_in_basic(&mut client);
    client.send(r#"{"op":6,"cmd":"CONNECT_GUILD","d":{"gid":"1"}}"#);
    assert_eq!(client.expect_op(7)["d"]["error"]["code"], "bad_request");
    client.send(r#"{"op":6,"cmd":"NO_SUCH","d":{}}"#);
    assert_eq!(client.expect_op(7)["d"]["error"]["code"], "unknown_command");
    client.send(r#"{"op":6,"cmd":"CONNECT_GUILD","d":{"gid":"1","token":"gggg_x"}}"#);
    let (id, _) = world.question();
    let refusal = Refusal::new(ErrorCode::InvalidToken, "used up");
    world.answer(id, Answer::Refused(refusal));
    assert_eq!(client.expect_op(7)["d"]["error"]["code"], "invalid_token");
    client.expect_alive();
    world.end();
}

#[test]
fn a_message_may_come_byte_by_byte_and_in_fragments() {
    let mut world = World::new(1, limits());
    let mut client = world.connect();
    client.expect_op(0);
    let bytes = [
        frame(0x01, br#"{"op":1,"d":{"token":null,"#),
        frame(0x89, b"in between"),
        frame(0x80, br#""uid":null}}"#),
    ]
    .concat();
    for byte in bytes {
        client.send_bytes(&[byte]);
    }
    assert_eq!(client.hear(), Said::Pong(b"in between".to_vec()));
    let (id, _) = world.question();
    world.answer(id, Answer::Basic);
    client.expect_op(2);
    world.end();
}

#[test]
fn half_a_frame_and_then_nothing_holds_nobody_up() {
    let mut world = World::new(1, limits());
    let mut half = world.connect();
    let id = world.let_in_basic(&mut half);
    half.send_bytes(&frame(0x81, br#"{"op":4,"d":null}"#)[..9]);
    let mut other = world.connect();
    world.let_in_basic(&mut other);
    other.expect_alive();
    drop(half);
    world.hear_until(|said| {
        matches!(said, guildgate_server::edge::FromEdge::Gone(gone) if *gone == id).then_some(())
    });
    world.end();
}

#[test]
fn a_close_without_a_code_is_answered_in_kind() {
    let mut world = World::new(1, limits());
    let mut client: Client = world.connect();
    world.let_in_basic(&mut client);
    client.send_frame(0x88, b"");
    assert_eq!(client.hear(), Said::CloseBare);
    assert_eq!(client.hear(), Said::End);
    world.end();
}
