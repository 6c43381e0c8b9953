//! Whether the invite that the site shows for a guild still exists.

/// The invite set for a guild. No other invite of the guild is remembered.
#[derive(Debug)]
pub(super) struct Invite {
    code: Box<str>,
    standing: InviteStanding,
    answer: Answer,
}

/// Whether an invite exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteStanding {
    /// It does.
    Exists,
    /// Deleted, run out, another guild's, or never heard of.
    Absent,
}

/// Whether an answer of Discord's that comes in is newer than what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// No event has spoken of the invite since Discord was asked.
    Welcome,
    /// One has: the answer may have been made before it.
    Overtaken,
}

impl Invite {
    /// The invite with this code, of which nothing is known.
    pub(super) fn new(code: Box<str>) -> Invite {
        Invite {
            code,
            standing: InviteStanding::Absent,
            answer: Answer::Welcome,
        }
    }

    /// Its code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Whether it exists, as far as is known.
    pub(super) fn exists(&self) -> bool {
        self.standing == InviteStanding::Exists
    }

    /// Discord is about to be asked for it.
    pub(super) fn on_ask(&mut self) {
        self.answer = Answer::Welcome;
    }

    /// This is how Discord, when asked, said that the invite with this code stands.
    pub(super) fn on_answer(&mut self, code: &str, standing: InviteStanding) {
        if *self.code == *code && self.answer == Answer::Welcome {
            self.standing = standing;
        }
    }

    /// An invite was made.
    pub(super) fn on_created(&mut self, code: &str) {
        self.on_event(code, InviteStanding::Exists);
    }

    /// An invite was deleted, or ran out.
    pub(super) fn on_deleted(&mut self, code: &str) {
        self.on_event(code, InviteStanding::Absent);
    }

    fn on_event(&mut self, code: &str, standing: InviteStanding) {
        if *self.code == *code {
            self.standing = standing;
            self.answer = Answer::Overtaken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_events_settle_whether_it_exists() {
        let mut invite = Invite::new("abc".into());
        assert!(!invite.exists());
        invite.on_answer("x", InviteStanding::Exists);
        assert!(!invite.exists());
        invite.on_answer("abc", InviteStanding::Exists);
        assert!(invite.exists());
        invite.on_deleted("x");
        assert!(invite.exists());
        invite.on_deleted("abc");
        assert!(!invite.exists());
        invite.on_created("abc");
        assert!(invite.exists());
    }

    #[test]
    fn an_answer_made_before_an_event_does_not_undo_it() {
        let mut invite = Invite::new("abc".into());
        invite.on_ask();
        invite.on_created("abc");
        invite.on_answer("abc", InviteStanding::Absent);
        assert!(invite.exists());
        invite.on_ask();
        invite.on_answer("abc", InviteStanding::Absent);
        assert!(!invite.exists());
    }
}
