//! Lists in pages, newest first.

/// The most that one page holds, whatever was asked.
pub const PAGE_MAX: u32 = 1_000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only what is older than the item of this number, from [`Listed::next`]; from the
    /// newest if none.
    pub before: Option<u64>,
    /// How many at most; no more than [`PAGE_MAX`].
    pub limit: u32,
}

impl Page {
    /// The newest `limit` items.
    #[must_use]
    pub fn first(limit: u32) -> Page {
        Page {
            before: None,
            limit,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// What to put into [`Page::before`] for the rest; none at the end.
    pub next: Option<u64>,
}
