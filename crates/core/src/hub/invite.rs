//! Whether the invite that the site shows for a guild still exists.

/// The invite set for a guild. No other invite of the guild is remembered.
#[derive(Debug)]
pub(super) struct Invite {
    code: Box<str>,
    standing: Standing,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Exists,
    /// Deleted, or never heard of.
    Absent,
}

/// Whether a list of invites that comes in is newer than what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// No event has spoken of the invite since the list was asked for.
    Welcome,
    /// One has: the list may have been made before it.
    Overtaken,
}

impl Invite {
    /// The invite with this code, of which nothing is known.
    pub(super) fn new(code: Box<str>) -> Invite {
        Invite {
            code,
            standing: Standing::Absent,
            answer: Answer::Welcome,
        }
    }

    /// Its code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Whether it exists, as far as is known.
    pub(super) fn exists(&self) -> bool {
        self.standing == Standing::Exists
    }

    /// The guild's invites are about to be asked for.
    pub(super) fn on_ask(&mut self) {
        self.answer = Answer::Welcome;
    }

    /// These are the guild's invites.
    pub(super) fn on_list(&mut self, codes: &[Box<str>]) {
        if self.answer == Answer::Welcome {
            self.standing = match codes.contains(&self.code) {
                true => Standing::Exists,
                false => Standing::Absent,
            };
        }
    }

    /// An invite was made.
    pub(super) fn on_created(&mut self, code: &str) {
        self.on_event(code, Standing::Exists);
    }

    /// An invite was deleted, or ran out.
    pub(super) fn on_deleted(&mut self, code: &str) {
        self.on_event(code, Standing::Absent);
    }

    fn on_event(&mut self, code: &str, standing: Standing) {
        if *self.code == *code {
            self.standing = standing;
            self.answer = Answer::Overtaken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(codes: &[&str]) -> Vec<Box<str>> {
        codes.iter().map(|&code| code.into()).collect()
    }

    #[test]
    fn lists_and_events_settle_whether_it_exists() {
        let mut invite = Invite::new("abc".into());
        assert!(!invite.exists());
        invite.on_list(&codes(&["x", "abc"]));
        assert!(invite.exists());
        invite.on_deleted("x");
        assert!(invite.exists());
        invite.on_deleted("abc");
        assert!(!invite.exists());
        invite.on_created("abc");
        assert!(invite.exists());
    }

    #[test]
    fn a_list_made_before_an_event_does_not_undo_it() {
        let mut invite = Invite::new("abc".into());
        invite.on_ask();
        invite.on_created("abc");
        invite.on_list(&codes(&[]));
        assert!(invite.exists());
        invite.on_ask();
        invite.on_list(&codes(&[]));
        assert!(!invite.exists());
    }
}
