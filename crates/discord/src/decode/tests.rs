use guildgate_model::{
    Emoji, EmojiId, GuildData, MemberData, Permissions, Role, RoleId, UnixMs, UpstreamEvent,
};
use serde_json::{Value, json};

use super::*;

fn decoded(name: &str, data: &Value) -> Result<Dispatch, DecodeError> {
    let text = json!({"t": name, "s": 1, "op": 0, "d": data}).to_string();
    decode(&Envelope::peek(text.as_bytes()).expect("a payload"))
}

fn check(name: &str, data: &Value, expected: UpstreamEvent) {
    assert_eq!(
        decoded(name, data),
        Ok(Dispatch::Event(expected)),
        "{name} {data}"
    );
}

fn guild_create() -> Value {
    json!({
        "id": "7", "name": "Seven \"7\" \u{1F600}", "owner_id": "10", "icon": "a_hash", "banner": null,
        "description": "d", "vanity_url_code": null, "premium_tier": 2, "verification_level": 3,
        "mfa_level": 1, "nsfw_level": 3, "member_count": 42, "large": false, "unavailable": false,
        "roles": [
            {"id": "7", "name": "@everyone", "permissions": "1024", "position": 0, "tags": {}},
            {"id": "8", "name": "]}", "permissions": "18446744073709551615"},
        ],
        "emojis": [{"id": "5", "name": "e", "animated": true, "roles": []}],
        "members": [{"user": {"id": "99"}, "roles": ["8"]}],
        "channels": [{"id": "1", "topic": "\\\"}]{["}],
        "presences": [], "threads": [], "voice_states": [],
    })
}

fn guild_expected() -> GuildData {
    GuildData {
        id: GuildId(7),
        name: Some("Seven \"7\" \u{1F600}".into()),
        owner: Some(UserId(10)),
        icon: Some(Some("a_hash".into())),
        banner: Some(None),
        description: Some(Some("d".into())),
        vanity: Some(None),
        premium_tier: Some(2),
        verification_level: Some(3),
        mfa_level: Some(1),
        nsfw: Some(true),
        member_count: Some(42),
        roles: Some(vec![
            Role {
                id: RoleId(7),
                permissions: Permissions(1024),
                position: 0,
            },
            Role {
                id: RoleId(8),
                permissions: Permissions(u64::MAX),
                position: 0,
            },
        ]),
        emojis: Some(vec![Emoji {
            id: EmojiId(5),
            name: "e".into(),
            animated: true,
        }]),
    }
}

#[test]
fn a_guild_is_read_and_the_rest_of_it_skipped() {
    check(
        "GUILD_CREATE",
        &guild_create(),
        UpstreamEvent::GuildAvailable(Box::new(guild_expected())),
    );
}

#[test]
fn e56_a_guild_update_never_counts_members() {
    let mut expected = guild_expected();
    expected.member_count = None;
    check(
        "GUILD_UPDATE",
        &guild_create(),
        UpstreamEvent::GuildChanged(Box::new(expected)),
    );
}

#[test]
fn e53_e55_an_outage_is_told_from_a_removal() {
    let unavailable = json!({"id": "7", "unavailable": true});
    check(
        "GUILD_DELETE",
        &unavailable,
        UpstreamEvent::GuildUnavailable(GuildId(7)),
    );
    check(
        "GUILD_CREATE",
        &unavailable,
        UpstreamEvent::GuildUnavailable(GuildId(7)),
    );
    check(
        "GUILD_DELETE",
        &json!({"id": "7"}),
        UpstreamEvent::GuildLeft(GuildId(7)),
    );
}

#[test]
fn a_sparse_guild_says_nothing_of_what_it_leaves_out() {
    let mut expected = GuildData::new(GuildId(7));
    expected.roles = Some(vec![
        Role {
            id: RoleId(7),
            permissions: Permissions(8),
            position: 0,
        },
        Role {
            id: RoleId(7),
            permissions: Permissions(0),
            position: 0,
        },
    ]);
    check(
        "GUILD_CREATE",
        &json!({
            "id": 7, "premium_tier": 999, "owner_id": null, "name": 5,
            "roles": [{"id": 7, "permissions": 8}, {"id": "7"}, {"name": "no id"}, 3, null],
        }),
        UpstreamEvent::GuildAvailable(Box::new(expected)),
    );
}

