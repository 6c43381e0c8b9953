//! Finds the end of an object or array without parsing it, 64 bytes at a time.
//!
//! Each block becomes four sets of 64 bits (quotes, backslashes, opening and closing
//! brackets). A running exclusive-or over the quotes marks what is inside strings; brackets
//! outside are counted, and looked at one by one only in a block where the count may reach
//! zero.

use wide::u8x16;

const BLOCK: usize = 64;
const LANE: usize = 16;

/// The index of the first quote or backslash from `start` on.
///
/// Sixteen bytes at a time: most keys and short texts end in the first.
#[inline]
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let (lanes, tail) = rest.as_chunks::<LANE>();
    let mut at = start;
    for lane in lanes {
        let lane = u8x16::new(*lane);
        let found = equal(lane, b'"') | equal(lane, b'\\');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += LANE;
    }
    let found = tail.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    found.map(|found| at + found)
}

/// The index past the bracket that closes the one at `start`, or none if it is never closed.
///
/// `{` and `[` count alike: what is skipped is balanced, not checked.
pub(super) fn nested(bytes: &[u8], start: usize) -> Option<usize> {
    let mut scan = Scan::default();
    let rest = bytes.get(start..)?;
    let mut blocks = rest.chunks_exact(BLOCK);
    let mut base = start;
    for block in &mut blocks {
        let block: &[u8; BLOCK] = block.try_into().expect("a whole block");
        if let Some(end) = scan.block(block) {
            return Some(base + end);
        }
        base += BLOCK;
    }
    let tail = blocks.remainder();
    let mut last = [b' '; BLOCK];
    last[..tail.len()].copy_from_slice(tail);
    scan.block(&last).map(|end| base + end)
}

#[derive(Default)]
struct Scan {
    depth: u64,
    /// All ones while the block before ended inside a string.
    in_string: u64,
    /// Whether the block before ended with a backslash that escapes what follows.
    escape: bool,
}

impl Scan {
    /// The index past the closing bracket, if it is in this block.
    fn block(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let found = Found::of(block);
        let quotes = found.quotes & !self.escaped(found.backslashes);
        let inside = running_xor(quotes) ^ self.in_string;
        self.in_string = if inside >> 63 == 1 { u64::MAX } else { 0 };
        let opens = found.opens & !inside;
        let closes = found.closes & !inside;
        let closed = u64::from(closes.count_ones());
        if closed < self.depth {
            self.depth += u64::from(opens.count_ones());
            self.depth -= closed;
            return None;
        }
        let mut brackets = opens | closes;
        while brackets != 0 {
            let at = brackets.trailing_zeros();
            if opens >> at & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(at as usize + 1);
                }
            }
            brackets &= brackets - 1;
        }
        None
    }

    /// Which bytes a backslash takes its meaning from.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.escape);
        self.escape = false;
        // A backslash that is itself escaped escapes nothing.
        let mut live = backslashes & !escaped;
        while live != 0 {
            let at = live.trailing_zeros();
            if at == 63 {
                self.escape = true;
                break;
            }
            escaped |= 1 << (at + 1);
            live &= !(0b11 << at);
        }
        escaped
    }
}

struct Found {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
}

impl Found {
    fn of(block: &[u8; BLOCK]) -> Found {
        let mut found = Found {
            quotes: 0,
            backslashes: 0,
            opens: 0,
            closes: 0,
        };
        let mut shift = 0;
        for lane in block.as_chunks::<LANE>().0 {
            let lane = u8x16::new(*lane);
            // `[` and `{` differ in this bit alone, and so do `]` and `}`.
            let folded = lane | u8x16::splat(0x20);
            found.quotes |= equal(lane, b'"') << shift;
            found.backslashes |= equal(lane, b'\\') << shift;
            found.opens |= equal(folded, b'{') << shift;
            found.closes |= equal(folded, b'}') << shift;
            shift += LANE;
        }
        found
    }
}

fn equal(lane: u8x16, byte: u8) -> u64 {
    u64::from(lane.simd_eq(u8x16::splat(byte)).to_bitmask())
}

/// Bit `i` is the exclusive-or of bits 0 to `i`.
fn running_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
