//! A map in order, in one allocation.

use std::collections::VecDeque;

/// A map from few or many keys, in their order.
///
/// Most sessions have one participant, and a tree has room for eleven in its smallest node. In
/// a large one a new key moves a quarter of the others on average, sixteen bytes each; timers
/// come and go at the ends, where nothing moves.
#[derive(Debug)]
pub(super) struct Ordered<K, V = ()>(VecDeque<(K, V)>);

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Ordered<K, V> {
        Ordered(VecDeque::new())
    }
}

impl<K: Ord + Copy, V> Ordered<K, V> {
    /// Puts a value in; the key's earlier one is replaced.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.find(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, value));
            }
        }
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let at = self.find(key).ok()?;
        self.0.remove(at).map(|(_, value)| value)
    }

    pub(super) fn get(&self, key: K) -> Option<&V> {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(super) fn first(&self) -> Option<K> {
        self.0.front().map(|(key, _)| *key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// The keys from `first` on.
    pub(super) fn keys_from(&self, first: K) -> impl Iterator<Item = K> {
        let (Ok(at) | Err(at)) = self.find(first);
        self.0.range(at..).map(|(key, _)| *key)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(known, _)| *known)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((any::<bool>(), 0..20u8), 1..200)) {
            let mut model = BTreeMap::new();
            let mut ordered = Ordered::default();
            for (number, (is_new, key)) in steps.into_iter().enumerate() {
                if is_new {
                    model.insert(key, number);
                    ordered.insert(key, number);
                } else {
                    assert_eq!(ordered.remove(key), model.remove(&key));
                }
                assert_eq!(ordered.get(key), model.get(&key));
                assert_eq!(ordered.get_mut(key), model.get_mut(&key));
                assert_eq!(ordered.first(), model.keys().next().copied());
                assert_eq!(ordered.len(), model.len());
                assert!(ordered.iter().eq(model.iter().map(|(key, value)| (*key, value))));
                let keys = model.range(key..).map(|(key, _)| *key);
                assert!(ordered.keys_from(key).eq(keys));
            }
        }
    }
}