#[test]
fn roles_emojis_and_invites_are_read() {
    let role = Role {
        id: RoleId(8),
        permissions: Permissions(32),
        position: 5,
    };
    let changed = json!({"guild_id": "7", "role": {"id": "8", "permissions": "32", "name": "x", "position": 5}});
    for name in ["GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE"] {
        check(
            name,
            &changed,
            UpstreamEvent::RoleChanged {
                guild: GuildId(7),
                role,
            },
        );
    }
    check(
        "GUILD_ROLE_DELETE",
        &json!({"guild_id": "7", "role_id": "8"}),
        UpstreamEvent::RoleRemoved {
            guild: GuildId(7),
            role: RoleId(8),
        },
    );
    check(
        "GUILD_EMOJIS_UPDATE",
        &json!({"guild_id": "7", "emojis": [{"id": null, "name": "x"}, {"id": "5", "name": null}]}),
        UpstreamEvent::EmojisChanged {
            guild: GuildId(7),
            emojis: vec![Emoji {
                id: EmojiId(5),
                name: "".into(),
                animated: false,
            }],
        },
    );
    let invite = json!({"guild_id": "7", "code": "abc", "channel_id": "1"});
    check(
        "INVITE_CREATE",
        &invite,
        UpstreamEvent::InviteCreated {
            guild: GuildId(7),
            code: "abc".into(),
        },
    );
    check(
        "INVITE_DELETE",
        &invite,
        UpstreamEvent::InviteDeleted {
            guild: GuildId(7),
            code: "abc".into(),
        },
    );
    assert_eq!(
        decoded("INVITE_CREATE", &json!({"code": "abc", "channel_id": "1"})),
        Ok(Dispatch::Unneeded),
        "an invite to a group of direct messages"
    );
}

#[test]
fn members_are_read() {
    let data = json!({
        "guild_id": "7", "user": {"id": "11", "username": "ada", "discriminator": "0", "bot": false},
        "roles": ["8", 8, "9"], "nick": "A", "joined_at": "2026-11-23T03:19:35+00:00",
        "communication_disabled_until": "2026-11-23T03:19:36.500000+00:00",
    });
    let member = MemberData {
        user: UserId(11),
        tag: Some("ada".into()),
        roles: Some([RoleId(8), RoleId(8), RoleId(9)].into()),
        timed_out_until: Some(Some(UnixMs(1_795_403_976_500))),
        joined_at: Some(UnixMs(1_795_403_975_000)),
    };
    let guild = GuildId(7);
    check(
        "GUILD_MEMBER_ADD",
        &data,
        UpstreamEvent::MemberJoined {
            guild,
            member: member.clone(),
        },
    );
    check(
        "GUILD_MEMBER_UPDATE",
        &data,
        UpstreamEvent::MemberChanged { guild, member },
    );
    check(
        "GUILD_MEMBER_REMOVE",
        &data,
        UpstreamEvent::MemberLeft {
            guild,
            user: UserId(11),
        },
    );
    check(
        "GUILD_MEMBER_UPDATE",
        &json!({
            "guild_id": "7", "communication_disabled_until": null, "joined_at": null,
            "user": {"id": "11", "username": "ada", "discriminator": "0042"},
        }),
        UpstreamEvent::MemberChanged {
            guild,
            member: MemberData {
                user: UserId(11),
                tag: Some("ada#0042".into()),
                roles: None,
                timed_out_until: Some(None),
                joined_at: None,
            },
        },
    );
}

