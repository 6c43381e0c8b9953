//! Applications and live sessions, as far as the database goes.

use guildgate_core::form_session::{
    Ask, Caller, Command, Credentials, FormSessions, NotVerified, Output, Reply, SessionKey, Target,
};
use guildgate_model::{ApplicationId, Form, Revision, form::FieldId};
use guildgate_store::{AppendPatch, DocumentKey, OutboxState, Page, Task, Topic};
use guildgate_wire::ApplicationCommand;
use serde_json::{Value, json};

use super::{
    super::*, CLIENT, GUILD, Grants, Harness, MANAGER, OTHER_MANAGER, OWNER, Permissions, Standing,
    USER,
};
use crate::patience::soon;

fn form(status: Value, status_data: Value) -> Value {
    json!({
        "status": status,
        "status_data": status_data,
        "role_on_accept": "9",
        "sections": [{"title": "", "description": "", "fields": [{
            "id": "why", "title": "Why?", "description": "", "type": 0,
            "length": [1, 10], "required": true,
        }]}],
    })
}

impl Harness {
    /// Makes a new version of the guild's form.
    async fn publish(&self, content: Value) -> Revision {
        Form::check(&content).expect("a form");
        let key = DocumentKey::Form(GUILD);
        let now = Clock::start().now().wall;
        let open = self.store.open_document(key, Form::empty_document(), now);
        let newest = open.await.expect("a database");
        let patch = AppendPatch {
            key,
            base: newest.revision,
            patch: json!([{"op": "replace", "path": "", "value": content}]),
            content,
            actor: MANAGER,
            patch_id: None,
            renamed: Vec::new(),
        };
        let appended = self.store.append_patch(patch, now).await;
        appended.expect("a database").expect("no other").revision()
    }

    async fn submit(&self, user: UserId, answers: Value, revision: Revision) -> Answer {
        self.ask(super::super::Ask::Application {
            user,
            token: guildgate_model::TokenId(1),
            nonce: None,
            command: ApplicationCommand::Submit {
                guild: GUILD,
                answers,
                revision: revision.0,
            },
        });
        self.answer().await
    }

    async fn review(&self, user: UserId, id: ApplicationId) -> Answer {
        self.ask(super::super::Ask::Application {
            user,
            token: guildgate_model::TokenId(1),
            nonce: None,
            command: ApplicationCommand::Review {
                guild: GUILD,
                application: id,
                decision: guildgate_model::Decision::Accepted,
                note: None,
                expected: None,
            },
        });
        self.answer().await
    }
}

