//! Client frames into messages.

use super::{
    header::{HEADER_BYTES_MAX, Header, Kind},
    mask::unmask,
};

/// What a client sent that no server can go on after.
///
/// Source: RFC 6455, 5 and 7.4; wire protocol, "Transport".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame without a mask.
    #[error("a client frame without a mask")]
    Unmasked,
    /// A reserved bit that no extension was agreed for.
    #[error("a reserved bit is set")]
    ReservedBits,
    /// An opcode that RFC 6455 reserves.
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    /// A control frame in fragments.
    #[error("a control frame in fragments")]
    FragmentedControl,
    /// A control frame of more than 125 bytes.
    #[error("a control frame of more than 125 bytes")]
    LongControl,
    /// A length in more bytes than it needs.
    #[error("a length in more bytes than it needs")]
    LongLength,
    /// A continuation of no message.
    #[error("a continuation of no message")]
    Stray,
    /// A new message inside a fragmented one.
    #[error("a message inside a fragmented message")]
    Interleaved,
    /// A close frame with half a code, a code that may not be sent, or a reason not in UTF-8.
    #[error("a malformed close frame")]
    BadClose,
    /// A binary message.
    #[error("a binary message")]
    Binary,
    /// A text message that is not UTF-8.
    #[error("a text message that is not UTF-8")]
    NotUtf8,
    /// A message over the size limit, by what its header claims.
    #[error("a message over the size limit")]
    TooLarge,
}

impl Violation {
    /// Whether the frames are sound WebSocket, and only the protocol above has no use for
    /// them: its own close code (4002) names that, not 1002.
    #[must_use]
    pub fn is_sound_websocket(self) -> bool {
        match self {
            Violation::Binary | Violation::NotUtf8 | Violation::TooLarge => true,
            Violation::Unmasked
            | Violation::ReservedBits
            | Violation::ReservedOpcode(_)
            | Violation::FragmentedControl
            | Violation::LongControl
            | Violation::LongLength
            | Violation::Stray
            | Violation::Interleaved
            | Violation::BadClose => false,
        }
    }
}

/// One message, borrowed from the bytes that were fed in or from the decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message, whole and in UTF-8.
    Text(&'a str),
    /// A deflated text message, whole, not yet inflated: see [`super::Inflater`].
    Deflated(&'a [u8]),
    /// A ping; its payload goes back in a pong.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// A part of a message, not the last one.
    Fragment,
    /// The client closes, with this code if it gave one. Nothing follows it.
    Close(Option<u16>),
}

/// Whether permessage-deflate was agreed for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deflate {
    /// It was not.
    #[default]
    Off,
    /// It was, without context takeover on either side.
    On,
}

/// Bytes on their way into a [`Decoder`], and how far they were taken. They are unmasked in
/// place.
#[derive(Debug)]
pub struct Chunk<'a> {
    bytes: &'a mut [u8],
    taken: usize,
}

impl<'a> Chunk<'a> {
    /// None of `bytes` taken yet.
    pub fn new(bytes: &'a mut [u8]) -> Chunk<'a> {
        Chunk { bytes, taken: 0 }
    }

    /// What has not been taken yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn take(&mut self, len: usize) -> &mut [u8] {
        let start = self.taken;
        self.taken += len;
        &mut self.bytes[start..self.taken]
    }
}

/// One connection's decoder: a null pointer while no frame or message is unfinished.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
}

