//! Why the store could not do as asked.

/// What a database said of it; for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a database said, as one text that says nothing twice: one library's error repeats its
/// source and another's does not, and a person is shown the whole chain.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> Cause {
    let mut told = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        match told.last_mut() {
            Some(last) if text.contains(&**last) => *last = text,
            Some(last) if last.contains(&text) => {}
            _ => told.push(text),
        }
        next = source.source();
    }
    let told = told.join(": ");
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    lines.join("; ").into()
}

/// Why the store could not do as asked.
///
/// What a caller is expected to meet (a used-up token, a patch that lost a race) is no error
/// but an answer; see [`TokenRefusal`](crate::TokenRefusal) and its like.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address names no database that is known here.
    #[error(
        "cannot open the database at {location:?}: expected a file path, sqlite:PATH, \
         or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    Location {
        /// The address, without what could be a password.
        location: String,
    },
    /// The database could not be opened.
    #[error("cannot open the database {what}; {hint}")]
    Open {
        /// Which: a path, or host and name.
        what: String,
        /// What to do about it.
        hint: &'static str,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// A newer release has used this database, and changed its tables.
    #[error(
        "the database {what} is at schema version {database}, and this release knows only \
         {known}: run the newer release again, or restore a copy from before"
    )]
    Newer {
        /// Which: a path, or host and name.
        what: String,
        /// The database's version.
        database: i32,
        /// The newest that this binary knows.
        known: i32,
    },
    /// The tables could not be brought up to date. Nothing of the step was kept.
    #[error(
        "cannot bring the tables of the database {what} up to date; nothing of this step is kept: \
         see to the cause and start again, or restore a copy from before if somebody else has \
         changed the tables"
    )]
    Migrate {
        /// Which: a path, or host and name.
        what: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The database cannot be reached, or is out of room. Whether a write that met this was
    /// done is not known; what was answered before is safe.
    #[error(
        "the database did not answer while {attempted}; it will be tried again at the next request"
    )]
    Unavailable {
        /// What was being done.
        attempted: &'static str,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The database refused what was asked of it; nothing was done.
    #[error("the database refused a statement while {attempted}")]
    Query {
        /// What was being done.
        attempted: &'static str,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// A row does not read as what it should be: somebody else has written to the tables.
    #[error("the database holds something that cannot be read: {what}")]
    Corrupt {
        /// Which value, and how it is wrong.
        what: String,
    },
    /// The reader has not asked for so long that changes after its cursor are purged. It should
    /// read everything anew and go on from [`Feed::head`](crate::Feed::head).
    #[error("changes after {cursor} are purged up to {floor}: read everything anew")]
    FeedBehind {
        /// Where the reader was.
        cursor: u64,
        /// Changes up to here are gone.
        floor: u64,
    },
    /// The store has been closed, or its writer has died.
    #[error("the store is closed")]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{told}")]
    struct Link {
        told: &'static str,
        source: Option<Box<Link>>,
    }

    fn check(chain: &[&'static str], expected: &str) {
        let link = |source, told: &&'static str| Some(Box::new(Link { told, source }));
        let whole = chain.iter().rev().fold(None, link).expect("a link");
        let told = cause(&*whole);
        assert_eq!(told.to_string(), expected);
        assert!(told.source().is_none());
    }

    #[test]
    fn a_chain_of_causes_is_told_once_and_on_one_line() {
        check(&["refused"], "refused");
        check(
            &["no pool: no server", "no server", "refused"],
            "no pool: no server: refused",
        );
        check(&["a", "b", "c"], "a: b: c");
        check(&["no file", "error 26: no file"], "error 26: no file");
        check(
            &["ERROR: no room\nHINT:  make some"],
            "ERROR: no room; HINT:  make some",
        );
    }
}
