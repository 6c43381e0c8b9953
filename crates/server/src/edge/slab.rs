//! Where a shard keeps its tenants: places with a number and a generation.
//!
//! Grows by whole blocks and never moves a tenant, so that the hundred thousandth connection
//! costs what the first did.

/// Places in a block.
const BLOCK: usize = 256;

/// A slab of `T`s, addressed by slot and guarded by generation.
#[derive(Debug)]
pub struct Slab<T> {
    blocks: Vec<Box<[Place<T>]>>,
    /// Vacant slots, the last vacated on top.
    vacant: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Place<T> {
    generation: u16,
    tenant: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab {
            blocks: Vec::new(),
            vacant: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Slab<T> {
    /// How many tenants there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no tenant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets a place to `tenant`, and says which: slot and generation.
    pub fn insert(&mut self, tenant: T) -> (u32, u16) {
        let slot = match self.vacant.pop() {
            Some(slot) => slot,
            None => self.grow(),
        };
        let place = &mut self.blocks[slot as usize / BLOCK][slot as usize % BLOCK];
        place.tenant = Some(tenant);
        self.len += 1;
        (slot, place.generation)
    }

    /// The tenant of `slot`, if it is still the one of `generation`.
    #[must_use]
    pub fn tenant(&mut self, slot: u32, generation: u16) -> Option<&mut T> {
        let place = self.place(slot)?;
        if place.generation != generation {
            return None;
        }
        place.tenant.as_mut()
    }

    /// The tenant of `slot`, whichever it is.
    #[must_use]
    pub fn at(&mut self, slot: u32) -> Option<&mut T> {
        self.place(slot)?.tenant.as_mut()
    }

    /// The generation of `slot`'s tenant, if it has one.
    #[must_use]
    pub fn generation(&mut self, slot: u32) -> Option<u16> {
        let place = self.place(slot)?;
        place.tenant.as_ref()?;
        Some(place.generation)
    }

    /// Puts out the tenant of `slot`.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let place = self.place(slot)?;
        let tenant = place.tenant.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.vacant.push(slot);
        self.len -= 1;
        Some(tenant)
    }

    /// One more than the highest slot ever let.
    #[must_use]
    pub fn slots(&self) -> u32 {
        u32::try_from(self.blocks.len() * BLOCK).unwrap_or(u32::MAX)
    }

    fn place(&mut self, slot: u32) -> Option<&mut Place<T>> {
        self.blocks
            .get_mut(slot as usize / BLOCK)
            .map(|block| &mut block[slot as usize % BLOCK])
    }

    fn grow(&mut self) -> u32 {
        let first = self.slots();
        let block = (0..BLOCK).map(|_| Place {
            generation: 0,
            tenant: None,
        });
        self.blocks.push(block.collect());
        self.vacant.extend((first + 1..self.slots()).rev());
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_message_finds_nobody_rather_than_somebody_else() {
        let mut slab = Slab::default();
        let (slot, first) = slab.insert("first");
        assert_eq!(slab.remove(slot), Some("first"));
        let (again, second) = slab.insert("second");
        assert_eq!(again, slot, "the place is let again");
        assert_eq!(slab.tenant(slot, first), None);
        assert_eq!(slab.tenant(slot, second), Some(&mut "second"));
    }

    #[test]
    fn places_are_found_again_beyond_a_block() {
        let mut slab = Slab::default();
        let slots: Vec<_> = (0..3 * BLOCK).map(|number| slab.insert(number)).collect();
        assert_eq!(slab.len(), 3 * BLOCK);
        for (number, (slot, generation)) in slots.into_iter().enumerate() {
            assert_eq!(slab.tenant(slot, generation), Some(&mut number.clone()));
        }
        assert_eq!(slab.remove(u32::MAX), None);
    }
}
