//! Reads the few values that are needed out of a JSON text and passes over the rest.
//!
//! A cursor rather than a parser: what is skipped is only balanced, never checked, so its cost
//! is that of looking at memory. It does not validate; a text with a fault in a part that
//! nobody reads is taken as if it had none.

mod skip;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// A text that is not JSON, as far as it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}")]
pub struct Malformed {
    /// Where it stopped making sense.
    pub at: usize,
}

/// A place in a JSON text, in front of a value.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(crate) fn at(bytes: &'a [u8], at: usize) -> Cursor<'a> {
        Cursor { bytes, at }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Hands each member of an object to `each`, which reads its value or leaves it to be
    /// skipped. A value that is no object has no members.
    pub(crate) fn fields(
        &mut self,
        mut each: impl FnMut(&'a [u8], &mut Cursor<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = self.next_key()? {
            let before = self.at;
            each(key, self)?;
            if self.at == before {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// Hands each item of an array to `each`. A value that is no array has no items.
    pub(crate) fn items(
        &mut self,
        mut each: impl FnMut(&mut Cursor<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.enter(b'[')? {
            return Ok(());
        }
        while self.next_item()? {
            let before = self.at;
            each(self)?;
            if self.at == before {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// Steps into an object or array; passes over any other value.
    pub(crate) fn enter(&mut self, open: u8) -> Result<bool, Malformed> {
        if self.peek()? == open {
            self.at += 1;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// The next key of the object that the cursor is in, with the cursor before its value;
    /// none past the last one.
    #[inline]
    pub(crate) fn next_key(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let mut byte = self.peek()?;
        if byte == b'}' {
            self.at += 1;
            return Ok(None);
        }
        if byte == b',' {
            self.at += 1;
            byte = self.peek()?;
        }
        if byte != b'"' {
            return Err(self.fault());
        }
        let key = self.quoted()?.inner;
        if self.peek()? != b':' {
            return Err(self.fault());
        }
        self.at += 1;
        self.peek()?;
        Ok(Some(key))
    }

    fn next_item(&mut self) -> Result<bool, Malformed> {
        match self.peek()? {
            b']' => {
                self.at += 1;
                return Ok(false);
            }
            b',' => {
                self.at += 1;
                self.peek()?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// A string; none for any other value.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        if self.peek()? != b'"' {
            self.skip()?;
            return Ok(None);
        }
        let start = self.at;
        let quoted = self.quoted()?;
        if quoted.escaped {
            let whole = &self.bytes[start..self.at];
            // A text that only its escapes spoil, such as half a surrogate pair, is no reason
            // to lose the event.
            return Ok(serde_json::from_slice::<String>(whole).ok().map(Cow::Owned));
        }
        std::str::from_utf8(quoted.inner)
            .map(|text| Some(Cow::Borrowed(text)))
            .map_err(|fault| Malformed {
                at: start + 1 + fault.valid_up_to(),
            })
    }

    /// A string or null; none for any other value.
    pub(crate) fn nullable_text(&mut self) -> Result<Option<Option<Box<str>>>, Malformed> {
        if self.peek()? == b'n' {
            self.skip()?;
            return Ok(Some(None));
        }
        Ok(self.text()?.map(|text| Some(text.into())))
    }

    /// An unsigned number, bare or as a string; none for any other value.
    pub(crate) fn number(&mut self) -> Result<Option<u64>, Malformed> {
        let digits = if self.peek()? == b'"' {
            self.quoted()?.inner
        } else {
            let start = self.at;
            self.skip()?;
            &self.bytes[start..self.at]
        };
        Ok(unsigned(digits))
    }

    /// A non-negative number with or without a fraction; none for any other value.
    pub(crate) fn fraction(&mut self) -> Result<Option<f64>, Malformed> {
        let start = self.at;
        self.skip()?;
        let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or("");
        Ok(text
            .trim_matches('"')
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite() && *number >= 0.0))
    }

    /// True or false; none for any other value.
    pub(crate) fn boolean(&mut self) -> Result<Option<bool>, Malformed> {
        let start = self.at;
        self.skip()?;
        Ok(match self.bytes[start..self.at].first() {
            Some(b't') => Some(true),
            Some(b'f') => Some(false),
            _ => None,
        })
    }

    /// Whether the value is null; it is not passed over.
    pub(crate) fn is_null(&mut self) -> Result<bool, Malformed> {
        Ok(self.peek()? == b'n')
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        match self.peek()? {
            b'"' => {
                self.quoted()?;
            }
            b'{' | b'[' => {
                self.at = skip::nested(self.bytes, self.at).ok_or(Malformed {
                    at: self.bytes.len(),
                })?;
            }
            b't' | b'n' => self.skip_word(4),
            b'f' => self.skip_word(5),
            b'-' | b'0'..=b'9' => self.skip_word(1),
            _ => return Err(self.fault()),
        }
        Ok(())
    }

    /// Passes over a number or a word, which is `length` long at least if it is what it seems.
    #[inline]
    fn skip_word(&mut self, length: usize) {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        if self.bytes.get(self.at + length).is_some_and(ends) {
            self.at += length;
            return;
        }
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    #[inline]
    fn quoted(&mut self) -> Result<Quoted<'a>, Malformed> {
        let start = self.at + 1;
        match skip::string_end(self.bytes, start) {
            Some(end) if self.bytes[end] == b'"' => {
                self.at = end + 1;
                Ok(Quoted {
                    inner: &self.bytes[start..end],
                    escaped: false,
                })
            }
            Some(escape) => self.quoted_with_escapes(start, escape),
            None => Err(Malformed {
                at: self.bytes.len(),
            }),
        }
    }

    /// Most strings have no escape, and are found without this.
    #[cold]
    fn quoted_with_escapes(
        &mut self,
        start: usize,
        escape: usize,
    ) -> Result<Quoted<'a>, Malformed> {
        let mut at = escape;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    self.at = at + 1;
                    return Ok(Quoted {
                        inner: &self.bytes[start..at],
                        escaped: true,
                    });
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        Err(Malformed {
            at: self.bytes.len(),
        })
    }

    /// The first byte of what follows, past white space.
    #[inline]
    fn peek(&mut self) -> Result<u8, Malformed> {
        match self.bytes.get(self.at) {
            // Discord writes no white space.
            Some(&byte) if byte > b' ' => Ok(byte),
            Some(_) | None => self.peek_past_space(),
        }
    }

    #[cold]
    fn peek_past_space(&mut self) -> Result<u8, Malformed> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(self.fault())
    }

    fn fault(&self) -> Malformed {
        Malformed { at: self.at }
    }
}

/// So many digits never pass a `u64`.
const DIGITS_SAFE: usize = 19;

fn unsigned(digits: &[u8]) -> Option<u64> {
    let (eights, rest) = digits.as_chunks::<8>();
    let mut number = 0_u64;
    let mut odd = digits.is_empty();
    for eight in eights {
        let (value, is_odd) = eight_digits(*eight);
        odd |= is_odd;
        // What is no number or too long for this is found out below.
        number = number.wrapping_mul(100_000_000).wrapping_add(value);
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        odd |= digit > 9;
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    match odd {
        true => None,
        false if digits.len() <= DIGITS_SAFE => Some(number),
        false => std::str::from_utf8(digits).ok()?.parse().ok(),
    }
}

/// Eight digits at once: pairs of neighbours are joined three times. The value means nothing
/// where any of them is none.
fn eight_digits(bytes: [u8; 8]) -> (u64, bool) {
    let word = u64::from_le_bytes(bytes);
    let high = 0xF0F0_F0F0_F0F0_F0F0;
    let zeros = 0x3030_3030_3030_3030;
    // A digit's upper half is 3, and stays 3 when six is added to it.
    let past_nine = word.wrapping_add(0x0606_0606_0606_0606);
    let odd = word & high != zeros || past_nine & high != zeros;
    let ones = word.wrapping_sub(zeros);
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    let all = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF;
    (all, odd)
}

struct Quoted<'a> {
    inner: &'a [u8],
    escaped: bool,
}