/// A member update with its keys in a random order, at both depths.
fn shuffled_update(rng: &mut crate::Rng, user: u64) -> String {
    let mut shuffle = |mut fields: Vec<String>| {
        for last in (1..fields.len()).rev() {
            let other = usize::try_from(rng.below(last as u64 + 1)).expect("an index");
            fields.swap(last, other);
        }
        format!("{{{}}}", fields.join(","))
    };
    let user = shuffle(vec![
        format!(r#""id":"{user}""#),
        r#""username":"a \"name\"""#.to_owned(),
        r#""avatar_decoration_data":{"id":"1"}"#.to_owned(),
        r#""discriminator":"0042""#.to_owned(),
        r#""bot":false"#.to_owned(),
    ]);
    shuffle(vec![
        format!(r#""user":{user}"#),
        r#""roles":["8","9"]"#.to_owned(),
        r#""guild_id":"7""#.to_owned(),
        r#""joined_at":"2026-11-23T03:19:35+00:00""#.to_owned(),
        r#""communication_disabled_until":null"#.to_owned(),
        r#""avatar":null"#.to_owned(),
        r#""nick":"id""#.to_owned(),
    ])
}

#[test]
fn exactly_the_updates_of_wanted_users_come_out_whatever_the_order_of_keys() {
    let mut rng = crate::Rng::new(11);
    for _ in 0..2_000 {
        let user = rng.below(10);
        let data = shuffled_update(&mut rng, user);
        for name in [
            "GUILD_MEMBER_ADD",
            "GUILD_MEMBER_UPDATE",
            "GUILD_MEMBER_REMOVE",
        ] {
            let text = format!(r#"{{"t":"{name}","s":1,"op":0,"d":{data}}}"#);
            let envelope = Envelope::peek(text.as_bytes()).expect("a payload");
            let all = decode(&envelope);
            assert!(matches!(all, Ok(Dispatch::Event(_))), "{text}");
            let is_wanted = |id: UserId| id.0.is_multiple_of(2);
            let expected = if name == "GUILD_MEMBER_UPDATE" && !is_wanted(UserId(user)) {
                Ok(Dispatch::Unneeded)
            } else {
                all
            };
            assert_eq!(decode_wanted(&envelope, is_wanted), expected, "{text}");
        }
    }
}

#[test]
fn an_update_that_names_nobody_is_told_as_such_wanted_or_not() {
    for data in [r#"{"guild_id":"7"}"#, r#"{"user":{},"guild_id":"7"}"#, "[]"] {
        let text = format!(r#"{{"t":"GUILD_MEMBER_UPDATE","s":1,"op":0,"d":{data}}}"#);
        let envelope = Envelope::peek(text.as_bytes()).expect("a payload");
        assert_eq!(
            decode_wanted(&envelope, |_| false),
            Err(DecodeError::Missing {
                event: "GUILD_MEMBER_UPDATE",
                key: "user.id"
            }),
            "{data}"
        );
    }
}

#[test]
fn chunks_are_read() {
    let Ok(Dispatch::Members(chunk)) = decoded(
        "GUILD_MEMBERS_CHUNK",
        &json!({
            "guild_id": "7", "members": [{"user": {"id": "1"}}, {"roles": []}], "not_found": ["2", 3, "x"],
            "chunk_index": 1, "chunk_count": 0, "nonce": "n", "presences": [{}],
        }),
    ) else {
        panic!("a chunk");
    };
    assert_eq!(chunk.members.len(), 1, "a member without a user is nobody");
    assert_eq!(chunk.not_found, [UserId(2), UserId(3)]);
    assert_eq!(
        (chunk.index, chunk.count, chunk.nonce.as_deref()),
        (1, 1, Some("n"))
    );
}

#[test]
fn an_event_that_says_nothing_is_told_from_one_that_is_no_json() {
    for (name, key) in [
        ("GUILD_CREATE", "id"),
        ("GUILD_ROLE_UPDATE", "guild_id"),
        ("GUILD_MEMBER_ADD", "user.id"),
        ("GUILD_MEMBERS_CHUNK", "guild_id"),
    ] {
        let error = decoded(name, &json!({"x": 1})).expect_err("needed");
        assert_eq!(
            error,
            DecodeError::Missing {
                event: name,
                key: error_key(&error)
            }
        );
        assert_eq!(error_key(&error), key);
    }
    let text = br#"{"t":"GUILD_DELETE","s":1,"op":0,"d":{"id":"7""unavailable"}}"#;
    assert!(matches!(
        decode(&Envelope::peek(text).expect("the prefix is sound")),
        Err(DecodeError::Malformed(_))
    ));
}

fn error_key(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::Missing { key, .. } => key,
        DecodeError::Malformed(_) => "",
    }
}

#[test]
fn e44_every_other_event_costs_a_look_at_its_name() {
    for name in [
        "PRESENCE_UPDATE",
        "MESSAGE_CREATE",
        "GUILD_SYNC",
        "",
        "guild_create",
    ] {
        // Data that no parser would take shows that none was asked.
        let text = format!(r#"{{"t":"{name}","s":1,"op":0,"d":{{"a":!!}}}}"#);
        let envelope = Envelope::peek(text.as_bytes()).expect("the prefix is sound");
        assert_eq!(decode(&envelope), Ok(Dispatch::Unneeded), "{name}");
    }
}

/// Every prefix and many damaged copies of every kind of payload are survived.
#[test]
fn damaged_payloads_never_panic() {
    let payloads = [
        json!({"t": "GUILD_CREATE", "s": 1, "op": 0, "d": guild_create()}),
        json!({"t": "READY", "s": 1, "op": 0, "d": {"user": {"id": "1"}, "guilds": [{"id": "2"}]}}),
        json!({"t": "RATE_LIMITED", "s": 1, "op": 0, "d": {"opcode": 8, "retry_after": 1.5, "meta": {"guild_id": "1"}}}),
        json!({"op": 10, "d": {"heartbeat_interval": 45000}}),
    ];
    let mut rng = crate::Rng::new(5);
    for payload in payloads {
        let text = payload.to_string().into_bytes();
        for end in 0..text.len() {
            try_decode(&text[..end]);
        }
        for _ in 0..2_000 {
            let mut damaged = text.clone();
            for _ in 0..=rng.below(4) {
                let at = usize::try_from(rng.below(damaged.len() as u64)).expect("an index");
                damaged[at] = *b"\"\\{}[]:,0\xFF "
                    .get(usize::try_from(rng.below(11)).expect("an index"))
                    .expect("eleven bytes");
            }
            try_decode(&damaged);
        }
    }
}

fn try_decode(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::peek(bytes) {
        let _ = decode(&envelope);
    }
}
