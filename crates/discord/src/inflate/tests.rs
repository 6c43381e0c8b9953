use std::io::Write as _;

use flate2::{Compress, FlushCompress};
use zstd_crate::stream::raw::{Encoder, InBuffer, Operation as _, OutBuffer};

use super::*;
use ::zstd as zstd_crate;

/// Discord's end of a zlib stream.
pub(crate) struct Deflater(Compress);

impl Deflater {
    pub(crate) fn new() -> Deflater {
        Deflater(Compress::new(flate2::Compression::default(), true))
    }

    pub(crate) fn push(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 1024);
        self.0
            .compress_vec(payload, &mut out, FlushCompress::Sync)
            .expect("room enough");
        assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
        out
    }
}

/// Discord's end of a zstd stream: flushed after each payload, ended never.
pub(crate) struct Zstd(Encoder<'static>);

impl Zstd {
    pub(crate) fn new() -> Zstd {
        Zstd(Encoder::new(3).expect("an encoder"))
    }

    pub(crate) fn push(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 1024);
        let mut input = InBuffer::around(payload);
        while input.pos() < payload.len() {
            let at = out.len();
            self.0
                .run(&mut input, &mut OutBuffer::around_pos(&mut out, at))
                .expect("room enough");
        }
        let at = out.len();
        let left = self
            .0
            .flush(&mut OutBuffer::around_pos(&mut out, at))
            .expect("room enough");
        assert_eq!(left, 0);
        out
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut rng = crate::Rng::new(11);
    (0..bytes).map(|_| rng.number().to_le_bytes()[0]).collect()
}

type Push = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

fn stream(compression: Compression) -> (Inflater, Push) {
    let inflater = Inflater::new(compression).expect("a decoder");
    let push: Push = match compression {
        Compression::ZlibStream => {
            let mut deflater = Deflater::new();
            Box::new(move |payload| deflater.push(payload))
        }
        _ => {
            let mut encoder = Zstd::new();
            Box::new(move |payload| encoder.push(payload))
        }
    };
    (inflater, push)
}

const STREAMS: [Compression; 2] = [Compression::ZlibStream, Compression::ZstdStream];

#[test]
fn e46_a_zlib_payload_split_over_three_frames_is_one_event() {
    let (mut inflater, mut push) = stream(Compression::ZlibStream);
    let payload = br#"{"op":10,"d":{"heartbeat_interval":41250}}"#;
    let bytes = push(payload);
    let (first, rest) = bytes.split_at(7);
    let (second, third) = rest.split_at(rest.len() - 2);
    assert_eq!(inflater.push(first), Ok(None));
    assert_eq!(inflater.push(second), Ok(None));
    assert_eq!(inflater.push(third), Ok(Some(&payload[..])));
    let next = push(b"{\"op\":11}");
    assert_eq!(inflater.push(&next), Ok(Some(&b"{\"op\":11}"[..])));
}

#[test]
fn e47_a_payload_that_fills_the_buffer_exactly_is_not_cut_short() {
    for compression in STREAMS {
        let (mut inflater, mut push) = stream(compression);
        for bytes in [1, 4095, 4096, 4097, 8192, 16_384, 32_768, 65_536, 1 << 18] {
            for payload in [vec![b'x'; bytes], noise(bytes)] {
                let message = push(&payload);
                let seen = inflater.push(&message).expect("sound").expect("whole");
                assert_eq!(seen.len(), bytes, "{compression:?}");
                assert_eq!(seen, payload);
            }
        }
    }
}

#[test]
fn e48_a_fresh_context_reads_a_fresh_stream_and_an_old_one_does_not() {
    for compression in STREAMS {
        let (mut old, mut push) = stream(compression);
        let repeated = br#"{"t":"GUILD_MEMBER_ADD","s":1,"op":0,"d":{"guild_id":"1"}}"#;
        old.push(&push(repeated)).expect("sound");
        let second = push(repeated);
        let (mut fresh, mut push) = stream(compression);
        assert!(
            fresh.push(&second).ok().flatten() != Some(&repeated[..]),
            "{compression:?}: a stream's middle means nothing to another context"
        );
        let (mut fresh, _) = stream(compression);
        assert_eq!(fresh.push(&push(repeated)), Ok(Some(&repeated[..])));
    }
}

#[test]
fn e49_several_zstd_messages_of_one_frame_are_each_decoded() {
    let (mut inflater, mut push) = stream(Compression::ZstdStream);
    for number in 0..100 {
        let payload = format!(r#"{{"t":"X","s":{number},"op":0,"d":{{}}}}"#);
        let message = push(payload.as_bytes());
        assert_eq!(inflater.push(&message), Ok(Some(payload.as_bytes())));
    }
}

#[test]
fn a_zstd_stream_may_begin_a_new_frame() {
    let mut inflater = Inflater::new(Compression::ZstdStream).expect("a decoder");
    for payload in [&b"{\"op\":11}"[..], b"{\"op\":7}"] {
        let message = zstd_crate::bulk::compress(payload, 1).expect("small");
        assert_eq!(inflater.push(&message), Ok(Some(payload)));
    }
}

#[test]
fn e51_single_payloads_are_inflated_each_by_itself() {
    let mut inflater = Inflater::new(Compression::Payload).expect("a decoder");
    for payload in [&b"{\"op\":11}"[..], b"{\"op\":7}", b"{\"op\":11}"] {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(payload).expect("memory");
        let message = encoder.finish().expect("memory");
        assert_eq!(inflater.push(&message), Ok(Some(payload)));
        assert_eq!(
            inflater.push(&message[..message.len() - 1]),
            Err(InflateError::Corrupt),
            "half a stream"
        );
    }
}

#[test]
fn e50_noise_is_an_error() {
    let noise = noise(4096);
    for compression in [
        Compression::ZlibStream,
        Compression::ZstdStream,
        Compression::Payload,
    ] {
        let mut inflater = Inflater::new(compression).expect("a decoder");
        let mut message = noise.clone();
        message.extend([0, 0, 0xFF, 0xFF]);
        assert_eq!(
            inflater.push(&message),
            Err(InflateError::Corrupt),
            "{compression:?}"
        );
    }
    let mut inflater = Inflater::new(Compression::None).expect("nothing to set up");
    assert_eq!(inflater.push(&noise), Err(InflateError::Unexpected));
}

#[test]
fn a_bomb_is_stopped_at_the_bound() {
    let bomb = vec![b' '; 4 << 20];
    for compression in STREAMS {
        let (_, mut push) = stream(compression);
        let message = push(&bomb);
        assert!(message.len() < 8192, "a small message: {}", message.len());
        let mut inflater = Inflater::with_bound(compression, 1 << 20).expect("a decoder");
        assert_eq!(
            inflater.push(&message),
            Err(InflateError::TooLarge(1 << 20)),
            "{compression:?}"
        );
    }
    let mut inflater = Inflater::with_bound(Compression::ZlibStream, 1 << 20).expect("a decoder");
    let endless = vec![0x55; 1 << 19];
    assert_eq!(inflater.push(&endless), Ok(None));
    assert_eq!(inflater.push(&endless), Ok(None));
    assert_eq!(
        inflater.push(&endless),
        Err(InflateError::TooLarge(1 << 20)),
        "what waits for its end is bounded too"
    );
}

#[test]
fn a_window_past_the_bound_is_refused() {
    // A zstd frame header that asks for a window of 2^27 bytes: magic, descriptor, window.
    let header = [0x28, 0xB5, 0x2F, 0xFD, 0x00, (27 - 10) << 3, 0, 0, 0];
    let mut inflater = Inflater::new(Compression::ZstdStream).expect("a decoder");
    assert_eq!(inflater.push(&header), Err(InflateError::Corrupt));
}