fn refused(answer: Answer) -> (ErrorCode, Value) {
    match answer {
        Answer::Refused(refusal) => {
            let details = refusal.details.map(|details| Value::Object(*details));
            (refusal.code, details.unwrap_or_default())
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn done(answer: Answer) -> Value {
    match answer {
        Answer::Done(data) => serde_json::from_str(data.get()).expect("JSON"),
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test]
async fn a_submission_is_taken_if_form_and_answers_allow_it() {
    let harness = Harness::ready().await;
    let why = || json!({"why": "fun"});
    let first = Revision::FIRST;
    assert_eq!(
        refused(harness.submit(USER, why(), first).await).0,
        ErrorCode::Closed
    );
    let closed = harness.publish(form(json!(0), Value::Null)).await;
    assert_eq!(
        refused(harness.submit(USER, why(), closed).await).0,
        ErrorCode::Closed
    );
    let full = harness.publish(form(json!(2), Value::Null)).await;
    assert_eq!(
        refused(harness.submit(USER, why(), full).await).0,
        ErrorCode::Full
    );
    let at = 4_000_000_000_000_i64;
    let later = harness
        .publish(form(json!(3), json!({"opens_at": at})))
        .await;
    let (code, details) = refused(harness.submit(USER, why(), later).await);
    assert_eq!(
        (code, &details["opens_at"]),
        (ErrorCode::Closed, &json!(at))
    );

    let open = harness.publish(form(json!(4), json!({"limit": 1}))).await;
    let outsider = UserId(99);
    let (code, _) = refused(harness.submit(outsider, why(), open).await);
    assert_eq!(code, ErrorCode::Forbidden);
    let (code, _) = refused(harness.submit(USER, why(), open.next()).await);
    assert_eq!(code, ErrorCode::BadRequest, "a version that is not there");
    let (code, details) = refused(harness.submit(USER, json!({"why": 5}), open).await);
    assert_eq!(code, ErrorCode::InvalidAnswers);
    assert_eq!(details["faults"][0]["pointer"], "/why");

    let taken = done(harness.submit(USER, why(), open).await);
    assert_eq!(taken["apv"], open.0);
    let (code, details) = refused(harness.submit(USER, why(), open).await);
    assert_eq!((code, &details["id"]), (ErrorCode::Duplicate, &taken["id"]));
    let (code, _) = refused(harness.submit(MANAGER, why(), open).await);
    assert_eq!(code, ErrorCode::Full, "the limit is reached");

    let webhooks = harness.store.list_outbox(
        GUILD,
        Topic::Webhook,
        Some(OutboxState::Pending),
        Page::first(10),
    );
    let webhooks = webhooks.await.expect("a database").items;
    let Task::Webhook { event, body, .. } = &webhooks[0].task else {
        panic!("{webhooks:?}");
    };
    let id = taken["id"].as_str().expect("an id");
    assert_eq!(**event, *format!("submitted:{id}"));
    assert_eq!(body["application_id"], id);
    assert_eq!(body["user_id"], USER.to_string());
}

#[tokio::test]
async fn answers_to_a_form_that_has_changed_are_told_so() {
    let harness = Harness::ready().await;
    let old = harness.publish(form(json!(1), Value::Null)).await;
    let mut newer = form(json!(1), Value::Null);
    newer["sections"][0]["fields"][0]["length"] = json!([5, 10]);
    let newest = harness.publish(newer.clone()).await;
    let (code, details) = refused(harness.submit(USER, json!({"why": "fun"}), old).await);
    assert_eq!(code, ErrorCode::Conflict);
    assert_eq!(details["apv"], newest.0);
    assert_eq!(details["document"], newer);
    let still_fits = harness.submit(USER, json!({"why": "for fun"}), old).await;
    assert_eq!(done(still_fits)["apv"], old.0);
}

#[tokio::test]
async fn a_review_needs_a_manager_and_is_made_once() {
    let harness = Harness::ready().await;
    let open = harness.publish(form(json!(1), Value::Null)).await;
    let taken = done(harness.submit(USER, json!({"why": "fun"}), open).await);
    let id: ApplicationId = serde_json::from_value(taken["id"].clone()).expect("an id");
    assert_eq!(
        refused(harness.review(USER, id).await).0,
        ErrorCode::Forbidden
    );
    let (code, _) = refused(harness.review(MANAGER, ApplicationId(99)).await);
    assert_eq!(code, ErrorCode::BadRequest);
    assert_eq!(
        done(harness.review(MANAGER, id).await),
        json!({"success": true})
    );
    let (code, details) = refused(harness.review(MANAGER, id).await);
    assert_eq!(
        (code, &details["status"]),
        (ErrorCode::Conflict, &json!("accepted"))
    );

    let inbox = harness.store.pending_notifications(USER).await;
    assert_eq!(inbox.expect("a database").len(), 1);
    let roles = harness
        .store
        .list_outbox(GUILD, Topic::GrantRole, None, Page::first(10));
    let roles = roles.await.expect("a database").items;
    assert!(
        matches!(roles[0].task, Task::GrantRole { user: USER, .. }),
        "{roles:?}"
    );
}

#[tokio::test]
async fn what_changes_in_the_database_reaches_the_live_sessions() {
    let harness = Harness::ready().await;
    let stop = harness.start_feed().await;
    let open = harness.publish(form(json!(1), Value::Null)).await;
    let mut told = Vec::new();
    while told.last() != Some(&open) {
        match harness.next_to_sessions().await {
            SessionsInput::Changed { key, .. } => {
                assert_eq!((key.guild, key.target), (GUILD, Target::Form));
            }
            SessionsInput::FormPublished { form, .. } => told.push(form.revision),
            other => panic!("not a change of the form: {other:?}"),
        }
    }

    done(harness.submit(USER, json!({"why": "fun"}), open).await);
    // The form is told as it is when the feed is read, so its newest version may be told before
    // the last change that led to it is.
    let fields = loop {
        match harness.next_to_sessions().await {
            SessionsInput::Submitted { fields, .. } => break fields,
            SessionsInput::Changed { key, .. } => assert_eq!(key.target, Target::Form),
            SessionsInput::FormPublished { form, .. } => assert_eq!(form.revision, open),
            other => panic!("not the submission: {other:?}"),
        }
    };
    let why = FieldId::try_from("why").expect("an id");
    assert_eq!(fields.into_iter().collect::<Vec<_>>(), [why]);
    let submitted = async { harness.submitted.lock().await.recv().await };
    assert!(soon("the word of it", submitted).await.is_some());
    stop.cancel();
}

#[tokio::test]
async fn a_session_opens_with_history_and_with_the_fields_that_are_answered() {
    let harness = Harness::ready().await;
    let key = SessionKey {
        guild: GUILD,
        target: Target::Form,
    };
    let opened = async || match harness.services.form_reply(key, Ask::Open).await {
        Reply::Opened(Ok(opened)) => *opened,
        other => panic!("not opened: {other:?}"),
    };
    let new = opened().await;
    assert_eq!((new.revision, new.versions.len()), (Revision::FIRST, 0));
    assert_eq!(new.document, Form::empty_document());

    let mut open = Revision::FIRST;
    for limit in 1..=70 {
        open = harness
            .publish(form(json!(4), json!({"limit": limit})))
            .await;
    }
    done(harness.submit(USER, json!({"why": "fun"}), open).await);
    let later = opened().await;
    assert_eq!(later.revision, Revision(open.0 - 64));
    assert_eq!(
        later.versions.last().map(|version| version.revision),
        Some(open)
    );
    assert_eq!(later.versions.len(), 64);
    assert_eq!(later.answered_fields.len(), 1);
    let Reply::Loaded(Ok(loaded)) = harness
        .services
        .form_reply(
            key,
            Ask::Load {
                after: Revision(open.0 - 2),
            },
        )
        .await
    else {
        panic!("not loaded");
    };
    assert_eq!(loaded.len(), 2);
    assert_eq!(loaded[0].author, Some(MANAGER));
}

#[tokio::test]
async fn a_session_takes_both_tokens_of_the_user_and_no_others() {
    let harness = Harness::ready().await;
    let owner = Some(USER.0);
    let uses = guildgate_store::Uses::OfKind;
    let (user_id, user_token) = harness.issue(TokenKind::User, owner, uses).await;
    let (gateway_id, gateway_token) = harness.issue(TokenKind::GatewayUser, owner, uses).await;
    let (_, of_another) = harness.issue(TokenKind::User, Some(1), uses).await;
    let key = SessionKey {
        guild: GUILD,
        target: Target::Form,
    };
    let verify = async |user_token: &Secret, gateway_token: &Secret| {
        let credentials = Credentials {
            user_token: user_token.clone(),
            gateway_token: gateway_token.clone(),
        };
        let ask = Ask::Verify {
            user: USER,
            credentials,
        };
        match harness.services.form_reply(key, ask).await {
            Reply::Verified(verified) => verified,
            other => panic!("not an answer: {other:?}"),
        }
    };
    let good = verify(&user_token, &gateway_token)
        .await
        .expect("good tokens");
    assert_eq!(good.tokens, [user_id, gateway_id]);
    for (user, gateway) in [
        (&gateway_token, &user_token),
        (&of_another, &gateway_token),
        (&user_token, &of_another),
    ] {
        assert_eq!(verify(user, gateway).await, Err(NotVerified::NotGood));
    }
}

/// Live sessions whose questions are answered from the database.
struct Sessions<'a> {
    harness: &'a Harness,
    sessions: FormSessions,
    clock: Clock,
}

impl Sessions<'_> {
    /// What they say once nothing is left to be asked.
    async fn feed(&mut self, input: SessionsInput) -> Vec<Output> {
        let mut inputs = vec![input];
        let mut said = Vec::new();
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            self.sessions.handle(self.clock.now(), input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Ask { key, ticket, ask } => {
                        let reply = self.harness.services.form_reply(key, ask).await;
                        inputs.push(SessionsInput::Reply { key, ticket, reply });
                    }
                    said_now => said.push(said_now),
                }
            }
        }
        said
    }

    /// The answer to a command of the user's, about their draft.
    async fn command(&mut self, command: Command) -> Value {
        let caller = Caller {
            client: CLIENT,
            user: USER,
            tag: "somebody".into(),
            standing: Standing::Member(Permissions::NONE),
            grants: Grants::none(),
        };
        let input = SessionsInput::Command {
            guild: Some(GUILD),
            target: Target::Answers(USER),
            caller,
            command,
        };
        match &self.feed(input).await[..] {
            [Output::Answer { result, .. }] => {
                let data = result.as_ref().expect("it may");
                serde_json::from_str(data.get()).expect("JSON")
            }
            other => panic!("not the answer: {other:?}"),
        }
    }

    async fn write(&mut self, base: Revision, answer: &str) -> Value {
        let patch = json!([{ "op": "add", "path": "/why", "value": answer }]);
        let nonce = None;
        self.command(Command::Patch { base, patch, nonce }).await
    }
}

