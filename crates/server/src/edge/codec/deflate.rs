//! permessage-deflate without context takeover.
//!
//! Without it a message does not depend on the ones before, so one deflated text serves
//! every receiver, and neither side keeps a window for a connection.
//!
//! Events differ between receivers only in their last bytes. So the text that all share is
//! deflated once up to a byte boundary, and the rest is put behind it in a stored block.
//!
//! Source: RFC 7692, 7.2; RFC 1951, 3.2.4.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What a sync flush ends with, and what is left out at the end of a message.
const FLUSHED: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Deflates one text at a time; keeps one window for all.
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
}

impl Default for Deflater {
    fn default() -> Deflater {
        Deflater {
            // The fastest level: most of what is sent is written once and read at once.
            compress: Compress::new(Compression::fast(), false),
        }
    }
}

impl Deflater {
    /// Appends `text` deflated up to a byte boundary, so that [`finish_shared`] can go on.
    pub fn open(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.compress.reset();
        let start = self.compress.total_in();
        loop {
            let taken = usize::try_from(self.compress.total_in() - start).unwrap_or(text.len());
            let rest = &text[taken.min(text.len())..];
            out.reserve(64 + rest.len() / 2);
            if self
                .compress
                .compress_vec(rest, out, FlushCompress::Sync)
                .is_err()
            {
                // Deflating cannot fail but for a stream that was finished, which none is.
                debug_assert!(false, "a deflater in a state that it never is in");
                return;
            }
            if out.len() < out.capacity() {
                return;
            }
        }
    }

    /// Appends a whole message's payload.
    pub fn whole(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.open(text, out);
        if out.ends_with(&FLUSHED) {
            out.truncate(out.len() - FLUSHED.len());
        }
    }
}

/// Appends a whole message's payload: what [`Deflater::open`] made of the shared text, and
/// behind it `tail` as it is.
///
/// # Panics
/// If `tail` is longer than a stored block can be, 65,535 bytes.
pub fn finish_shared(opened: &[u8], tail: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(tail.len()).expect("a tail is short");
    out.extend_from_slice(opened);
    out.push(STORED);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&(!len).to_le_bytes());
    out.extend_from_slice(tail);
    // The head of one more block, whose empty body is what a receiver adds.
    out.push(STORED);
}

/// Length of [`finish_shared`]'s payload.
#[must_use]
pub fn finished_len(opened: usize, tail: usize) -> usize {
    opened + 5 + tail + 1
}

/// The head of a stored block that is not the last, at a byte boundary.
const STORED: u8 = 0;

/// Why a message cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It is not deflated as RFC 1951 says.
    #[error("a message that cannot be inflated")]
    Corrupt,
    /// More comes out than a message may have.
    #[error("a message that inflates beyond the size limit")]
    TooLarge,
}

/// Inflates one message at a time; keeps one window for all.
#[derive(Debug)]
pub struct Inflater {
    decompress: Decompress,
    text: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater {
            decompress: Decompress::new(false),
            text: Vec::new(),
        }
    }
}

impl Inflater {
    /// Inflates a message's payload, to at most `text_bytes_max` bytes.
    ///
    /// # Errors
    /// [`InflateError`]; never more than a little over the limit is inflated to find out.
    pub fn inflate(
        &mut self,
        payload: &[u8],
        text_bytes_max: usize,
    ) -> Result<&[u8], InflateError> {
        self.decompress.reset(false);
        self.text.clear();
        self.text.reserve_exact(text_bytes_max + 1);
        for part in [payload, &FLUSHED] {
            self.push(part, text_bytes_max)?;
        }
        Ok(&self.text)
    }

