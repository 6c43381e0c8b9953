//! twilight-gateway.

use std::time::Duration;

use guildgate_model::UserId;
use guildgate_simulator::{Change, Fault, Join, Target, demo_ids};
use twilight_gateway::{ConfigBuilder, Event, EventTypeFlags, Intents, Shard, ShardId, StreamExt};

use crate::{PATIENCE, rename_helper, start};

/// The next event that `wanted` finds something in; others are passed over.
async fn until<T>(shard: &mut Shard, wanted: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            match shard
                .next_event(EventTypeFlags::all())
                .await
                .expect("the shard goes on")
            {
                Ok(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                // A lost socket is told as an error; the shard then dials again.
                Err(_) => continue,
            }
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .expect("it comes in time")
}

#[tokio::test]
async fn twilight_lives_on_the_simulator() {
    // twilight makes a TLS connector even where it dials without.
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("this process has no other");
    let simulator = start().await;
    let handle = simulator.handle();
    let intents = Intents::GUILDS | Intents::GUILD_MEMBERS;
    let config = ConfigBuilder::new("simulator".to_owned(), intents)
        // Its own setting for another host.
        .proxy_url(format!("ws://{}", simulator.local_addr()))
        .build();
    let mut shard = Shard::with_config(ShardId::ONE, config);
    for id in [demo_ids::REST, demo_ids::FOUNDRY, demo_ids::OWLS] {
        let got = until(&mut shard, |event| match event {
            Event::GuildCreate(guild) => Some(guild.id()),
            _ => None,
        });
        assert_eq!(got.await.get(), id.0);
    }
    rename_helper(&simulator, "Lifeguard");
    let role_update = |event| match event {
        Event::RoleUpdate(update) => Some(update.role.name),
        _ => None,
    };
    assert_eq!(until(&mut shard, role_update).await, "Lifeguard");
    let newcomer = UserId(1_190_000_000_123_456_789);
    handle
        .change(Change::Join(Join::new(demo_ids::REST, newcomer)))
        .expect("a join");
    let joined = until(&mut shard, |event| match event {
        Event::MemberAdd(add) => Some(add.member.user.id.get()),
        _ => None,
    });
    assert_eq!(joined.await, newcomer.0);

    let resumed = |event| matches!(event, Event::Resumed).then_some(());
    handle.fault(
        &Target::All,
        &Fault::Reconnect {
            close_after: Some(Duration::from_secs(5)),
        },
    );
    until(&mut shard, resumed).await;
    handle.fault(&Target::All, &Fault::Drop);
    rename_helper(&simulator, "Said while away");
    assert_eq!(until(&mut shard, role_update).await, "Said while away");
    until(&mut shard, resumed).await;
    let counters = handle.counters();
    assert_eq!(
        (
            counters.identifies,
            counters.resumes,
            counters.resumes_refused
        ),
        (1, 2, 0)
    );
}
