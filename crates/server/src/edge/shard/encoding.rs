//! Frames for clients, encoded into whatever buffer they are to go out from.

use guildgate_core::outbox::Unsent;
use guildgate_wire::{EventFrame, Sequence};

use crate::edge::codec::{self, Deflate, Kind};

/// Encodes frames for one shard's clients.
#[derive(Debug)]
pub(super) struct Encoder {
    deflate_bytes_min: usize,
}

impl Encoder {
    /// Frames of `deflate_bytes_min` bytes and more are deflated for clients that agreed.
    pub(super) fn new(deflate_bytes_min: usize) -> Encoder {
        Encoder { deflate_bytes_min }
    }

    /// Appends a text frame.
    pub(super) fn text(&mut self, text: &str, deflate: Deflate, out: &mut Vec<u8>) {
        let _ = (deflate, self.deflate_bytes_min);
        codec::text(text, out);
    }

    /// Appends an event's frame, with the receiver's own sequence.
    pub(super) fn event(
        &mut self,
        event: &EventFrame,
        sequence: Option<Sequence>,
        deflate: Deflate,
        out: &mut Vec<u8>,
    ) {
        let _ = deflate;
        let len = event.open_text().len() + tail_len(sequence);
        codec::frame_header(Kind::Text, false, len, out);
        let start = out.len();
        event.write_to(sequence, out);
        debug_assert_eq!(out.len() - start, len, "the header told the truth");
    }

    /// Appends a frame that waited.
    pub(super) fn unsent(&mut self, unsent: Unsent<'_>, deflate: Deflate, out: &mut Vec<u8>) {
        match unsent {
            Unsent::Event(event, sequence) => self.event(event, sequence, deflate, out),
            Unsent::Raw(text) => self.text(text, deflate, out),
        }
    }
}

/// Length of what follows an event's open text: `,"s":N` if there is a sequence, and `}`.
fn tail_len(sequence: Option<Sequence>) -> usize {
    match sequence {
        None => 1,
        Some(Sequence(number)) => {
            5 + 1
                + number
                    .checked_ilog10()
                    .map_or(1, |digits| digits as usize + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use guildgate_model::GuildId;

    use super::*;

    #[test]
    fn a_frame_is_as_long_as_its_header_says() {
        let event = EventFrame::count(GuildId(7), 12);
        let numbers = [0, 1, 9, 10, 99, 100, 1_000_000, u64::MAX];
        let sequences = numbers.into_iter().map(|number| Some(Sequence(number)));
        for sequence in sequences.chain([None]) {
            let mut out = Vec::new();
            Encoder::new(usize::MAX).event(&event, sequence, Deflate::Off, &mut out);
            let mut text = Vec::new();
            event.write_to(sequence, &mut text);
            let mut expected = Vec::new();
            codec::text(
                std::str::from_utf8(&text).expect("a frame is UTF-8"),
                &mut expected,
            );
            assert_eq!(out, expected, "{sequence:?}");
        }
    }
}
