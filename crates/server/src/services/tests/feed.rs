//! Where the reader of the feed begins.

use guildgate_store::Cursor;

use super::*;

impl Harness {
    async fn head(&self) -> Cursor {
        self.store.head().await.expect("a database")
    }

    async fn acknowledge_elsewhere(&self, id: NotificationId) {
        let now = Clock::start().now().wall;
        let done = self.store.acknowledge(USER, &[id], now).await;
        assert_eq!(done.expect("a database"), 1);
    }

    async fn catch_up(&self, since: Option<Cursor>) -> Feed {
        let feed = self.services.feed(since).await;
        let mut feed = feed.expect("a database");
        feed.catch_up().await.expect("a database");
        feed
    }
}

#[tokio::test]
async fn it_goes_on_from_where_an_earlier_one_stopped() {
    let harness = Harness::ready().await;
    let heard = harness.notify().await;
    let first = harness.catch_up(Some(Cursor(0))).await;
    let stopped = CancellationToken::new();
    stopped.cancel();
    let since = soon("its end", first.run(stopped)).await;
    assert_eq!(since, harness.head().await);
    let told = harness.next_to_edge().await;
    assert!(matches!(told, (None, ToEdge::User(USER, _))), "{told:?}");

    let missed = harness.notify().await;
    harness.acknowledge_elsewhere(heard).await;
    harness.acknowledge_elsewhere(missed).await;
    let _feed = harness.catch_up(Some(since)).await;
    // All of it is told before anybody can dial: none sees what is acknowledged already.
    let mut told = harness.edge.lock().await;
    let mut next = || told.try_recv().ok().map(|(_, message)| message);
    match next() {
        Some(ToEdge::User(USER, event)) => {
            let id = format!("\"id\":\"{missed}\"");
            assert!(event.open_text().contains(&id), "{}", event.open_text());
        }
        other => panic!("not the notification: {other:?}"),
    }
    for id in [heard, missed] {
        match next() {
            Some(ToEdge::Acknowledged(USER, ids)) => assert_eq!(*ids, [id]),
            other => panic!("not the acknowledgement: {other:?}"),
        }
    }
    assert!(next().is_none());
}

#[tokio::test]
async fn with_nothing_to_go_on_from_it_begins_now() {
    let harness = Harness::ready().await;
    harness.notify().await;
    let _feed = harness.catch_up(None).await;
    assert!(harness.edge.lock().await.try_recv().is_err());
}

#[tokio::test]
async fn what_the_hub_is_to_tell_comes_after_those_who_are_restored() {
    let harness = Harness::ready().await;
    let (told, mut all_told) = unbounded_channel();
    let restored = FromEdge::Restored {
        client: CLIENT,
        guild: GUILD,
        user: USER,
    };
    for said in [restored, FromEdge::RestoredAll(told)] {
        assert!(harness.ask.send(said).is_ok(), "the services run");
    }
    assert!(soon("the end", all_told.recv()).await.is_none());
    let mut hub = harness.hub.lock().await;
    assert!(
        matches!(
            hub.try_recv(),
            Ok(hub::Input::Restored { client: CLIENT, .. })
        ),
        "the hub knows by then"
    );
}
