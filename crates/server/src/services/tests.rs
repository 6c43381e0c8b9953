use guildgate_model::{Decision, Grants, NotificationId, Permissions, RoleId, TokenId};
use guildgate_store::{NewNotification, NewToken, SqliteStore, Uses};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use async_trait::async_trait;
use guildgate_core::form_session::Standing;
use guildgate_model::ApplicationId;

use super::*;
use crate::patience::soon;

mod applications;
mod feed;
mod notifications;

const CLIENT: ClientId = ClientId {
    slot: 5,
    generation: 1,
    edge: 2,
};
const USER: UserId = UserId(42);
const MANAGER: UserId = UserId(1);
/// Who may give no role.
const OTHER_MANAGER: UserId = UserId(44);
const OWNER: UserId = UserId(45);
const GUILD: GuildId = GuildId(7);

/// An edge and a hub that write down what they are sent.
struct Script {
    to_edge: UnboundedSender<(Option<u8>, ToEdge)>,
    to_hub: UnboundedSender<hub::Input>,
    to_sessions: UnboundedSender<SessionsInput>,
    submitted: UnboundedSender<ApplicationId>,
}

impl EdgePort for Script {
    fn send(&self, edge: u8, message: ToEdge) {
        let _ = self.to_edge.send((Some(edge), message));
    }

    fn send_all(&self, message: &dyn Fn() -> ToEdge) {
        let _ = self.to_edge.send((None, message()));
    }
}

#[async_trait]
impl HubPort for Script {
    fn send(&self, input: hub::Input) {
        let _ = self.to_hub.send(input);
    }

    async fn connect(&self, client: ClientId, guild: GuildId, user: Option<UserId>) -> CameIn {
        let _ = self.to_hub.send(hub::Input::Connect {
            client,
            guild,
            user,
        });
        // Everybody but the manager is turned away.
        match user {
            Some(MANAGER) => CameIn::Yes,
            _ => CameIn::No,
        }
    }

    fn send_to_sessions(&self, input: SessionsInput) {
        let _ = self.to_sessions.send(input);
    }

    fn command_session(&self, command: SessionCommand) {
        let command = hub::SessionCommand {
            client: command.client,
            user: command.user,
            guild: command.guild,
            target: command.target,
            command: command.command,
        };
        let _ = self.to_hub.send(hub::Input::Command(command));
    }

    fn submitted(&self, _guild: GuildId, id: ApplicationId, _user: UserId) {
        let _ = self.submitted.send(id);
    }

    async fn standing(&self, _guild: GuildId, user: UserId) -> Result<Rights, Refusal> {
        let standing = match user {
            MANAGER | OTHER_MANAGER | OWNER => Standing::Member(Permissions::MANAGE_GUILD),
            USER => Standing::Member(Permissions::NONE),
            _ => Standing::Outsider,
        };
        Ok(Rights {
            grants: match user {
                OWNER => Grants::Any,
                MANAGER => Grants::Roles([RoleId(9)].into()),
                _ => Grants::none(),
            },
            tag: "somebody".into(),
            standing,
        })
    }
}

struct Harness {
    store: Arc<dyn Store>,
    services: Services,
    metrics: Arc<Metrics>,
    ask: UnboundedSender<FromEdge>,
    edge: Mutex<UnboundedReceiver<(Option<u8>, ToEdge)>>,
    hub: Mutex<UnboundedReceiver<hub::Input>>,
    sessions: Mutex<UnboundedReceiver<SessionsInput>>,
    submitted: Mutex<UnboundedReceiver<ApplicationId>>,
}

