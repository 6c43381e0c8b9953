//! What a payload from Discord is, found without reading its data.

use crate::{
    Opcode,
    json::{Cursor, Malformed},
};

/// `op`, `s` and `t` of a payload, and where its `d` begins.
///
/// Discord writes `d` last, so that the prefix says it all; a server that writes it earlier,
/// or leaves keys out, costs a skip over `d`.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    /// What it is.
    pub op: Opcode,
    /// Its place in the session; `null`, missing and unusable ones are none.
    pub seq: Option<u64>,
    /// The event's name.
    pub name: Option<&'a str>,
    bytes: &'a [u8],
    data_at: Option<usize>,
}

/// A payload that cannot be told apart from noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a JSON object, or half of one.
    #[error("a payload cannot be read")]
    Malformed(#[from] Malformed),
    /// An object with neither `op` nor `t`.
    #[error("a payload has neither `op` nor `t`")]
    Unnamed,
}

impl<'a> Envelope<'a> {
    /// Looks at the payload's prefix; the bytes need not be valid UTF-8 past it.
    ///
    /// # Errors
    /// [`EnvelopeError`]; a payload whose end is missing counts as malformed.
    ///
    /// Source: Discord, "Gateway Event Payload Structure".
    pub fn peek(bytes: &'a [u8]) -> Result<Envelope<'a>, EnvelopeError> {
        // `d` is not parsed, so a text that was cut short would go unnoticed.
        if bytes.trim_ascii_end().last() != Some(&b'}') {
            return Err(Malformed { at: bytes.len() }.into());
        }
        if let Some(envelope) = Envelope::as_discord_writes(bytes) {
            return Ok(envelope);
        }
        let mut cursor = Cursor::new(bytes);
        let mut op = None;
        let mut seq = None;
        let mut name = None;
        let mut data_at = None;
        if !cursor.enter(b'{')? {
            return Err(Malformed { at: 0 }.into());
        }
        while let Some(key) = cursor.next_key()? {
            match key {
                b"op" => op = cursor.number()?,
                b"s" => seq = Some(cursor.number()?),
                b"t" => name = Some(text(&mut cursor, bytes)?),
                b"d" => {
                    data_at = Some(cursor.position());
                    let told = match op {
                        Some(0) => seq.is_some() && name.is_some(),
                        Some(_) => true,
                        None => false,
                    };
                    if told {
                        break;
                    }
                    cursor.skip()?;
                }
                _ => cursor.skip()?,
            }
        }
        let name = name.flatten();
        let op = match op {
            Some(number) => Opcode::from_number(u8::try_from(number).unwrap_or(u8::MAX)),
            None if name.is_some() => Opcode::Dispatch,
            None => return Err(EnvelopeError::Unnamed),
        };
        Ok(Envelope {
            op,
            seq: seq.flatten(),
            name,
            bytes,
            data_at,
        })
    }

    /// An event whose prefix is to the letter as Discord writes it; none for any other.
    fn as_discord_writes(bytes: &'a [u8]) -> Option<Envelope<'a>> {
        let rest = bytes.strip_prefix(br#"{"t":""#)?;
        let name_bytes = rest
            .iter()
            .position(|byte| !matches!(byte, b'A'..=b'Z' | b'_'))?;
        let (name, rest) = rest.split_at(name_bytes);
        let mut rest = rest.strip_prefix(br#"","s":"#)?;
        rest.first().filter(|byte| byte.is_ascii_digit())?;
        let mut seq = 0_u64;
        while let [digit @ b'0'..=b'9', more @ ..] = rest {
            seq = seq.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            rest = more;
        }
        let data = rest.strip_prefix(br#","op":0,"d":"#)?;
        Some(Envelope {
            op: Opcode::Dispatch,
            seq: Some(seq),
            name: std::str::from_utf8(name).ok(),
            bytes,
            data_at: Some(bytes.len() - data.len()),
        })
    }

    /// In front of `d`; of a null where it is missing.
    pub(crate) fn data(&self) -> Cursor<'a> {
        match self.data_at {
            Some(at) => Cursor::at(self.bytes, at),
            None => Cursor::new(b"null"),
        }
    }
}

/// An event's name: a string without escapes. Anything else is no name.
fn text<'a>(cursor: &mut Cursor<'a>, bytes: &'a [u8]) -> Result<Option<&'a str>, Malformed> {
    let start = cursor.position();
    cursor.skip()?;
    Ok(bytes
        .get(start + 1..cursor.position().saturating_sub(1))
        .filter(|_| bytes[start] == b'"')
        .and_then(|name| std::str::from_utf8(name).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, op: u8, seq: Option<u64>, name: Option<&str>, data: &str) {
        let seen = Envelope::peek(text.as_bytes()).expect(text);
        assert_eq!(
            (seen.op.number(), seen.seq, seen.name),
            (op, seq, name),
            "{text}"
        );
        let mut cursor = seen.data();
        let start = cursor.position();
        cursor.skip().expect("a value");
        let seen = seen.data_at.map_or("", |_| &text[start..cursor.position()]);
        assert_eq!(seen, data, "{text}");
    }

    #[test]
    fn keys_are_found_in_any_order_or_left_out() {
        check(
            r#"{"t":"X","s":2,"op":0,"d":{"op":9}}"#,
            0,
            Some(2),
            Some("X"),
            r#"{"op":9}"#,
        );
        check(
            r#"{"op":0,"d":{"t":"no"},"t":"X","s":0}"#,
            0,
            Some(0),
            Some("X"),
            r#"{"t":"no"}"#,
        );
        check(r#"{"d":[1,2],"op":0,"t":"X"}"#, 0, None, Some("X"), "[1,2]");
        check(r#"{"t":"X","d":{}}"#, 0, None, Some("X"), "{}");
        check(r#"{"op":11}"#, 11, None, None, "");
        check(r#" {"op" : 7 , "d" : null } "#, 7, None, None, "null");
        check(
            r#"{"t":null,"s":null,"op":9,"d":false}"#,
            9,
            None,
            None,
            "false",
        );
        check(r#"{"op":"10","s":"5","d":{}}"#, 10, Some(5), None, "{}");
        check(r#"{"op":4711,"s":-1,"d":1}"#, 255, None, None, "1");
    }

    /// What Discord writes to the letter is read another way, and as the same.
    #[test]
    fn discords_own_spelling_reads_as_any_other() {
        for (name, seq) in [("GUILD_MEMBER_UPDATE", 0), ("A", u64::MAX), ("", 12)] {
            let exact = format!(r#"{{"t":"{name}","s":{seq},"op":0,"d":{{"x":1}}}}"#);
            assert!(Envelope::as_discord_writes(exact.as_bytes()).is_some());
            check(&exact, 0, Some(seq), Some(name), r#"{"x":1}"#);
            let loose = exact.replace(',', " , ");
            assert!(Envelope::as_discord_writes(loose.as_bytes()).is_none());
            check(&loose, 0, Some(seq), Some(name), r#"{"x":1}"#);
        }
        for other in [
            r#"{"t":"X","s":18446744073709551616,"op":0,"d":{}}"#,
            r#"{"t":"X","s":,"op":0,"d":{}}"#,
            r#"{"t":"a\u0062","s":1,"op":0,"d":{}}"#,
            r#"{"t":null,"s":null,"op":10,"d":{}}"#,
            r#"{"t":"X","s":1,"op":11,"d":null}"#,
        ] {
            let seen = Envelope::as_discord_writes(other.as_bytes());
            assert!(seen.is_none(), "{other}");
        }
    }

    #[test]
    fn noise_is_refused() {
        for text in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"s":1}"#,
            r#"{"op":0,"t":"X","s":1,"d":{"a":"#,
            "}",
        ] {
            assert!(Envelope::peek(text.as_bytes()).is_err(), "{text}");
        }
    }
}
