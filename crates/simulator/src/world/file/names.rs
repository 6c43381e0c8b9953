//! What a file calls by name, or by the id that it gives.

use std::collections::BTreeMap;

use super::WorldError;

/// The users of a file, or the roles of one of its guilds.
pub(super) struct Names {
    what: &'static str,
    by_name: BTreeMap<String, u64>,
    ids: Ids,
}

impl Names {
    /// None yet; `what` is `user` or `role`.
    pub(super) fn of(what: &'static str) -> Names {
        Names {
            what,
            by_name: BTreeMap::new(),
            ids: Ids::of(what),
        }
    }

    /// Takes an id that the file has not given, but may name.
    pub(super) fn reserve(&mut self, id: u64, name: &str) {
        self.ids.taken.insert(id, name.to_owned());
    }

    /// # Errors
    /// Where the name or the id is another's: it would lead to either.
    pub(super) fn add(&mut self, id: u64, name: &str, place: &str) -> Result<(), WorldError> {
        if self.by_name.insert(name.to_owned(), id).is_some() {
            let what = format!(
                "a second {} of this name, which could not be told from the first: expected \
                 another name",
                self.what
            );
            return Err(meaning(place, what));
        }
        self.ids.add(id, name, place)
    }

    /// What `key` of `place` calls `wanted`.
    ///
    /// # Errors
    /// Where the file defines no such one.
    pub(super) fn find(&self, wanted: &str, key: &str, place: &str) -> Result<u64, WorldError> {
        let by_id = || {
            wanted
                .parse()
                .ok()
                .filter(|id| self.ids.taken.contains_key(id))
        };
        let found = self.by_name.get(wanted).copied().or_else(by_id);
        found.ok_or_else(|| {
            let what = format!(
                "{key} names the {} {wanted:?}, which the file does not define: expected the name \
                 or id of one that it does",
                self.what
            );
            meaning(place, what)
        })
    }

    /// The ids of those with a name.
    pub(super) fn named(&self) -> impl Iterator<Item = u64> {
        self.by_name.values().copied()
    }
}

/// Ids of one kind, and whose they are.
pub(super) struct Ids {
    what: &'static str,
    taken: BTreeMap<u64, String>,
}

impl Ids {
    /// None yet.
    pub(super) fn of(what: &'static str) -> Ids {
        Ids {
            what,
            taken: BTreeMap::new(),
        }
    }

    /// # Errors
    /// Where the id is another's.
    pub(super) fn add(&mut self, id: u64, name: &str, place: &str) -> Result<(), WorldError> {
        match self.taken.insert(id, name.to_owned()) {
            None => Ok(()),
            Some(other) => {
                let what = format!(
                    "its id {id} is that of the {} {other:?} already: expected another id",
                    self.what
                );
                Err(meaning(place, what))
            }
        }
    }
}

pub(super) fn meaning(place: &str, what: String) -> WorldError {
    WorldError::Meaning {
        place: place.to_owned(),
        what,
    }
}
