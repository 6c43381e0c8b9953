//! A recording goes on across whatever befalls its connection, and has every event once.

use std::time::Duration;

use guildgate_discord::Refusal;
use guildgate_simulator::{
    Corruption, Direction, Fault, RecordError, RecordSummary, Recording, Redaction, Target,
};
use serde_json::Value;

use super::Live;
use crate::{http_client, until};

/// The events of a recording, one list for each session: their number and the guild's name.
fn sessions(recording: &Recording) -> Vec<Vec<(u64, String)>> {
    let mut sessions: Vec<Vec<(u64, String)>> = Vec::new();
    for frame in &recording.frames {
        let value: Value = serde_json::from_str(frame.frame.get()).expect("JSON");
        if frame.dir == Direction::Out || value["op"] != 0 {
            continue;
        }
        if value["t"] == "READY" {
            sessions.push(Vec::new());
        }
        let seq = value["s"].as_u64().expect("a number");
        let name = value["d"]["name"].as_str().unwrap_or_default().to_owned();
        let session = sessions.last_mut().expect("READY is the first");
        session.push((seq, name));
    }
    sessions
}

/// Lets `fault` happen in the middle of a recording, waits until `sign` stands in it so often,
/// and ends it.
async fn across(fault: &Fault, sign: &str, times: usize) -> (Recording, RecordSummary) {
    let live = Live::start(Redaction::Secrets).await;
    live.rename("before");
    live.until("\"before\"", 1).await;
    let handle = live.simulator.handle();
    assert_eq!(handle.fault(&Target::All, fault), 1, "{fault:?}");
    live.rename("meanwhile");
    // A call between two steps lets the recorder keep up with its clock.
    until(&format!("{sign} after {fault:?}"), async || {
        http_client::get(&live.simulator, "/simulator").await;
        handle.advance(Duration::from_millis(250));
        live.kept.text().matches(sign).count() >= times
    })
    .await;
    live.rename("after");
    live.until("\"after\"", 1).await;
    let (recording, ended) = live.end().await;
    (recording, ended.expect("it went on"))
}

#[tokio::test]
async fn a_session_that_can_be_resumed_is() {
    for fault in [
        Fault::Reconnect { close_after: None },
        Fault::InvalidSession { resumable: true },
        Fault::Drop,
        Fault::LoseAcks,
        Fault::Corrupt(Corruption::Json),
        Fault::Corrupt(Corruption::Frame),
        Fault::Close { code: 4000 },
        Fault::Close { code: 4008 },
    ] {
        let (recording, summary) = across(&fault, "\"RESUMED\"", 1).await;
        assert_eq!((summary.sessions, summary.resumes), (1, 1), "{fault:?}");
        let [session] = &sessions(&recording)[..] else {
            panic!("one session after {fault:?}");
        };
        let numbers: Vec<u64> = session.iter().map(|(seq, _)| *seq).collect();
        let whole: Vec<u64> = (1..=session.len() as u64).collect();
        assert_eq!(numbers, whole, "each once and in order after {fault:?}");
        let names: Vec<&str> = session
            .iter()
            .map(|(_, name)| &**name)
            .filter(|name| ["before", "meanwhile", "after"].contains(name))
            .collect();
        assert_eq!(names, ["before", "meanwhile", "after"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_lost_is_begun_anew_once() {
    for fault in [
        Fault::InvalidSession { resumable: false },
        Fault::Close { code: 4007 },
        Fault::Close { code: 4009 },
        Fault::ForgetSessions,
    ] {
        // READY, and the three guilds of each session.
        let (recording, summary) = across(&fault, "\"GUILD_CREATE\"", 6).await;
        assert_eq!((summary.sessions, summary.resumes), (2, 0), "{fault:?}");
        let sessions = sessions(&recording);
        assert_eq!(sessions.len(), 2, "{fault:?}");
        for session in &sessions {
            let numbers: Vec<u64> = session.iter().map(|(seq, _)| *seq).collect();
            let whole: Vec<u64> = (1..=session.len() as u64).collect();
            assert_eq!(numbers, whole, "{fault:?}");
        }
        assert_eq!(sessions[1][4].1, "after", "{fault:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_the_end_and_what_came_before_is_kept() {
    for refusal in [
        Refusal::Token,
        Refusal::Shard,
        Refusal::ShardingRequired,
        Refusal::ApiVersion,
        Refusal::InvalidIntents,
        Refusal::DisallowedIntents,
    ] {
        let live = Live::start(Redaction::Secrets).await;
        let code = refusal.code().0;
        let fault = Fault::Close { code };
        live.simulator.handle().fault(&Target::All, &fault);
        until("its end", async || live.task.is_finished()).await;
        let (recording, ended) = live.end().await;
        let error = ended.expect_err("it cannot go on");
        assert!(
            matches!(error, RecordError::Refused(why) if why == refusal),
            "{code}: {error:?}"
        );
        assert_eq!(sessions(&recording)[0].len(), 4, "READY and three guilds");
    }
}
