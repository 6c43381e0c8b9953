//! Frames for clients, encoded into whatever buffer they are to go out from.

use std::{collections::VecDeque, sync::Arc};

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

    /// Appends an event's frame, with the receiver's own sequence, whose digits end where this
    /// says: they may be written over with those of another receiver.
    pub(super) fn event(
        &mut self,
        event: &EventFrame,
        sequence: Option<Sequence>,
        deflate: Deflate,
        out: &mut Vec<u8>,
    ) -> usize {
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
            // A brace, and the head of the block that a receiver adds.
            return out.len() - 2;
        }
        let len = event.open_text().len() + tail_len;
        codec::frame_header(Kind::Text, false, len, out);
        let start = out.len();
        event.write_to(sequence, out);
        debug_assert_eq!(out.len() - start, len, "the header told the truth");
        out.len() - 1
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
            Unsent::Event(event, sequence) => {
                self.event(event, sequence, deflate, out);
            }
            Unsent::Raw(text) => self.text(text, deflate, out),
        }
    }
}

/// Several frames for one session, with room to put another's numbers in their place: sessions
/// differ in nothing else.
#[derive(Debug, Default)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Of each frame: where the digits of its number end, and how many there are.
    numbers: Vec<(usize, usize)>,
}

impl Template {
    /// Forgets the frames.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
    }

    /// The frames of a burst whose first event is a session's `first`. They are made for the
    /// first session, and numbered for each; the burst is the same until the next
    /// [`Template::clear`].
    pub(super) fn fill(
        &mut self,
        encoder: &mut Encoder,
        deflate: Deflate,
        burst: &[Arc<EventFrame>],
        first: Sequence,
    ) -> &[u8] {
        let sequences = (0..burst.len()).map(|place| first.plus(place));
        let fits = self.numbers.len() == burst.len()
            && sequences
                .clone()
                .map(digits)
                .eq(self.numbers.iter().map(|(_, digits)| *digits));
        if fits {
            for (sequence, (end, digits)) in sequences.zip(&self.numbers) {
                write_digits(sequence, &mut self.bytes[end - digits..*end]);
            }
        } else {
            self.bytes.clear();
            self.numbers.clear();
            for (event, sequence) in burst.iter().zip(sequences) {
                let end = encoder.event(event, Some(sequence), deflate, &mut self.bytes);
                self.numbers.push((end, digits(sequence)));
            }
        }
        &self.bytes
    }
}

/// Length of what follows an event's open text: `,"s":N` if there is a sequence, and `}`.
fn tail_len(sequence: Option<Sequence>) -> usize {
    sequence.map_or(0, |sequence| 5 + digits(sequence)) + 1
}

fn digits(Sequence(number): Sequence) -> usize {
    number
        .checked_ilog10()
        .map_or(1, |digits| digits as usize + 1)
}

fn write_digits(Sequence(mut number): Sequence, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
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

    #[test]
    fn a_template_says_what_each_session_would_be_told_alone() {
        let events = [1, 200, 3_000].map(|name_len| {
            let data = serde_json::json!({ "name": "x".repeat(name_len) });
            let name = guildgate_wire::EventName::ApplicationSubmitted;
            EventFrame::new(name, guildgate_wire::Lane::Certain, &data)
        });
        for deflate in [Deflate::Off, Deflate::On] {
            let mut encoder = Encoder::new(100);
            let mut template = Template::default();
            for first in [1u64, 7, 8, 98, 3, 999_998, 5] {
                let mut expected = Vec::new();
                for (event, sequence) in events.iter().zip(first..) {
                    encoder.event(event, Some(Sequence(sequence)), deflate, &mut expected);
                }
                let filled = template.fill(&mut encoder, deflate, &events, Sequence(first));
                assert_eq!(filled, expected, "from {first}, {deflate:?}");
            }
        }
    }
}