impl Decoder {
    /// The next message that `chunk` completes; none once all of it has been taken.
    ///
    /// A message may have at most `message_bytes_max` bytes on the wire, all fragments
    /// together. What a call returns is freed by the next one.
    ///
    /// # Errors
    /// [`Violation`]; the decoder must not be used after it.
    pub fn next<'a>(
        &'a mut self,
        chunk: &'a mut Chunk<'_>,
        message_bytes_max: usize,
        deflate: Deflate,
    ) -> Result<Option<Message<'a>>, Violation> {
        if let Some(partial) = &mut self.partial {
            partial.forget_finished();
            if partial.is_empty() {
                self.partial = None;
            }
        }
        if self.partial.is_none() {
            let Some((header, header_len)) = Header::decode(chunk.rest())? else {
                if !chunk.rest().is_empty() {
                    self.partial = Some(Box::new(Partial::default()));
                    return self.go_on(chunk, message_bytes_max, deflate);
                }
                return Ok(None);
            };
            let payload_len = admit(&header, None, message_bytes_max, deflate)?;
            if header.last && chunk.rest().len() - header_len >= payload_len {
                chunk.take(header_len);
                let payload = chunk.take(payload_len);
                unmask(payload, header.key);
                return message(header.kind, header.deflated, payload).map(Some);
            }
            self.partial = Some(Box::new(Partial::default()));
        }
        self.go_on(chunk, message_bytes_max, deflate)
    }

    /// Bytes held for an unfinished frame or message.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            size_of::<Partial>()
                + partial.control.capacity()
                + partial
                    .fragments
                    .as_ref()
                    .map_or(0, |fragments| fragments.payload.capacity())
        })
    }

    fn go_on<'a>(
        &'a mut self,
        chunk: &mut Chunk<'_>,
        message_bytes_max: usize,
        deflate: Deflate,
    ) -> Result<Option<Message<'a>>, Violation> {
        let Some(partial) = &mut self.partial else {
            return Ok(None);
        };
        let Some(finished) = partial.advance(chunk, message_bytes_max, deflate)? else {
            return Ok(None);
        };
        partial.finished = Some(finished);
        match (finished, &partial.fragments) {
            (Finished::Control(kind), _) => message(kind, false, &partial.control).map(Some),
            (Finished::Fragment, _) => Ok(Some(Message::Fragment)),
            (Finished::Message, Some(fragments)) => {
                message(Kind::Text, fragments.deflated, &fragments.payload).map(Some)
            }
            (Finished::Message, None) => Ok(None),
        }
    }
}

/// An unfinished frame, an unfinished message, or both.
#[derive(Debug, Default)]
struct Partial {
    step: Step,
    fragments: Option<Fragments>,
    control: Vec<u8>,
    /// What the last call returned, borrowed from here.
    finished: Option<Finished>,
}

#[derive(Debug, Clone, Copy)]
enum Finished {
    Control(Kind),
    Fragment,
    Message,
}

#[derive(Debug)]
enum Step {
    Header {
        bytes: [u8; HEADER_BYTES_MAX],
        len: usize,
    },
    Payload {
        kind: Kind,
        last: bool,
        remaining: usize,
        key: [u8; 4],
    },
}

impl Default for Step {
    fn default() -> Step {
        Step::Header {
            bytes: [0; HEADER_BYTES_MAX],
            len: 0,
        }
    }
}

/// A text message so far.
#[derive(Debug)]
struct Fragments {
    deflated: bool,
    payload: Vec<u8>,
    /// How much of it is known to be UTF-8.
    checked: usize,
}

impl Partial {
    fn forget_finished(&mut self) {
        match self.finished.take() {
            None | Some(Finished::Fragment) => {}
            Some(Finished::Control(_)) => self.control = Vec::new(),
            Some(Finished::Message) => self.fragments = None,
        }
    }

    fn is_empty(&self) -> bool {
        self.fragments.is_none() && matches!(self.step, Step::Header { len: 0, .. })
    }

    fn advance(
        &mut self,
        chunk: &mut Chunk<'_>,
        message_bytes_max: usize,
        deflate: Deflate,
    ) -> Result<Option<Finished>, Violation> {
        loop {
            match &mut self.step {
                Step::Header { bytes, len } => {
                    let before = *len;
                    let more = chunk.rest().len().min(HEADER_BYTES_MAX - before);
                    bytes[before..before + more].copy_from_slice(&chunk.rest()[..more]);
                    let decoded = Header::decode(&bytes[..before + more])?;
                    let Some((header, header_len)) = decoded else {
                        *len += more;
                        chunk.take(more);
                        return Ok(None);
                    };
                    chunk.take(header_len - before);
                    self.begin_payload(&header, message_bytes_max, deflate)?;
                }
                Step::Payload {
                    kind,
                    last,
                    remaining,
                    key,
                } => {
                    let (kind, last) = (*kind, *last);
                    let more = chunk.rest().len().min(*remaining);
                    let bytes = chunk.take(more);
                    *key = unmask(bytes, *key);
                    *remaining -= more;
                    let complete = *remaining == 0;
                    if kind.is_control() {
                        self.control.extend_from_slice(bytes);
                    } else if let Some(fragments) = &mut self.fragments {
                        fragments.append(bytes, complete && last)?;
                    }
                    if !complete {
                        return Ok(None);
                    }
                    self.step = Step::default();
                    if kind.is_control() {
                        return Ok(Some(Finished::Control(kind)));
                    }
                    return Ok(Some(if last {
                        Finished::Message
                    } else {
                        Finished::Fragment
                    }));
                }
            }
        }
    }

