//! What no client of a sound library sends.

use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite,
    crypto::cipher::{MessageEncrypter, OutboundPlainMessage},
};

use super::*;

/// A client's keys without a client, to seal what none would.
struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Pair {
    /// What the session fails with once it has read what is on the wire.
    fn fault(&mut self) -> io::Error {
        let fault = loop {
            match self.session.read(&mut self.wire, &mut [0; 64]) {
                Ok(0) => panic!("no end, but an error"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(fault.kind(), ErrorKind::InvalidData, "{fault}");
        // And it stays so, whatever is asked of it.
        self.wire.to_server.extend([0x17; 64]);
        let again = self.session.read(&mut self.wire, &mut [0; 64]);
        assert_eq!(
            again.expect_err("it is broken").kind(),
            ErrorKind::InvalidData
        );
        self.session
            .write(&mut self.wire, b"to nobody")
            .expect_err("it is broken");
        self.session
            .finish(&mut self.wire)
            .expect("nothing is left to say");
        assert_idle(&self.session);
        fault
    }

    fn client_hears_alert(&mut self) {
        let mut wire = &self.wire.to_client[..];
        self.client.read_tls(&mut wire).expect("memory");
        let heard = self.client.process_new_packets();
        assert!(
            matches!(heard, Err(rustls::Error::AlertReceived(_))),
            "{heard:?}"
        );
    }

    fn forger(&mut self) -> Forger {
        let name = ServerName::try_from("localhost").expect("a name");
        let fresh = ClientConnection::new(Arc::new(client_config(&TLS13)), name);
        let client = std::mem::replace(&mut self.client, fresh.expect("a client"));
        let Some(SupportedCipherSuite::Tls13(suite)) = client.negotiated_cipher_suite() else {
            panic!("TLS 1.3");
        };
        let (sequence, secrets) = client
            .dangerous_extract_secrets()
            .expect("it is allowed")
            .tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("a suite that is not known here");
        };
        Forger {
            encrypter: suite.aead_alg.encrypter(key, iv),
            sequence,
        }
    }
}

impl Forger {
    fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_3,
            payload: payload.into(),
        };
        let sealed = self.encrypter.encrypt(message, self.sequence);
        self.sequence += 1;
        sealed.expect("it fits").encode()
    }
}

