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

#[test]
fn an_error_names_what_is_wrong() {
    let of = |text: &str| {
        World::from_toml(text)
            .expect_err("a faulty file")
            .to_string()
    };
    let guild = "[[guilds]]\nname = \"Lodge\"\nowner = \"nobody\"";
    assert!(of(guild).contains("the user \"nobody\""), "{}", of(guild));
    assert!(of("[[users]]\nnaem = \"x\"").contains("naem"));
    let role = "[[users]]\nname='a'\n[[guilds]]\nname='L'\nowner='a'\n[[guilds.roles]]\nname='r'\npermissions=['FLY']";
    assert!(of(role).contains("FLY"));
    let late = "[[users]]\nname='a'\n[[guilds]]\nname='L'\nowner='a'\n[[guilds.members]]\nuser='a'\ntimed_out_until='soon'";
    assert!(of(late).contains("\"soon\" is no time"));
    assert!(of("= nonsense").contains("TOML"));
}
