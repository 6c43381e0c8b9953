//! A guild's emojis in one allocation.

use guildgate_model::{Emoji, EmojiId};

/// Custom emojis, packed: for each its id (8 bytes), its name's length with the animated bit
/// (2 bytes), and its name. A guild keeps them for good and shows them rarely.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PackedEmojis(Box<[u8]>);

impl PackedEmojis {
    /// Packs `emojis` in their order; a name past [`NAME_BYTES_MAX`] is cut.
    pub(super) fn pack(emojis: &[Emoji]) -> PackedEmojis {
        let bytes_in_all = emojis
            .iter()
            .map(|emoji| HEAD_BYTES + cut(&emoji.name).len())
            .sum();
        let mut packed = Vec::with_capacity(bytes_in_all);
        for emoji in emojis {
            let name = cut(&emoji.name);
            let animated = if emoji.animated { ANIMATED } else { 0 };
            packed.extend_from_slice(&emoji.id.0.to_le_bytes());
            packed.extend_from_slice(&(name.len() as u16 | animated).to_le_bytes());
            packed.extend_from_slice(name.as_bytes());
        }
        PackedEmojis(packed.into_boxed_slice())
    }

    /// The emojis, as they went in.
    pub(super) fn unpack(&self) -> Vec<Emoji> {
        let mut emojis = Vec::new();
        let mut rest = &*self.0;
        while let Some((head, tail)) = rest.split_at_checked(HEAD_BYTES) {
            let (id, length) = head.split_at(8);
            let id = u64::from_le_bytes(id.try_into().expect("eight bytes were split off"));
            let length = u16::from_le_bytes(length.try_into().expect("two bytes are left"));
            let (name, after) = tail.split_at(usize::from(length & !ANIMATED));
            emojis.push(Emoji {
                id: EmojiId(id),
                name: String::from_utf8_lossy(name).into(),
                animated: length & ANIMATED != 0,
            });
            rest = after;
        }
        emojis
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES_MAX)]
}

const HEAD_BYTES: usize = 8 + 2;
const ANIMATED: u16 = 1 << 15;
/// Discord's own names have at most 32 characters.
const NAME_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn emoji(id: u64, name: &str, animated: bool) -> Emoji {
        Emoji {
            id: EmojiId(id),
            name: name.into(),
            animated,
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let emojis = vec![
            emoji(u64::MAX, "party", true),
            emoji(0, "", false),
            emoji(7, "größe", false),
        ];
        assert_eq!(PackedEmojis::pack(&emojis).unpack(), emojis);
        assert_eq!(PackedEmojis::pack(&[]).unpack(), []);
    }

    #[test]
    fn a_name_without_end_is_cut_between_characters() {
        let packed =
            PackedEmojis::pack(&[emoji(1, &"é".repeat(100_000), true), emoji(2, "b", false)]);
        let emojis = packed.unpack();
        assert_eq!(&*emojis[0].name, "é".repeat(NAME_BYTES_MAX / 2));
        assert!(emojis[0].animated);
        assert_eq!(emojis[1], emoji(2, "b", false));
    }
}