    /// Takes all of `part`. A block that is marked as the last ends at a byte boundary, and
    /// the next one follows.
    fn push(&mut self, mut part: &[u8], text_bytes_max: usize) -> Result<(), InflateError> {
        loop {
            let start = self.decompress.total_in();
            let status = self
                .decompress
                .decompress_vec(part, &mut self.text, FlushDecompress::Sync)
                .map_err(|_| InflateError::Corrupt)?;
            if self.text.len() > text_bytes_max {
                return Err(InflateError::TooLarge);
            }
            let taken = usize::try_from(self.decompress.total_in() - start)
                .map_err(|_| InflateError::Corrupt)?;
            part = &part[taken..];
            match status {
                Status::StreamEnd => self.decompress.reset(false),
                // There was room, so whatever was not taken is no part of a deflated message.
                Status::Ok | Status::BufError if !part.is_empty() => {
                    return Err(InflateError::Corrupt);
                }
                Status::Ok | Status::BufError => return Ok(()),
            }
            if part.is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inflated(payload: &[u8]) -> Vec<u8> {
        Inflater::default()
            .inflate(payload, 1 << 20)
            .expect("a deflated message")
            .to_vec()
    }

    #[test]
    fn a_message_comes_back_whole() {
        let mut deflater = Deflater::default();
        for text in ["", "{}", &"count ".repeat(10_000)] {
            let mut payload = Vec::new();
            deflater.whole(text.as_bytes(), &mut payload);
            assert_eq!(inflated(&payload), text.as_bytes());
        }
    }

    #[test]
    fn one_shared_text_serves_tails_of_every_length() {
        let shared = r#"{"op":5,"t":"GUILD_UPDATE","d":{"name":"a guild with a name"}"#.repeat(40);
        let mut opened = Vec::new();
        Deflater::default().open(shared.as_bytes(), &mut opened);
        assert!(opened.len() < shared.len() / 4);
        for tail in ["}", r#","s":7}"#, r#","s":18446744073709551615}"#] {
            let mut payload = Vec::new();
            finish_shared(&opened, tail.as_bytes(), &mut payload);
            assert_eq!(payload.len(), finished_len(opened.len(), tail.len()));
            assert_eq!(inflated(&payload), [&shared, tail].concat().as_bytes());
        }
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 7692, 7.2.3.1, 7.2.3.3 and 7.2.3.4: compressed, stored, and with a last block.
        assert_eq!(
            inflated(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]),
            b"Hello"
        );
        assert_eq!(
            inflated(&[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00
            ]),
            b"Hello"
        );
        assert_eq!(
            inflated(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]),
            b"Hello"
        );
    }

    #[test]
    fn a_message_goes_on_after_a_block_marked_last() {
        // RFC 7692, 7.2.1: blocks with and without the mark may follow each other.
        let mut payload = vec![0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        Deflater::default().whole(b", world", &mut payload);
        assert_eq!(inflated(&payload), b"Hello, world");
        let twice = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00].repeat(2);
        assert_eq!(inflated(&[&twice[..], &[0]].concat()), b"HelloHello");
        assert_eq!(inflated(&twice), b"HelloHello");
        let rubbish = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x07, 0xff];
        assert_eq!(
            Inflater::default().inflate(&rubbish, 4096),
            Err(InflateError::Corrupt)
        );
        let bomb = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00].repeat(1_000);
        assert_eq!(
            Inflater::default().inflate(&bomb, 4096),
            Err(InflateError::TooLarge)
        );
    }

    #[test]
    fn a_bomb_stops_at_the_limit_and_rubbish_is_refused() {
        let mut bomb = Vec::new();
        Deflater::default().whole(&vec![b'['; 10 << 20], &mut bomb);
        let mut inflater = Inflater::default();
        assert_eq!(inflater.inflate(&bomb, 4096), Err(InflateError::TooLarge));
        assert!(inflater.text.capacity() <= 8192);
        assert_eq!(
            inflater.inflate(&[0x07, 0xff], 4096),
            Err(InflateError::Corrupt)
        );
        assert_eq!(
            inflater.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 4096),
            Ok(b"Hello".as_slice()),
            "a bad message leaves nothing behind"
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_any_bytes_do_no_harm(
            text in prop::collection::vec(any::<u8>(), 0..5_000),
            tail in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let mut opened = Vec::new();
            Deflater::default().open(&text, &mut opened);
            let mut payload = Vec::new();
            finish_shared(&opened, &tail, &mut payload);
            prop_assert_eq!(inflated(&payload), [text.as_slice(), &tail].concat());
            let mut inflater = Inflater::default();
            prop_assert!(inflater.inflate(&text, 4096).is_ok_and(|text| text.len() <= 4096)
                || inflater.inflate(&text, 4096).is_err());
        }
    }
}