/// The type of a message, and its length in three bytes.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// Records that no client sends, in place of a hello.
#[test]
fn what_is_no_hello_ends_the_handshake() {
    let mut endless_message = Vec::new();
    // A message of the greatest length that is taken, in records of one byte each.
    for byte in [1, 0, 0xff, 0xff].into_iter().chain([0; 30_000]) {
        endless_message.extend([0x16, 3, 1, 0, 1, byte]);
    }
    let cases: [(&str, Vec<u8>); 6] = [
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("garbage", text(40_000)),
        (
            "a record that claims too much",
            vec![0x16, 3, 1, 0xff, 0xff],
        ),
        (
            "a message that claims too much",
            vec![0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
        ),
        ("a message that does not end", endless_message),
        ("empty records", [0x16, 3, 1, 0, 0].repeat(1_000)),
    ];
    for (what, bytes) in cases {
        for at_once in [7, usize::MAX] {
            let mut pair = Pair::new(client_config(&TLS13));
            pair.wire.at_once = at_once;
            pair.wire.to_server.extend(&bytes);
            let error = pair
                .session
                .handshake(&mut pair.wire)
                .expect_err("no handshake");
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{what}: {error}");
            assert!(pair.session.partial.capacity() <= PARTIAL_BYTES_MAX);
            pair.fault();
        }
    }
}

#[test]
fn records_that_were_not_sealed_by_the_client_end_the_connection() {
    let cases: [(&str, Vec<u8>); 4] = [
        (
            "garbage in a record",
            [&[0x17, 3, 3, 0, 64][..], &[7; 64]].concat(),
        ),
        ("garbage", text(40_000)),
        (
            "a record that claims too much",
            vec![0x17, 3, 3, 0xff, 0xff],
        ),
        ("a record in the clear", vec![0x16, 3, 3, 0, 1, 0]),
    ];
    for version in BOTH {
        for (what, bytes) in &cases {
            let mut pair = Pair::shaken(version);
            pair.wire.to_server.extend(bytes);
            pair.fault();
            assert!(!pair.wire.to_client.is_empty(), "{what}: it is told why");
        }
    }
}

#[test]
fn a_record_that_was_changed_on_its_way_ends_the_connection() {
    for version in BOTH {
        let mut pair = Pair::shaken(version);
        pair.client_says(b"pay him ten");
        pair.wire.to_server[20] ^= 1;
        pair.fault();
        pair.client_hears_alert();
    }
}

#[test]
fn half_a_message_waits_for_its_other_half_while_others_go_out() {
    let mut pair = Pair::shaken(&TLS13);
    let mut forger = pair.forger();
    let (one, other) = KEY_UPDATE.split_at(3);
    pair.wire
        .to_server
        .extend(forger.seal(ContentType::Handshake, one));
    assert_eq!(pair.read(64), b"");
    assert!(!pair.session.partial.is_empty());
    assert_eq!(pair.write(b"meanwhile"), 9);
    assert_eq!(pair.read(64), b"");
    pair.wire
        .to_server
        .extend(forger.seal(ContentType::Handshake, other));
    assert_eq!(pair.read(64), b"");
    assert_idle(&pair.session);
    assert_eq!(pair.write(b"after it"), 8);
    // The keys have changed, so the old ones open nothing any more.
    let late = forger.seal(ContentType::ApplicationData, b"late");
    pair.wire.to_server.extend(late);
    pair.fault();
}

#[test]
fn sealed_records_that_break_the_rules_end_the_connection() {
    type Forgery = fn(&mut Forger) -> Vec<u8>;
    let cases: [(&str, Forgery); 5] = [
        ("data in the middle of a message", |forger| {
            let mut bytes = forger.seal(ContentType::Handshake, &KEY_UPDATE[..3]);
            bytes.extend(forger.seal(ContentType::ApplicationData, b"data"));
            bytes
        }),
        ("a message that does not end", |forger| {
            let mut bytes = forger.seal(ContentType::Handshake, &[24, 0, 0xff, 0xff]);
            for _ in 0..4_000 {
                bytes.extend(forger.seal(ContentType::Handshake, &[0]));
            }
            bytes
        }),
        ("empty records without end", |forger| {
            (0..1_000)
                .flat_map(|_| forger.seal(ContentType::ApplicationData, b""))
                .collect()
        }),
        ("another handshake", |forger| {
            forger.seal(ContentType::Handshake, &[1, 0, 0, 0])
        }),
        ("more than a record may hold", |forger| {
            forger.seal(ContentType::ApplicationData, &[0; 16_384 + 1])
        }),
    ];
    for (what, forge) in cases {
        let mut pair = Pair::shaken(&TLS13);
        let mut forger = pair.forger();
        pair.wire.to_server.extend(forge(&mut forger));
        let fault = pair.fault();
        assert!(fault.get_ref().is_some(), "{what}: {fault}");
    }
}

#[test]
fn half_a_message_before_the_end_harms_nobody() {
    let mut pair = Pair::shaken(&TLS13);
    let mut forger = pair.forger();
    let half = forger.seal(ContentType::Handshake, &KEY_UPDATE[..3]);
    pair.wire.to_server.extend(half);
    pair.wire.hung_up = true;
    let end = pair.session.read(&mut pair.wire, &mut [0; 8]);
    assert_eq!(end.expect("an end"), 0);
    assert_eq!(pair.write(b"gone"), 4);
    pair.session.finish(&mut pair.wire).expect("memory");
}
