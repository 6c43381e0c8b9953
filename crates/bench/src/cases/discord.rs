//! Discord's side: an event told apart, and read as far as it is needed.

use guildgate_bench::measure;
use guildgate_discord::{Dispatch, Envelope, decode, decode_wanted};

const MEMBER_ADD: &str = r#"{"t":"GUILD_MEMBER_ADD","s":4211,"op":0,"d":{"user":{"username":"somebody","public_flags":0,"primary_guild":null,"id":"281457010338758656","global_name":"Some Body","display_name":"Some Body","discriminator":"0","collectibles":null,"bot":false,"avatar_decoration_data":null,"avatar":"a_0123456789abcdef0123456789abcdef"},"roles":["813190042233487361","813190042233487362"],"premium_since":null,"pending":false,"nick":null,"mute":false,"joined_at":"2026-11-01T12:00:00.000000+00:00","guild_id":"813190042233487360","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null}}"#;
const ROLE_UPDATE: &str = r#"{"t":"GUILD_ROLE_UPDATE","s":4212,"op":0,"d":{"role":{"version":1,"unicode_emoji":null,"tags":{},"position":3,"permissions":"1071698660929","name":"Moderator","mentionable":false,"managed":false,"id":"813190042233487361","icon":null,"hoist":true,"flags":0,"colors":{"tertiary_color":null,"secondary_color":null,"primary_color":3447003},"color":3447003},"guild_id":"813190042233487360"}}"#;
const MESSAGE: &str = r#"{"t":"MESSAGE_CREATE","s":4213,"op":0,"d":{"type":0,"tts":false,"timestamp":"2026-11-01T12:00:00.000000+00:00","pinned":false,"nonce":"1","mentions":[],"mention_roles":[],"mention_everyone":false,"member":{"roles":["813190042233487361"],"joined_at":"2026-11-01T12:00:00.000000+00:00"},"id":"1","flags":0,"embeds":[],"edited_timestamp":null,"content":"Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore","components":[],"channel_id":"2","author":{"username":"somebody","id":"281457010338758656"},"attachments":[],"guild_id":"813190042233487360"}}"#;

/// A member joins: told apart, and read as far as it is needed.
pub fn member_add() {
    assert!(matches!(
        dispatch(MEMBER_ADD.to_owned()),
        Dispatch::Event(_)
    ));
}

/// A member whom nobody wants changes.
pub fn unwanted_member_update() {
    let text = MEMBER_ADD.replace("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE");
    let (_, dispatch) = measure(text, |text| {
        let dispatch =
            Envelope::peek(text.as_bytes()).map(|envelope| decode_wanted(&envelope, |_| false));
        (text, dispatch)
    });
    let dispatch = dispatch.expect("a payload").expect("an event");
    assert_eq!(dispatch, Dispatch::Unneeded);
}

/// A role was edited.
pub fn role_update() {
    assert!(matches!(
        dispatch(ROLE_UPDATE.to_owned()),
        Dispatch::Event(_)
    ));
}

/// An event that nobody needs.
pub fn skipped_event() {
    assert_eq!(dispatch(MESSAGE.to_owned()), Dispatch::Unneeded);
}

/// A guild comes in, with members that nobody needs.
pub fn guild_create() {
    assert!(matches!(dispatch(guild_of_100_kib()), Dispatch::Event(_)));
}

fn dispatch(text: String) -> Dispatch {
    let (_, dispatch) = measure(text, |text| {
        let dispatch = Envelope::peek(text.as_bytes()).map(|envelope| decode(&envelope));
        (text, dispatch)
    });
    dispatch.expect("a payload").expect("an event")
}

/// GUILD_CREATE of about 100 KiB: 30 roles, and 250 members that are passed over.
fn guild_of_100_kib() -> String {
    let role = r#"{"id":"813190042233487361","name":"Moderator","permissions":"1071698660929","position":3,"color":3447003,"hoist":true,"managed":false,"mentionable":false,"flags":0,"icon":null,"unicode_emoji":null}"#;
    let emoji = r#"{"id":"813190042233487361","name":"some_emoji","animated":true,"roles":[],"managed":false,"require_colons":true,"available":true}"#;
    let member = r#"{"user":{"username":"somebody","public_flags":0,"id":"281457010338758656","global_name":"Some Body","discriminator":"0","bot":false,"avatar":"a_0123456789abcdef0123456789abcdef"},"roles":["813190042233487361","813190042233487362"],"premium_since":null,"pending":false,"nick":"a \"quoted\" name","mute":false,"joined_at":"2026-11-01T12:00:00.000000+00:00","deaf":false}"#;
    let list = |item: &str, count| vec![item; count].join(",");
    format!(
        r#"{{"t":"GUILD_CREATE","s":2,"op":0,"d":{{"id":"813190042233487360","name":"A guild","owner_id":"1","icon":null,"member_count":250,"roles":[{}],"emojis":[{}],"members":[{}],"channels":[],"presences":[]}}}}"#,
        list(role, 30),
        list(emoji, 50),
        list(member, 250),
    )
}
