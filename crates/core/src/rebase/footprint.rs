//! What a patch touches and what it changes, so that two patches can be told to be strangers.
//!
//! Places are pointer texts with `-` resolved. RFC 6901 writes a token in exactly one way, so
//! texts can be compared. Everything here errs towards a conflict: a false one costs a retry, a
//! missed one puts a text into the wrong field.

/// What one patch counts on and what it changes, as found while it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footprint {
    touches: Vec<Touch>,
    changes: Vec<Change>,
}

/// What a patch counts on being as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Touch {
    /// The value at a place, with all that is below it.
    Value(Box<str>),
    /// That this many elements come before a place in an array.
    Position { array: Box<str>, before: usize },
    /// That there is an array, however long.
    End { array: Box<str> },
    /// All elements of an array from this one on.
    Tail { array: Box<str>, from: usize },
}

/// What a patch did to the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The value at a place is another, or is gone, or is new.
    Value(Box<str>),
    /// Elements from this one on have another index, or are gone, or are new.
    Shift { array: Box<str>, from: usize },
}

impl Footprint {
    /// Whether the patch counts on something that `change` did away with.
    pub(super) fn is_disturbed_by(&self, change: &Change) -> bool {
        self.touches
            .iter()
            .any(|touch| touch.is_disturbed_by(change))
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Notes that the value at `place` was read.
    pub(super) fn read(&mut self, place: &str) {
        let touch = match self.shifted_around(place) {
            Some((array, from)) => Touch::Tail { array, from },
            None => Touch::Value(place.into()),
        };
        self.touches.push(touch);
    }

    /// Notes that the value at `place` was replaced, or a member of an object added or removed.
    pub(super) fn write(&mut self, place: &str) {
        self.read(place);
        self.changes.push(Change::Value(place.into()));
    }

    /// Notes that an element was inserted so that `before` elements come before it.
    pub(super) fn insert(&mut self, array: &str, before: usize) {
        let own_shift = self.own_shift(array);
        let touch = match (self.shifted_around(array), own_shift) {
            (Some((array, from)), _) => Touch::Tail { array, from },
            // The index counts on this patch's own earlier inserts and removals, too.
            (None, Some(from)) if from <= before => Touch::Position {
                array: array.into(),
                before: usize::MAX,
            },
            (None, _) => Touch::Position {
                array: array.into(),
                before,
            },
        };
        self.touches.push(touch);
        self.shift(array, before);
    }

    /// Notes that an element was added behind the `length` there are.
    pub(super) fn append(&mut self, array: &str, length: usize) {
        let touch = match self.shifted_around(array) {
            Some((array, from)) => Touch::Tail { array, from },
            None => Touch::End {
                array: array.into(),
            },
        };
        self.touches.push(touch);
        self.shift(array, length);
    }

    /// Notes that element `index` was removed.
    pub(super) fn take_out(&mut self, array: &str, index: usize) {
        self.read(&format!("{array}/{index}"));
        self.shift(array, index);
    }

    fn shift(&mut self, array: &str, from: usize) {
        self.changes.push(Change::Shift {
            array: array.into(),
            from,
        });
    }

    /// From where on this patch has itself shifted `array`.
    fn own_shift(&self, array: &str) -> Option<usize> {
        let shifts = self.changes.iter().filter_map(|change| match change {
            Change::Shift { array: own, from } if **own == *array => Some(*from),
            Change::Shift { .. } | Change::Value(_) => None,
        });
        shifts.min()
    }

    /// The outermost array in which this patch has itself moved what leads to `place`, and from
    /// where on: what the place was called before cannot be told any more.
    fn shifted_around(&self, place: &str) -> Option<(Box<str>, usize)> {
        let mut outermost: Option<(&str, usize)> = None;
        for change in &self.changes {
            let Change::Shift { array, from } = change else {
                continue;
            };
            if !is_at_or_behind(place, array, *from) {
                continue;
            }
            outermost = match outermost {
                Some((other, least)) if **array == *other => Some((other, least.min(*from))),
                Some((other, least)) if other.len() < array.len() => Some((other, least)),
                Some(_) | None => Some((array, *from)),
            };
        }
        outermost.map(|(array, from)| (array.into(), from))
    }
}

impl Touch {
    fn is_disturbed_by(&self, change: &Change) -> bool {
        match (self, change) {
            (Touch::Value(place), Change::Value(changed)) => {
                is_within(place, changed) || is_within(changed, place)
            }
            (Touch::Value(place), Change::Shift { array, from }) => {
                is_within(array, place) || is_at_or_behind(place, array, *from)
            }
            (Touch::Position { array, .. } | Touch::End { array }, Change::Value(changed)) => {
                is_within(array, changed)
            }
            (
                Touch::Position { array, before },
                Change::Shift {
                    array: shifted,
                    from,
                },
            ) => {
                if array == shifted {
                    before >= from
                } else {
                    is_at_or_behind(array, shifted, *from)
                }
            }
            (
                Touch::End { array },
                Change::Shift {
                    array: shifted,
                    from,
                },
            ) => is_at_or_behind(array, shifted, *from),
            (Touch::Tail { array, from }, Change::Value(changed)) => {
                is_within(array, changed) || is_at_or_behind(changed, array, *from)
            }
            (
                Touch::Tail { array, from },
                Change::Shift {
                    array: shifted,
                    from: at,
                },
            ) => {
                array == shifted
                    || is_at_or_behind(array, shifted, *at)
                    || is_at_or_behind(shifted, array, *from)
            }
        }
    }
}

/// Whether `place` is `outer` or below it.
fn is_within(place: &str, outer: &str) -> bool {
    place
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `place` is an element of `array` from index `from` on, or below one.
fn is_at_or_behind(place: &str, array: &str, from: usize) -> bool {
    let Some(rest) = place
        .strip_prefix(array)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return false;
    };
    let token = rest.split('/').next().unwrap_or(rest);
    // What is no index was written when the array was none: a change that says so is near, but
    // this one is enough.
    token.parse::<usize>().map_or(true, |index| index >= from)
}