    fn begin_payload(
        &mut self,
        header: &Header,
        message_bytes_max: usize,
        deflate: Deflate,
    ) -> Result<(), Violation> {
        let remaining = admit(header, self.fragments.as_ref(), message_bytes_max, deflate)?;
        if header.kind == Kind::Text {
            self.fragments = Some(Fragments {
                deflated: header.deflated,
                payload: Vec::new(),
                checked: 0,
            });
        }
        self.step = Step::Payload {
            kind: header.kind,
            last: header.last,
            remaining,
            key: header.key,
        };
        Ok(())
    }
}

impl Fragments {
    /// Takes more of the message. Bad UTF-8 is seen as soon as it is there, at a cost that
    /// grows with the message, not with the number of pieces it comes in.
    fn append(&mut self, bytes: &[u8], complete: bool) -> Result<(), Violation> {
        self.payload.extend_from_slice(bytes);
        if self.deflated {
            return Ok(());
        }
        match simdutf8::compat::from_utf8(&self.payload[self.checked..]) {
            Ok(_) => self.checked = self.payload.len(),
            Err(error) if error.error_len().is_none() && !complete => {
                self.checked += error.valid_up_to();
            }
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }
}

/// Checks a header against what came before it, and returns the length of the payload, which
/// fits the limit.
fn admit(
    header: &Header,
    fragments: Option<&Fragments>,
    message_bytes_max: usize,
    deflate: Deflate,
) -> Result<usize, Violation> {
    match (header.kind, fragments) {
        (Kind::Close | Kind::Ping | Kind::Pong, _) => {}
        (Kind::Continuation, None) => return Err(Violation::Stray),
        (Kind::Continuation, Some(_)) if header.deflated => return Err(Violation::ReservedBits),
        (Kind::Continuation, Some(_)) => {}
        (Kind::Text | Kind::Binary, Some(_)) => return Err(Violation::Interleaved),
        (Kind::Text | Kind::Binary, None) if header.deflated && deflate == Deflate::Off => {
            return Err(Violation::ReservedBits);
        }
        (Kind::Binary, None) => return Err(Violation::Binary),
        (Kind::Text, None) => {}
    }
    let before = match (header.kind.is_control(), fragments) {
        (false, Some(fragments)) => fragments.payload.len(),
        (true, _) | (false, None) => 0,
    };
    let room = if header.kind.is_control() {
        usize::MAX
    } else {
        message_bytes_max.saturating_sub(before)
    };
    usize::try_from(header.payload_len)
        .ok()
        .filter(|&len| len <= room)
        .ok_or(Violation::TooLarge)
}

fn message(kind: Kind, deflated: bool, payload: &[u8]) -> Result<Message<'_>, Violation> {
    match kind {
        Kind::Continuation | Kind::Text | Kind::Binary if deflated => {
            Ok(Message::Deflated(payload))
        }
        Kind::Continuation | Kind::Text | Kind::Binary => simdutf8::basic::from_utf8(payload)
            .map(Message::Text)
            .map_err(|_| Violation::NotUtf8),
        Kind::Ping => Ok(Message::Ping(payload)),
        Kind::Pong => Ok(Message::Pong),
        Kind::Close => match payload {
            [] => Ok(Message::Close(None)),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if may_be_sent(code) && simdutf8::basic::from_utf8(reason).is_ok() {
                    Ok(Message::Close(Some(code)))
                } else {
                    Err(Violation::BadClose)
                }
            }
            [_] => Err(Violation::BadClose),
        },
    }
}

/// Source: RFC 6455, 7.4, and the IANA registry of close codes.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