impl Harness {
    async fn new(readiness: Readiness) -> Harness {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_temporary().await.expect("a database"));
        let (to_edge, edge) = unbounded_channel();
        let (to_hub, hub) = unbounded_channel();
        let (to_sessions, sessions) = unbounded_channel();
        let (to_submitted, submitted) = unbounded_channel();
        let script = Arc::new(Script {
            to_edge,
            to_hub,
            to_sessions,
            submitted: to_submitted,
        });
        let metrics = Arc::new(Metrics::default());
        let services = Services::new(ServiceParts {
            store: Arc::clone(&store),
            edges: Arc::clone(&script) as Arc<dyn EdgePort>,
            hub: script,
            readiness: Arc::new(readiness),
            metrics: Arc::clone(&metrics),
            clock: Clock::start(),
            questions_max: 4,
            webhooks: BTreeMap::from([("staff".to_owned(), WebhookConfig::default())]),
        });
        let (ask, asked) = unbounded_channel();
        tokio::spawn(services.clone().run(asked));
        Harness {
            store,
            services,
            metrics,
            ask,
            edge: Mutex::new(edge),
            hub: Mutex::new(hub),
            sessions: Mutex::new(sessions),
            submitted: Mutex::new(submitted),
        }
    }

    async fn ready() -> Harness {
        let readiness = Readiness::new();
        readiness.set(Ok(()));
        Harness::new(readiness).await
    }

    fn ask(&self, ask: Ask) {
        let asked = self.ask.send(FromEdge::Ask {
            client: CLIENT,
            address: [192, 0, 2, 1].into(),
            ask,
        });
        assert!(asked.is_ok(), "the services run");
    }

    async fn next_to_edge(&self) -> (Option<u8>, ToEdge) {
        let next = async { self.edge.lock().await.recv().await };
        soon("a message", next).await.expect("the services run")
    }

    async fn next_to_hub(&self) -> hub::Input {
        let next = async { self.hub.lock().await.recv().await };
        soon("an input", next).await.expect("the services run")
    }

    async fn next_to_sessions(&self) -> SessionsInput {
        let next = async { self.sessions.lock().await.recv().await };
        soon("an input", next).await.expect("the services run")
    }

    async fn answer(&self) -> Answer {
        match self.next_to_edge().await {
            (Some(2), ToEdge::Answer(CLIENT, answer)) => answer,
            other => panic!("no answer to the client but {other:?}"),
        }
    }

    async fn authenticate(&self, token: Option<&Secret>, user: Option<UserId>) -> Answer {
        self.ask(Ask::Authenticate {
            token: token.cloned(),
            user,
            resume: None,
        });
        self.answer().await
    }

    async fn issue(&self, kind: TokenKind, owner: Option<u64>, uses: Uses) -> (TokenId, Secret) {
        let new = NewToken {
            kind,
            owner,
            uses,
            expires_at: None,
        };
        let now = Clock::start().now().wall;
        let (record, secret) = self.store.issue_token(new, now).await.expect("a database");
        (record.id, secret)
    }

    async fn notify(&self) -> NotificationId {
        let new = NewNotification {
            user: USER,
            decision: Decision::Accepted,
            guild: GUILD,
            application: None,
            note: None,
        };
        let now = Clock::start().now().wall;
        self.store
            .add_notification(new, now)
            .await
            .expect("a database")
            .id
    }

    async fn start_feed(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        let feed = self.services.feed(None).await.expect("a database");
        tokio::spawn(feed.run(stop.clone()));
        stop
    }

    fn counted(&self, line: &str) {
        let text = self.metrics.encode();
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in\n{text}"
        );
    }
}

#[tokio::test]
async fn each_form_of_authentication_is_told_from_the_others() {
    let harness = Harness::ready().await;
    let (own, gateway) = harness
        .issue(TokenKind::GatewayUser, Some(USER.0), Uses::OfKind)
        .await;
    let (_, global) = harness.issue(TokenKind::Global, None, Uses::OfKind).await;
    let (_, site) = harness
        .issue(TokenKind::User, Some(USER.0), Uses::OfKind)
        .await;

    assert!(matches!(
        harness.authenticate(None, None).await,
        Answer::Basic
    ));
    assert!(matches!(
        harness.authenticate(Some(&global), None).await,
        Answer::Basic
    ));
    let answer = harness.authenticate(Some(&gateway), Some(USER)).await;
    let Answer::Full {
        user,
        token,
        session,
        missed,
    } = answer
    else {
        panic!("not full access: {answer:?}");
    };
    assert_eq!((user, token, session.edge), (USER, own, CLIENT.edge));
    assert!(missed.is_empty());

    let unknown = Secret::new("gggu_nobody-has-this");
    let refused = [
        (None, Some(USER)),
        (Some(&unknown), Some(USER)),
        (Some(&unknown), None),
        (Some(&global), Some(USER)),
        (Some(&gateway), None),
        (Some(&site), Some(USER)),
        (Some(&gateway), Some(UserId(43))),
    ];
    for (token, user) in refused {
        let answer = harness.authenticate(token, user).await;
        assert!(
            matches!(answer, Answer::NotAuthentic),
            "{user:?}: {answer:?}"
        );
    }
    harness.counted("guildgate_authentications_total{outcome=\"full\"} 1");
    harness.counted("guildgate_authentications_total{outcome=\"refused\"} 7");
    harness.counted("guildgate_token_refusals_total{reason=\"unknown\"} 2");
    harness.counted("guildgate_token_refusals_total{reason=\"wrong_kind\"} 3");
    harness.counted("guildgate_token_refusals_total{reason=\"foreign\"} 1");
}

#[tokio::test]
async fn nobody_is_let_in_before_discords_side_has_come_up_once() {
    let harness = Harness::new(Readiness::new()).await;
    let answer = harness.authenticate(None, None).await;
    assert!(matches!(answer, Answer::NotReady), "{answer:?}");
    harness.services.parts.readiness.set(Ok(()));
    assert!(matches!(
        harness.authenticate(None, None).await,
        Answer::Basic
    ));
}

