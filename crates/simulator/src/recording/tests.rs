use std::sync::{Arc, Mutex};

use super::*;

/// A writer whose bytes can be read afterwards.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("it is finished").clone()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no other writer")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn recorded(redaction: Redaction, key: u64, frames: &[&str]) -> Recording {
    let kept = Kept::default();
    let mut recorder = Recorder::new(Box::new(kept.clone()), Redactor::new(redaction, key))
        .expect("memory takes it");
    for (index, frame) in frames.iter().enumerate() {
        recorder
            .push(index as u64, Direction::In, frame)
            .expect("memory takes it");
    }
    recorder.finish().expect("memory takes it");
    Recording::read(&*kept.bytes()).expect("its own format")
}

#[test]
fn a_frame_without_secrets_is_kept_byte_for_byte() {
    let odd = r#"{ "op" : 0,"d":{"z":1,"a":1.50 } }"#;
    let recording = recorded(Redaction::Secrets, 1, &[odd, "not json", r#"{"op":11}"#]);
    let kept: Vec<&str> = recording
        .frames
        .iter()
        .map(|frame| frame.frame.get())
        .collect();
    assert_eq!(kept, [odd, r#"{"op":11}"#], "what is not JSON is left out");
    assert_eq!(recording.frames[1].t_ms, 2);
}

#[test]
fn tokens_and_session_ids_are_never_written() {
    let frames = [
        r#"{"op":2,"d":{"token":"Bot s3cr3t","intents":1}}"#,
        r#"{"op":0,"t":"READY","d":{"session_id":"s3cr3t","v":10}}"#,
        r#"{"op":0,"t":"VOICE_SERVER_UPDATE","d":{"token":"s3cr3t","deep":[{"token":"s3cr3t"}]}}"#,
    ];
    let recording = recorded(Redaction::Secrets, 1, &frames);
    for frame in &recording.frames {
        assert!(!frame.frame.get().contains("s3cr3t"), "{}", frame.frame);
    }
}

#[test]
fn people_are_replaced_alike_throughout() {
    let frames = [
        r#"{"d":{"owner_id":"42","members":[{"nick":"Bobby","user":{"id":"42","username":"bob","global_name":"Bob","avatar":"a1"}}]}}"#,
        r#"{"d":{"user":{"id":"42"},"activities":[{"name":"a game"}],"status":"idle"}}"#,
        r#"{"d":{"content":"call me","author":{"id":"42","username":"bob"}}}"#,
    ];
    let recording = recorded(Redaction::Users, 7, &frames);
    let parsed: Vec<serde_json::Value> = recording
        .frames
        .iter()
        .map(|frame| serde_json::from_str(frame.frame.get()).expect("JSON"))
        .collect();
    let id = parsed[0]["d"]["owner_id"].as_str().expect("an id");
    assert_ne!(id, "42");
    assert_eq!(parsed[0]["d"]["members"][0]["user"]["id"], id);
    assert_eq!(parsed[1]["d"]["user"]["id"], id);
    assert_eq!(parsed[2]["d"]["author"]["id"], id);
    assert_eq!(parsed[1]["d"]["status"], "idle");
    let all: String = recording
        .frames
        .iter()
        .map(|frame| frame.frame.get())
        .collect();
    for told in [
        "bob", "Bob", "Bobby", "a game", "call me", "\"a1\"", "\"42\"",
    ] {
        assert!(!all.contains(told), "{told} in {all}");
    }
    let other = recorded(Redaction::Users, 8, &frames);
    assert!(
        !other.frames[0].frame.get().contains(id),
        "another recording has other ids"
    );
}

/// As Discord shapes them; everything that tells of a person begins with `secret` or is 4242…
const PEOPLED: [&str; 3] = [
    r#"{"op":0,"s":2,"t":"GUILD_CREATE","d":{"id":"900","name":"Lodge","owner_id":"4242424242",
        "icon":"1c0n","vanity_url_code":"lodge","description":"A lodge","features":["COMMUNITY"],
        "roles":[{"id":"901","name":"Manager","permissions":"268435456"}],
        "channels":[{"id":"902","name":"general","type":0,"topic":"secret topic","permission_overwrites":[
            {"id":"901","type":0,"allow":"1024","deny":"0"},
            {"id":"4242424243","type":1,"allow":"0","deny":"2048"}]}],
        "threads":[{"id":"903","name":"secret thread","owner_id":"4242424244","thread_metadata":{},
            "member_ids_preview":["4242424245"]}],
        "members":[{"user":{"id":"4242424242","username":"secret_name","global_name":"secret Name",
            "avatar":"secretavatar","discriminator":"4242"},"nick":"secret nick","avatar":"secretface",
            "banner":"secretflag","roles":["901"],"joined_at":"2024-01-01T00:00:00Z"}],
        "presences":[{"user":{"id":"4242424246"},"status":"idle","client_status":{"web":"idle"},
            "activities":[{"name":"secret game"}]}],
        "voice_states":[{"user_id":"4242424247","channel_id":"902"}]}}"#,
    r#"{"op":0,"s":3,"t":"MESSAGE_CREATE","d":{"id":"904","channel_id":"902","content":"secret word",
        "author":{"id":"4242424248","username":"secret_other"},
        "embeds":[{"title":"secret title","description":"secret text","author":{"name":"secret author"},
            "fields":[{"name":"secret field","value":"secret value"}],"url":"https://secret"}],
        "attachments":[{"id":"905","filename":"secret.png","url":"https://secret/1","title":"secret"}],
        "resolved":{"users":{"4242424249":{"id":"4242424249","username":"secret_third"}}}}}"#,
    r#"{"op":0,"s":4,"t":"AUDIT_LOG_ENTRY_CREATE","d":{"id":"906","user_id":"4242424242",
        "target_id":"4242424243","reason":"secret reason","removed_member_ids":["4242424244"],
        "changes":[{"key":"nick","old_value":"secret old","new_value":"secret new"}]}}"#,
];

