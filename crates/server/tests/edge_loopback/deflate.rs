//! permessage-deflate, both ways.

use crate::support::{World, certain, limits};

#[test]
fn long_events_come_deflated_to_those_who_agreed_and_plain_to_the_rest() {
    let mut world = World::new(1, limits());
    let mut plain = world.connect();
    world.let_in_basic(&mut plain);
    world.join(&mut plain);
    let mut basic = world.connect_deflating();
    world.let_in_basic(&mut basic);
    world.join(&mut basic);
    let mut full = world.connect_deflating();
    world.let_in(&mut full, 4);
    world.join(&mut full);
    for (number, bytes) in [(1, 10), (2, 400), (3, 70_000)] {
        world.broadcast(&certain(number, bytes));
        for client in [&mut plain, &mut basic, &mut full] {
            let frame = client.expect_op(5);
            assert_eq!(frame["d"]["number"], number);
            assert_eq!(frame["d"]["padding"], "x".repeat(bytes));
        }
    }
    world.broadcast(&certain(4, 1_000));
    assert_eq!(full.expect_op(5)["s"], 4, "each has its own number");
    assert_eq!(plain.deflated, 0);
    assert_eq!(basic.deflated, 2, "what is short is not deflated");
    assert_eq!(full.deflated, 3);
    world.end();
}

#[test]
fn deflated_commands_are_understood_and_held_to_the_limits_of_what_they_say() {
    let mut world = World::new(1, limits());
    let mut client = world.connect_deflating();
    world.let_in_basic(&mut client);
    client.send_deflated(r#"{"op":6,"cmd":"NO_SUCH","d":{}}"#);
    assert_eq!(client.expect_op(7)["d"]["error"]["code"], "unknown_command");
    client.send_deflated(&format!(r#"{{"op":4,"d":null}}{}"#, " ".repeat(4_000)));
    client.expect_alive();
    client.send_deflated(&"[".repeat(4_097));
    client.expect_close(4002);
    let mut rubbish = world.connect_deflating();
    world.let_in_basic(&mut rubbish);
    rubbish.send_frame(0xc1, &[0x07, 0xff]);
    rubbish.expect_close(4002);
    let mut unagreed = world.connect();
    world.let_in_basic(&mut unagreed);
    unagreed.send_deflated(r#"{"op":4,"d":null}"#);
    unagreed.expect_close(1002);
    world.end();
}