#[tokio::test]
async fn a_guild_token_is_used_up_and_the_hub_is_asked_each_time() {
    let harness = Harness::ready().await;
    let (_, token) = harness
        .issue(TokenKind::GatewayGuild, Some(GUILD.0), Uses::Limited(2))
        .await;
    let connect = |guild| {
        harness.ask(Ask::ConnectGuild {
            token: token.clone(),
            guild,
            user: Some(MANAGER),
        });
    };
    connect(GuildId(8));
    let Answer::Refused(refusal) = harness.answer().await else {
        panic!("another guild's token was taken");
    };
    assert_eq!(refusal.code, ErrorCode::InvalidToken);
    for _ in 0..2 {
        connect(GUILD);
        let input = harness.next_to_hub().await;
        assert!(
            matches!(
                input,
                hub::Input::Connect {
                    client: CLIENT,
                    guild: GUILD,
                    user: Some(MANAGER),
                }
            ),
            "{input:?}"
        );
    }
    connect(GUILD);
    let Answer::Refused(refusal) = harness.answer().await else {
        panic!("a used-up token was taken");
    };
    assert_eq!(refusal.code, ErrorCode::InvalidToken);
    harness.counted("guildgate_token_refusals_total{reason=\"used_up\"} 1");
    harness.counted("guildgate_guild_connects_total 2");
}

