//! Frames for clients, encoded into whatever buffer they are to go out from.

use std::collections::VecDeque;

use guildgate_core::outbox::Unsent;
use guildgate_wire::{EventFrame, Sequence};

use crate::edge::codec::{self, Deflate, Deflater, Kind};

/// Encodes frames for one shard's clients.
#[derive(Debug)]
pub(super) struct Encoder {
    deflate_bytes_min: usize,
    /// Made when the first client has agreed to deflating.
    deflater: Option<Box<Deflater>>,
    /// Events deflated lately, the newest last: most of what is deflated goes to many.
    deflated: VecDeque<Deflated>,
    payload: Vec<u8>,
}

/// What clients share of an event, deflated.
#[derive(Debug)]
struct Deflated {
    open_text: Box<str>,
    /// None if deflating does not make it shorter.
    opened: Option<Box<[u8]>>,
}

/// Events kept deflated; a guild's burst is hardly longer.
const DEFLATED_MAX: usize = 16;

impl Encoder {
    /// Frames of `deflate_bytes_min` bytes and more are deflated for clients that agreed.
    pub(super) fn new(deflate_bytes_min: usize) -> Encoder {
        Encoder {
            deflate_bytes_min,
            deflater: None,
            deflated: VecDeque::new(),
            payload: Vec::new(),
        }
    }

    /// Appends a text frame.
    pub(super) fn text(&mut self, text: &str, deflate: Deflate, out: &mut Vec<u8>) {
        if self.pays(text.len(), deflate) {
            self.payload.clear();
            let deflater = self.deflater.get_or_insert_default();
            deflater.whole(text.as_bytes(), &mut self.payload);
            if self.payload.len() < text.len() {
                codec::frame_header(Kind::Text, true, self.payload.len(), out);
                out.extend_from_slice(&self.payload);
                return;
            }
        }
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
        let tail_len = tail_len(sequence);
        if self.pays(event.open_text().len(), deflate)
            && let Some(opened) = self.opened(event.open_text())
        {
            let len = codec::finished_len(opened.len(), tail_len);
            codec::frame_header(Kind::Text, true, len, out);
            let mut text = Vec::with_capacity(event.len_max());
            event.write_to(sequence, &mut text);
            let tail = &text[event.open_text().len()..];
            codec::finish_shared(opened, tail, out);
            return;
        }
        let len = event.open_text().len() + tail_len;
        codec::frame_header(Kind::Text, false, len, out);
        let start = out.len();
        event.write_to(sequence, out);
        debug_assert_eq!(out.len() - start, len, "the header told the truth");
    }

    fn pays(&self, len: usize, deflate: Deflate) -> bool {
        match deflate {
            Deflate::On => len >= self.deflate_bytes_min,
            Deflate::Off => false,
        }
    }

    /// An event's shared text deflated, if that makes it shorter.
    fn opened(&mut self, open_text: &str) -> Option<&[u8]> {
        let known = self
            .deflated
            .iter()
            .rposition(|known| *known.open_text == *open_text);
        let index = match known {
            Some(index) => index,
            None => {
                self.payload.clear();
                let deflater = self.deflater.get_or_insert_default();
                deflater.open(open_text.as_bytes(), &mut self.payload);
                // What a tail costs more in a stored block is counted in.
                let shorter = codec::finished_len(self.payload.len(), 0) < open_text.len();
                if self.deflated.len() == DEFLATED_MAX {
                    self.deflated.pop_front();
                }
                self.deflated.push_back(Deflated {
                    open_text: open_text.into(),
                    opened: shorter.then(|| self.payload.as_slice().into()),
                });
                self.deflated.len() - 1
            }
        };
        self.deflated.get(index)?.opened.as_deref()
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