#[tokio::test]
async fn a_draft_that_is_open_when_it_is_submitted_is_emptied_and_goes_on() {
    let harness = Harness::ready().await;
    let open = harness.publish(form(json!(1), Value::Null)).await;
    let (owner, uses) = (Some(USER.0), guildgate_store::Uses::OfKind);
    let (_, user_token) = harness.issue(TokenKind::User, owner, uses).await;
    let (_, gateway_token) = harness.issue(TokenKind::GatewayUser, owner, uses).await;
    let mut sessions = Sessions {
        harness: &harness,
        sessions: FormSessions::new(),
        clock: Clock::start(),
    };
    let credentials = Credentials {
        user_token,
        gateway_token,
    };
    let nonce = None;
    sessions
        .command(Command::Start { credentials, nonce })
        .await;
    let written = sessions.write(Revision::FIRST, "fun").await;
    assert_eq!(written["apv"], 2);

    let stop = harness.start_feed().await;
    done(harness.submit(USER, json!({"why": "fun"}), open).await);
    let changed = harness.next_to_sessions().await;
    let draft = SessionKey {
        guild: GUILD,
        target: Target::Answers(USER),
    };
    assert!(
        matches!(changed, SessionsInput::Changed { key, .. } if key == draft),
        "{changed:?}"
    );
    match &sessions.feed(changed).await[..] {
        [
            Output::Event {
                client: CLIENT,
                event,
            },
        ] => {
            let text = event.open_text();
            assert!(text.contains("APPLICATION_SESSION_PATCH"), "{text}");
            assert!(text.contains(r#""apv":3"#), "{text}");
            assert!(text.contains(r#""value":{}"#), "{text}");
        }
        other => panic!("not the emptied draft: {other:?}"),
    }
    let again = sessions.write(Revision(3), "again").await;
    assert_eq!(again["apv"], 4);
    stop.cancel();
}

#[tokio::test]
async fn whoever_may_not_give_the_role_does_not_accept_and_nobody_accepts_themselves() {
    let harness = Harness::ready().await;
    let open = harness.publish(form(json!(1), Value::Null)).await;
    let apply = async |user| {
        let taken = done(harness.submit(user, json!({"why": "fun"}), open).await);
        serde_json::from_value::<ApplicationId>(taken["id"].clone()).expect("an id")
    };
    let id = apply(USER).await;
    let code = |answer| refused(answer).0;
    assert_eq!(
        code(harness.review(OTHER_MANAGER, id).await),
        ErrorCode::Forbidden
    );
    let own = apply(MANAGER).await;
    assert_eq!(
        code(harness.review(MANAGER, own).await),
        ErrorCode::Forbidden
    );
    let roles = harness
        .store
        .list_outbox(GUILD, Topic::GrantRole, None, Page::first(10));
    assert!(roles.await.expect("a database").items.is_empty());
    done(harness.review(MANAGER, id).await);
    let own = apply(OWNER).await;
    done(harness.review(OWNER, own).await);
}

#[tokio::test]
async fn a_limit_counts_from_when_it_was_set() {
    let harness = Harness::ready().await;
    let why = || json!({"why": "fun"});
    let open = harness.publish(form(json!(1), Value::Null)).await;
    done(harness.submit(USER, why(), open).await);
    let before = Clock::start().now().wall;
    // The next season must not begin in the same millisecond.
    while Clock::start().now().wall == before {
        tokio::task::yield_now().await;
    }
    let one = harness.publish(form(json!(4), json!({"limit": 1}))).await;
    let mut retitled = form(json!(4), json!({"limit": 1}));
    retitled["sections"][0]["title"] = json!("You");
    let newest = harness.publish(retitled).await;
    assert_ne!(one, newest);
    done(harness.submit(MANAGER, why(), newest).await);
    let (code, _) = refused(harness.submit(OWNER, why(), newest).await);
    assert_eq!(code, ErrorCode::Full);
}

#[tokio::test]
async fn a_form_opens_by_itself_while_nobody_edits_it() {
    let harness = Harness::ready().await;
    let soon = Clock::start().now().wall + Duration::from_millis(50);
    let status = json!({"opens_at": soon});
    let before_start = harness.publish(form(json!(3), status.clone())).await;
    let stop = harness.start_feed().await;
    let opened = async || {
        let mut sessions = harness.sessions.lock().await;
        loop {
            match sessions.recv().await.expect("the services run") {
                SessionsInput::FormPublished { form, .. } if form.document["status"] == 1 => {
                    return form.revision;
                }
                _ => {}
            }
        }
    };
    assert_eq!(opened().await, before_start.next());
    // One that is set while the node runs, and to a time that has passed, opens too.
    let again = harness.publish(form(json!(3), status)).await;
    assert_eq!(opened().await, again.next());
    let versions = harness
        .store
        .versions_after(DocumentKey::Form(GUILD), before_start, 9)
        .await
        .expect("a database");
    let authors: Vec<_> = versions.iter().map(|version| version.actor).collect();
    assert_eq!(authors, [Some(UserId(0)), Some(MANAGER), Some(UserId(0))]);
    stop.cancel();
}

#[tokio::test]
async fn everybody_who_answers_a_form_shares_it() {
    let harness = Harness::ready().await;
    harness.publish(form(json!(1), Value::Null)).await;
    let read = async || {
        let found = harness.services.published_form(GUILD).await;
        found.expect("a database").expect("a form")
    };
    let (first, second) = (read().await, read().await);
    assert!(Arc::ptr_eq(&first, &second));
    let newer = harness.publish(form(json!(2), Value::Null)).await;
    let third = read().await;
    assert_eq!(third.revision, newer);
    assert!(
        !Arc::ptr_eq(&first, &third),
        "another version is another form"
    );
}