#[tokio::test]
async fn a_use_of_a_guild_token_that_lets_nobody_in_is_given_back() {
    let harness = Harness::ready().await;
    let (id, token) = harness
        .issue(TokenKind::GatewayGuild, Some(GUILD.0), Uses::Limited(1))
        .await;
    for _ in 0..3 {
        harness.ask(Ask::ConnectGuild {
            token: token.clone(),
            guild: GUILD,
            user: Some(USER),
        });
        let input = harness.hub.lock().await.recv().await;
        assert!(
            matches!(input, Some(hub::Input::Connect { .. })),
            "{input:?}"
        );
        let left = async || {
            let read = harness.store.read_token(id).await.expect("a database");
            read.expect("it is there").uses_left
        };
        let given_back = async {
            while left().await != Some(1) {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), given_back).await;
        in_time.expect("the use is given back");
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_told_to_every_shard() {
    let harness = Harness::ready().await;
    let id = harness.notify().await;
    harness.ask(Ask::Acknowledge {
        user: USER,
        ids: vec![id],
    });
    match harness.next_to_edge().await {
        (None, ToEdge::Acknowledged(USER, ids)) => assert_eq!(*ids, [id]),
        other => panic!("not the acknowledgement: {other:?}"),
    }
    assert!(matches!(harness.answer().await, Answer::Done(_)));
}

#[tokio::test]
async fn what_is_acknowledged_at_another_process_is_told_to_every_shard() {
    let harness = Harness::ready().await;
    let stop = harness.start_feed().await;
    let id = harness.notify().await;
    let told = harness.next_to_edge().await;
    assert!(matches!(told, (None, ToEdge::User(USER, _))), "{told:?}");
    let now = Clock::start().now().wall;
    let elsewhere = harness.store.acknowledge(USER, &[id], now).await;
    assert_eq!(elsewhere.expect("a database"), 1);
    match harness.next_to_edge().await {
        (None, ToEdge::Acknowledged(USER, ids)) => assert_eq!(*ids, [id]),
        other => panic!("not the acknowledgement: {other:?}"),
    }
    stop.cancel();
}

#[tokio::test]
async fn a_client_that_leaves_is_told_to_the_hub() {
    let harness = Harness::ready().await;
    let left = harness.ask.send(FromEdge::Left {
        client: CLIENT,
        guild: GUILD,
    });
    assert!(left.is_ok());
    let input = harness.next_to_hub().await;
    assert!(matches!(
        input,
        hub::Input::Disconnect {
            client: CLIENT,
            guild: GUILD,
        }
    ));
}

#[tokio::test]
async fn what_was_missed_is_told_until_it_was_acknowledged() {
    let harness = Harness::ready().await;
    let (_, token) = harness
        .issue(TokenKind::GatewayUser, Some(USER.0), Uses::OfKind)
        .await;
    let first = harness.notify().await;
    let second = harness.notify().await;
    let missed = async || match harness.authenticate(Some(&token), Some(USER)).await {
        Answer::Full { missed, .. } => missed.iter().map(|one| one.id).collect::<Vec<_>>(),
        other => panic!("not full access: {other:?}"),
    };
    assert_eq!(missed().await, [first, second]);
    harness.ask(Ask::Acknowledge {
        user: USER,
        ids: vec![first],
    });
    let told = harness.next_to_edge().await;
    assert!(matches!(told, (None, ToEdge::Acknowledged(..))), "{told:?}");
    assert!(matches!(harness.answer().await, Answer::Done(_)));
    assert_eq!(missed().await, [second]);
    // This user acknowledges, so delivery alone takes nothing out of the inbox.
    // Not through the queue, since nobody is told when it is done.
    let delivered = Ask::Delivered {
        user: USER,
        ids: vec![second],
    };
    let address = [192, 0, 2, 1].into();
    let answered = harness.services.answer(CLIENT, address, delivered);
    soon("the mark", answered).await;
    assert_eq!(missed().await, [second]);
}

#[tokio::test]
async fn a_revocation_and_a_notification_are_told_to_every_shard() {
    let harness = Harness::ready().await;
    let stop = harness.start_feed().await;
    let (id, _) = harness
        .issue(TokenKind::GatewayUser, Some(USER.0), Uses::OfKind)
        .await;
    let now = Clock::start().now().wall;
    harness
        .store
        .revoke_token(id, now)
        .await
        .expect("a database");
    let told = harness.next_to_edge().await;
    assert!(
        matches!(told, (None, ToEdge::Revoked(revoked)) if revoked == id),
        "{told:?}"
    );
    let notification = harness.notify().await;
    match harness.next_to_edge().await {
        (None, ToEdge::User(USER, event)) => {
            let text = event.open_text();
            assert!(text.contains("APPLICATION_REVIWED"), "{text}");
            assert!(
                text.contains(&format!("\"id\":\"{notification}\"")),
                "{text}"
            );
        }
        other => panic!("not the notification: {other:?}"),
    }
    stop.cancel();
}

#[tokio::test]
async fn of_restored_sessions_those_end_whose_token_was_revoked_meanwhile() {
    let harness = Harness::ready().await;
    let kind = TokenKind::GatewayUser;
    let (good, _) = harness.issue(kind, Some(USER.0), Uses::OfKind).await;
    let (bad, _) = harness.issue(kind, Some(USER.0), Uses::OfKind).await;
    let now = Clock::start().now().wall;
    let revoked = harness.store.revoke_token(bad, now).await;
    assert!(revoked.expect("the database").is_some());
    let forgotten = TokenId(77);
    let tokens = [good, bad, forgotten].into();
    harness.services.clone().end_revoked(tokens).await;
    for id in [bad, forgotten] {
        let told = harness.next_to_edge().await;
        assert!(
            matches!(told, (None, ToEdge::Revoked(revoked)) if revoked == id),
            "{told:?}"
        );
    }
    assert!(harness.edge.lock().await.try_recv().is_err());
}

#[tokio::test]
async fn a_command_reaches_the_hub_before_the_end_of_its_client() {
    let harness = Harness::ready().await;
    for _ in 0..100 {
        harness.ask(Ask::Application {
            user: USER,
            token: TokenId(1),
            nonce: None,
            command: guildgate_wire::ApplicationCommand::Heartbeat { guild: Some(GUILD) },
        });
        let gone = harness.ask.send(FromEdge::Gone(CLIENT));
        assert!(gone.is_ok(), "the services run");
    }
    for _ in 0..100 {
        let heard = [harness.next_to_hub().await, harness.next_to_hub().await];
        assert!(
            matches!(heard, [hub::Input::Command(_), hub::Input::Gone(CLIENT)]),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn the_hub_is_told_invites_that_were_set_before_and_those_that_are_set_now() {
    let harness = Harness::ready().await;
    let now = Clock::start().now().wall;
    let set = async |code: Option<&str>| {
        let code = code.map(Into::into);
        let invite = guildgate_store::SetInvite { guild: GUILD, code };
        let set = harness.store.set_invite(invite, now).await;
        set.expect("a database");
    };
    let told = async || match harness.next_to_hub().await {
        hub::Input::InviteSet { guild: GUILD, code } => code,
        other => panic!("not the invite but {other:?}"),
    };
    set(Some("before")).await;
    let stop = harness.start_feed().await;
    assert_eq!(told().await.as_deref(), Some("before"));
    set(Some("now")).await;
    assert_eq!(told().await.as_deref(), Some("now"));
    set(None).await;
    assert_eq!(told().await, None);
    stop.cancel();
    let _after = harness.start_feed().await;
    assert_eq!(told().await, None, "a restart does not bring it back");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_fails_or_hangs_is_given_up_and_counted() {
    let harness = Harness::ready().await;
    let failed = harness
        .services
        .timed(async { Err::<(), _>(StoreError::Closed) });
    assert!(failed.await.is_err());
    let hangs = harness
        .services
        .timed(std::future::pending::<Result<(), StoreError>>());
    assert!(hangs.await.is_err());
    harness.counted("guildgate_store_failures_total 2");
}
