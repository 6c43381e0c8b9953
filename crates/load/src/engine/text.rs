//! Finding the few things that a load generator looks for in a frame's text, without parsing
//! the rest: at full rate it must cost less than the server.

use memchr::memmem;

/// The opcode, from the head of the frame.
pub fn opcode(text: &[u8]) -> Option<u8> {
    let digit = *text.strip_prefix(b"{\"op\":")?.first()?;
    digit.is_ascii_digit().then(|| digit - b'0')
}

/// The event's name, from the head of the frame.
pub fn event(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"{\"op\":5,\"t\":\"")?;
    let end = memchr::memchr(b'"', rest)?;
    Some(&rest[..end])
}

/// The number after `"key":`, given as `key` with its quotes and colon; quotes around the
/// number are skipped.
pub fn number(text: &[u8], key: &[u8]) -> Option<u64> {
    let at = memmem::find(text, key)? + key.len();
    digits(&text[at..])
}

/// `s`, which the server writes last.
pub fn sequence(text: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b",\"s\":";
    const TAIL: usize = KEY.len() + 20 + 1;
    let tail = &text[text.len().saturating_sub(TAIL)..];
    let at = memmem::rfind(tail, KEY)? + KEY.len();
    digits(&tail[at..])
}

fn digits(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..length]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needed_parts_of_a_frame_are_found() {
        let text = br#"{"op":5,"t":"GUILD_MEMBER_COUNT_CHANGE","ev":"GUILD_MEMBER_COUNT_CHANGE","d":{"guild_id":"9","member_count":44},"s":17}"#;
        assert_eq!(opcode(text), Some(5));
        assert_eq!(event(text), Some(&b"GUILD_MEMBER_COUNT_CHANGE"[..]));
        assert_eq!(number(text, b"\"member_count\":"), Some(44));
        assert_eq!(number(text, b"\"guild_id\":"), Some(9));
        assert_eq!(sequence(text), Some(17));
        assert_eq!(sequence(&text[..text.len() - 8]), None);
    }
}
