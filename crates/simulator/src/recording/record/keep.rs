//! What of the frames goes into the file: every event once.

use std::io;

use guildgate_model::Mono;
use serde::Deserialize;

use crate::recording::{Direction, Recorder};

/// Writes frames down, without the events that a resume replays though they are there already.
pub(super) struct Keeper {
    recorder: Recorder,
    begun: Mono,
    /// The last event of the session that is in the file.
    last: Option<u64>,
}

#[derive(Deserialize)]
struct Head<'a> {
    op: u8,
    s: Option<u64>,
    #[serde(borrow)]
    t: Option<std::borrow::Cow<'a, str>>,
}

impl Keeper {
    pub(super) fn new(recorder: Recorder, begun: Mono) -> Keeper {
        Keeper {
            recorder,
            begun,
            last: None,
        }
    }

    /// Takes what the gateway said; whether it went into the file. What is not JSON does not,
    /// nor does its number count: the resume that follows brings it again.
    pub(super) fn heard(&mut self, now: Mono, text: &str) -> io::Result<bool> {
        let Ok(head) = serde_json::from_str::<Head<'_>>(text) else {
            return Ok(false);
        };
        if let Head {
            op: 0,
            s: Some(seq),
            t,
        } = head
        {
            // A session's numbers begin with its READY.
            let begins = t.as_deref() == Some("READY");
            if !begins && self.last.is_some_and(|last| seq <= last) {
                return Ok(false);
            }
            self.last = Some(seq);
        }
        self.push(now, Direction::In, text)?;
        Ok(true)
    }

    pub(super) fn push(&mut self, now: Mono, dir: Direction, text: &str) -> io::Result<()> {
        let t_ms = u64::try_from(now.since(self.begun).as_millis()).unwrap_or(u64::MAX);
        self.recorder.push(t_ms, dir, text)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.recorder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Recording, Redaction, Redactor, tests::Kept};

    #[test]
    fn an_event_that_is_replayed_is_written_once() {
        let kept = Kept::default();
        let redactor = Redactor::new(Redaction::Secrets, 1);
        let recorder = Recorder::new(Box::new(kept.clone()), redactor).expect("memory takes it");
        let mut keeper = Keeper::new(recorder, Mono::ZERO);
        let written: Vec<bool> = [
            r#"{"op":10,"d":{}}"#,
            r#"{"op":0,"s":1,"t":"READY","d":{}}"#,
            r#"{"op":0,"s":2,"t":"A","d":{}}"#,
            r#"{"op":0,"s":3,"t":"B","d":{}"#,
            r#"{"op":11,"s":null,"t":null}"#,
            r#"{"op":0,"s":2,"t":"A","d":{}}"#,
            r#"{"op":0,"s":3,"t":"B","d":{}}"#,
            r#"{"op":0,"s":1,"t":"READY","d":{}}"#,
            r#"{"op":0,"s":2,"t":"C","d":{}}"#,
        ]
        .iter()
        .map(|text| keeper.heard(Mono::ZERO, text).expect("memory takes it"))
        .collect();
        keeper.finish().expect("memory takes it");
        let expected = [true, true, true, false, true, false, true, true, true];
        assert_eq!(written, expected);
        let recording = Recording::read(&*kept.bytes()).expect("its own format");
        assert_eq!(recording.frames.len(), 7);
    }
}
