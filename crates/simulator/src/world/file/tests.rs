use guildgate_model::{GuildId, Permissions, UnixMs, UserId};

use super::*;

const FILE: &str = r#"
[bot]
name = "porter"
intents = ["members"]

[[users]]
name = "mia"
global_name = "Mia"

[[users]]
id = "42"
name = "olga"

[[guilds]]
id = "7000000"
name = "Lodge"
owner = "olga"
invites = ["come-in"]
crowd = 10

[[guilds.roles]]
name = "Manager"
permissions = ["MANAGE_GUILD"]

[[guilds.members]]
user = "mia"
roles = ["Manager"]
joined_at = "2026-01-01T12:00:00Z"

[[guilds.emojis]]
name = "key"
"#;

#[test]
fn a_file_becomes_a_world_with_the_bot_in_it() {
    let world = World::from_toml(FILE).expect("a valid file");
    let guild = world.guild(GuildId(7_000_000)).expect("the guild");
    let mia = guild
        .members
        .iter()
        .find(|member| member.joined_at == UnixMs(1_767_268_800_000));
    let mia = mia.expect("mia is a member").user;
    let may = guild.permissions_of(mia, UnixMs(0));
    assert!(may.contains(Permissions::MANAGE_GUILD));
    assert!(!may.contains(Permissions::ADMINISTRATOR));
    assert_eq!(guild.owner, UserId(42));
    assert_eq!(
        guild.permissions_of(world.bot(), UnixMs(0)),
        Permissions::ALL
    );
    assert_eq!(
        guild.members.count(),
        10 + 3,
        "the crowd, mia, olga and the bot"
    );
    assert_eq!(world.application().privileged_intents, 1 << 1);
    assert!(world.invite("come-in").is_some());
    assert_eq!(&*world.user(world.bot()).name, "porter");
}

#[test]
fn json_has_the_same_shape() {
    let world = World::from_json(r#"{"users":[{"name":"a"}],"guilds":[{"name":"G","owner":"a"}]}"#);
    assert_eq!(world.expect("a valid file").guild_count(), 1);
}

/// What is said of a faulty file.
fn of(text: &str) -> String {
    World::from_toml(text)
        .expect_err("a faulty file")
        .to_string()
}

/// A guild of "a" on the first five lines, and `rest`.
fn lodge(rest: &str) -> String {
    of(&format!(
        "[[users]]\nname = 'a'\n[[guilds]]\nname = 'Lodge'\nowner = 'a'\n{rest}"
    ))
}

#[test]
fn a_value_of_another_shape_is_told_with_its_line() {
    assert_eq!(
        of("[[users]]\nnaem = \"x\"").split(", expected").next(),
        Some("line 2, column 1: unknown field `naem`")
    );
    assert!(of("\n= nonsense").starts_with("line 2, column 1: "));
    assert_eq!(
        lodge("[[guilds.roles]]\nname = 'r'\npermissions = ['KICK_MEMBERS', 'FLY']"),
        "line 8, column 32: invalid value: string \"FLY\", expected one of Discord's names of \
         permissions, such as \"MANAGE_GUILD\""
    );
    assert_eq!(
        lodge("everyone = true"),
        "line 6, column 12: invalid type: boolean `true`, expected a list of permissions such as \
         [\"MANAGE_GUILD\"], or the set as a decimal number"
    );
    assert_eq!(
        lodge("[[guilds.members]]\nuser = 'a'\ntimed_out_until = 'soon'"),
        "line 8, column 19: invalid value: string \"soon\", expected a time in quotes, such as \
         \"2026-12-24T18:00:00Z\""
    );
    let json = World::from_json("{\"users\": [\n{\"name\": \"a\", \"id\": 0}]}");
    assert_eq!(
        json.expect_err("no id").to_string(),
        "line 2, column 21: invalid value: integer `0`, expected an id, which is a whole number \
         from 1 to 9223372036854775807"
    );
}

#[test]
fn an_id_past_what_can_be_counted_on_from_is_refused() {
    for id in ["18446744073709551615", "9223372036854775808", "-1"] {
        let said = lodge(&format!("id = '{id}'"));
        assert!(
            said.starts_with("line 6, column 6: invalid value"),
            "{said}"
        );
        assert!(said.contains("from 1 to 9223372036854775807"), "{said}");
    }
    let greatest = "[[users]]\nname = 'a'\n[[guilds]]\nname = 'L'\nowner = 'a'\n\
        id = '9223372036854775807'\n[[guilds.roles]]\nname = 'r'\nposition = 4294967295";
    assert!(World::from_toml(greatest).is_ok());
}

#[test]
fn a_name_or_a_number_that_is_nobodys_is_refused() {
    let guild = "[[guilds]]\nname = \"Lodge\"\nowner = \"nobody\"";
    assert_eq!(
        of(guild),
        "guild \"Lodge\": owner names the user \"nobody\", which the file does not define: expected \
         the name or id of one that it does"
    );
    let owner = "[[users]]\nname = 'a'\nid = 42\n[[guilds]]\nname = 'Lodge'\nowner = '43'";
    assert!(
        of(owner).contains("owner names the user \"43\""),
        "{}",
        of(owner)
    );
    assert!(World::from_toml(&owner.replace("43", "42")).is_ok());
    let user = lodge("[[guilds.members]]\nuser = '77'");
    assert!(
        user.starts_with("guild \"Lodge\", member \"77\": user names"),
        "{user}"
    );
    let role = lodge("[[guilds.members]]\nuser = 'a'\nroles = ['77']");
    assert!(
        role.starts_with("guild \"Lodge\", member \"a\": roles names the role \"77\""),
        "{role}"
    );
}

#[test]
fn what_is_there_twice_is_refused() {
    let second = |text: &str, expected: &str| {
        let said = lodge(text);
        assert!(said.starts_with(expected), "{said}");
    };
    second(
        "[[users]]\nname = 'a'",
        "user \"a\": a second user of this name",
    );
    second(
        "[[users]]\nname = 'b'\nid = 1050000000000000000",
        "user \"b\": its id 1050000000000000000 is that of the user \"a\" already",
    );
    second(
        "id = 7\n[[guilds]]\nname = 'Inn'\nowner = 'a'\nid = 7",
        "guild \"Inn\": its id 7 is that of the guild \"Lodge\" already",
    );
    second(
        "[[guilds.roles]]\nname = 'r'\n[[guilds.roles]]\nname = 'r'",
        "guild \"Lodge\", role \"r\": a second role of this name",
    );
    second(
        "id = 7\n[[guilds.roles]]\nname = 'r'\nid = 7",
        "guild \"Lodge\", role \"r\": its id 7 is that of the role \"@everyone\" already",
    );
    second(
        "[[guilds.members]]\nuser = 'a'\n[[guilds.members]]\nuser = 'a'",
        "guild \"Lodge\", member \"a\": a second entry of one member",
    );
    second(
        "vanity = 'x'\n[[guilds]]\nname = 'Inn'\nowner = 'a'\ninvites = ['x']",
        "guild \"Inn\": the code \"x\" leads to a guild already",
    );
}
