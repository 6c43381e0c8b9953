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
    /// Where the digits of each frame's number end.
    ends: Vec<usize>,
    /// How many digits each number has; none if they differ, which fits nobody else.
    digits: Option<usize>,
}

impl Template {
    /// Forgets the frames.
    pub(super) fn clear(&mut self) {
        self.digits = None;
        self.bytes.clear();
        self.ends.clear();
    }

    /// Gives back room beyond so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.bytes.shrink_to(bytes);
        self.ends.shrink_to(bytes / size_of::<usize>());
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
        let last = first.plus(burst.len().saturating_sub(1));
        let alike = (digits(first) == digits(last)).then(|| digits(first));
        match Decimal::new(first) {
            Some(mut number) if alike.is_some() && alike == self.digits => {
                for (place, end) in self.ends.iter().enumerate() {
                    if place > 0 {
                        number.count_on();
                    }
                    number.write_before(*end, &mut self.bytes);
                }
            }
            Some(_) | None => {
                self.clear();
                for (place, event) in burst.iter().enumerate() {
                    let sequence = Some(first.plus(place));
                    let end = encoder.event(event, sequence, deflate, &mut self.bytes);
                    self.ends.push(end);
                }
                // Only once all are there: a panic on the way is one client's, and the next one
                // begins anew.
                self.digits = alike;
            }
        }
        &self.bytes
    }
}

/// A number's digits in one big-endian word: those that follow on it are counted and written a
/// word at a time, without a division. In a burst to many sessions that is most of what is left
/// to do for each.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    digits: u64,
    /// Which bytes of the word are digits.
    mask: u64,
}

impl Decimal {
    /// None if there are more digits than a word has bytes.
    fn new(Sequence(mut number): Sequence) -> Option<Decimal> {
        let bits = 8 * u32::try_from(digits(Sequence(number))).ok()?;
        let mask = u64::MAX >> u64::BITS.checked_sub(bits)?;
        let mut digits = 0;
        for shift in (0..bits).step_by(8) {
            digits |= (u64::from(b'0') + number % 10) << shift;
            number /= 10;
        }
        Some(Decimal { digits, mask })
    }

    /// The next number, which has as many digits.
    fn count_on(&mut self) {
        let mut shift = 0;
        while (self.digits >> shift) as u8 == b'9' {
            self.digits -= 9 << shift;
            shift += 8;
        }
        self.digits += 1 << shift;
    }

    /// Puts the digits in front of `end`, where as many digits and some text are.
    fn write_before(self, end: usize, bytes: &mut [u8]) {
        let Some(word) = bytes[..end].last_chunk_mut() else {
            debug_assert!(false, "a frame is longer than a number");
            return;
        };
        let text = u64::from_be_bytes(*word) & !self.mask;
        *word = (text | self.digits).to_be_bytes();
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
            let firsts = [
                1, 7, 8, 98, 95, 96, 3, 999_998, 999_989, 999_990, 5, 12_345_678, 12_345_699,
            ];
            for first in firsts
                .into_iter()
                .chain([123_456_789, 123_456_790, 99_999_999])
            {
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