#[test]
fn nothing_of_a_person_survives_and_the_guild_does() {
    let recording = recorded(Redaction::Users, 7, &PEOPLED);
    let all: Vec<&str> = recording
        .frames
        .iter()
        .map(|frame| frame.frame.get())
        .collect();
    for frame in &all {
        assert!(
            !frame.contains("secret") && !frame.contains("4242"),
            "{frame}"
        );
    }
    let [guild, _, entry] = [0, 1, 2].map(|index| {
        let frame: serde_json::Value = serde_json::from_str(all[index]).expect("JSON");
        frame["d"].clone()
    });
    for (at, kept) in [
        ("/id", "900"),
        ("/name", "Lodge"),
        ("/icon", "1c0n"),
        ("/vanity_url_code", "lodge"),
        ("/description", "A lodge"),
        ("/features/0", "COMMUNITY"),
        ("/roles/0/name", "Manager"),
        ("/roles/0/permissions", "268435456"),
        ("/channels/0/name", "general"),
        ("/channels/0/permission_overwrites/0/id", "901"),
        ("/channels/0/permission_overwrites/1/deny", "2048"),
        ("/members/0/roles/0", "901"),
        ("/members/0/joined_at", "2024-01-01T00:00:00Z"),
        ("/presences/0/status", "idle"),
        ("/voice_states/0/channel_id", "902"),
    ] {
        assert_eq!(guild.pointer(at), Some(&kept.into()), "{at}");
    }
    let owner = &guild["owner_id"];
    assert_eq!(
        guild["members"][0]["user"]["id"], *owner,
        "alike throughout"
    );
    assert_eq!(entry["user_id"], *owner);
    let overwrite = &guild["channels"][0]["permission_overwrites"][1]["id"];
    assert_eq!(entry["target_id"], *overwrite);
}

#[test]
fn what_is_no_recording_is_refused_by_its_line() {
    let of = |text: &str| {
        Recording::read(text.as_bytes())
            .expect_err("no recording")
            .to_string()
    };
    assert!(of("").contains("not a recording"));
    assert!(of("{}").contains("not a recording"));
    assert!(of("{\"guildgate_recording\":2}\n").contains("not a recording"));
    let faulty =
        "{\"guildgate_recording\":1}\n{\"t_ms\":0,\"dir\":\"in\",\"frame\":{}}\n{\"t_ms\":";
    assert!(of(faulty).contains("line 3"), "{}", of(faulty));
}

#[test]
fn a_file_is_packed_as_its_name_says() {
    for name in ["kept.jsonl", "kept.jsonl.gz", "kept.jsonl.zst"] {
        let path = std::env::temp_dir().join(format!("guildgate-{}-{name}", std::process::id()));
        let redactor = Redactor::new(Redaction::Secrets, 1);
        let mut recorder = Recorder::create(&path, redactor).expect("a writable folder");
        recorder
            .push(7, Direction::Out, r#"{"op":1,"d":null}"#)
            .expect("it takes a frame");
        recorder.finish().expect("it is written");
        let recording = Recording::open(&path).expect("its own format");
        assert_eq!(
            (recording.frames[0].t_ms, recording.frames[0].dir),
            (7, Direction::Out)
        );
        let bytes = std::fs::read(&path).expect("it is there");
        assert_eq!(bytes.starts_with(b"{"), name.ends_with("jsonl"), "{name}");
        std::fs::remove_file(&path).expect("it is there");
    }
}
