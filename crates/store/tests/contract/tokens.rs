//! Credentials.

mod keeping;

use std::collections::BTreeSet;

use guildgate_model::{Secret, TokenId, TokenKind, UnixMs};
use guildgate_store::{
    ChangeKind, Cursor, GUILD_TOKEN_USES, NewToken, Owner, Page, TokenFilter, TokenRefusal, Uses,
};

use crate::support::{NOW, contract, later, race};

/// A user's id past what a signed number holds.
const OWNER: u64 = u64::MAX - 5;

fn of(kind: TokenKind) -> NewToken {
    NewToken {
        kind,
        owner: match kind {
            TokenKind::Global => None,
            TokenKind::User | TokenKind::GatewayUser | TokenKind::GatewayGuild => Some(OWNER),
        },
        uses: Uses::OfKind,
        expires_at: None,
    }
}

contract! {
    async fn a_token_is_accepted_and_told_by_its_record(database) {
        let store = database.open().await;
        for kind in TokenKind::ALL {
            let (issued, secret) = store.issue_token(of(kind), NOW).await.expect("issued");
            assert!(secret.expose().starts_with(kind.prefix()), "{kind}");
            // 32 bytes are 43 characters of base64 without padding.
            assert_eq!(secret.expose().len(), kind.prefix().len() + 43);
            assert_eq!((issued.kind, issued.owner), (kind, of(kind).owner));
            assert_eq!((issued.created_at, issued.last_used_at), (NOW, None));

            let found = store
                .authenticate(&secret, kind, Owner::Any, later(5))
                .await
                .expect("answered")
                .expect("accepted");
            assert_eq!(found.last_used_at, Some(later(5)));
            let read = store.read_token(issued.id).await.expect("answered");
            assert_eq!(read, Some(found));
        }
    }

    async fn secrets_never_repeat(database) {
        let store = database.open().await;
        let mut seen = BTreeSet::new();
        for _ in 0..64 {
            let (_, secret) = store
                .issue_token(of(TokenKind::User), NOW)
                .await
                .expect("issued");
            assert!(seen.insert(secret.expose().to_owned()));
        }
    }

    async fn every_refusal_is_told_apart(database) {
        let store = database.open().await;
        let new = NewToken {
            expires_at: Some(later(1000)),
            uses: Uses::Limited(1),
            ..of(TokenKind::User)
        };
        let (record, secret) = store.issue_token(new, NOW).await.expect("issued");
        let refusal = async |secret: &Secret, kind, owner, now| {
            let inspected = store
                .inspect_token(secret, kind, owner, now)
                .await
                .expect("answered");
            let tried = store
                .authenticate(secret, kind, owner, now)
                .await
                .expect("answered");
            assert_eq!(
                inspected.as_ref().err(),
                tried.as_ref().err(),
                "looking and using agree"
            );
            tried.expect_err("refused")
        };
        let unknown = Secret::new("ggu_nothing");
        let me = Owner::Id(OWNER);
        let user = TokenKind::User;
        assert_eq!(
            refusal(&unknown, user, me, NOW).await,
            TokenRefusal::Unknown
        );
        assert_eq!(
            refusal(&secret, TokenKind::Global, me, NOW).await,
            TokenRefusal::WrongKind
        );
        assert_eq!(
            refusal(&secret, user, Owner::Id(4), NOW).await,
            TokenRefusal::Foreign
        );
        // Good to the last millisecond, and not one longer.
        assert_eq!(
            refusal(&secret, user, me, later(1000)).await,
            TokenRefusal::Expired
        );
        store
            .authenticate(&secret, user, me, later(999))
            .await
            .expect("answered")
            .expect("good");
        assert_eq!(refusal(&secret, user, me, NOW).await, TokenRefusal::UsedUp);
        store.revoke_token(record.id, NOW).await.expect("revoked");
        assert_eq!(
            refusal(&secret, user, me, later(2000)).await,
            TokenRefusal::Revoked
        );
    }

    async fn a_guild_token_is_good_for_seven_uses_unless_issued_otherwise(database) {
        let store = database.open().await;
        for (uses, good_for) in [
            (Uses::OfKind, Some(GUILD_TOKEN_USES)),
            (Uses::Limited(2), Some(2)),
            (Uses::Limited(0), Some(0)),
            (Uses::Unlimited, None),
        ] {
            let new = NewToken {
                uses,
                ..of(TokenKind::GatewayGuild)
            };
            let (record, secret) = store.issue_token(new, NOW).await.expect("issued");
            assert_eq!(record.uses_left, good_for);
            for left in (0..good_for.unwrap_or(9)).rev() {
                let used = store
                    .authenticate(&secret, TokenKind::GatewayGuild, Owner::Id(OWNER), NOW)
                    .await
                    .expect("answered")
                    .expect("a use is left");
                assert_eq!(used.uses_left, good_for.map(|_| left));
            }
            let last = store
                .authenticate(&secret, TokenKind::GatewayGuild, Owner::Id(OWNER), NOW)
                .await
                .expect("answered");
            assert_eq!(last.err(), good_for.map(|_| TokenRefusal::UsedUp));
        }
    }

    async fn looking_takes_no_use_and_a_refused_try_takes_none(database) {
        let store = database.open().await;
        let (record, secret) = store
            .issue_token(of(TokenKind::GatewayGuild), NOW)
            .await
            .expect("issued");
        let kind = TokenKind::GatewayGuild;
        store
            .inspect_token(&secret, kind, Owner::Any, NOW)
            .await
            .expect("answered")
            .expect("good");
        for (kind, owner) in [(TokenKind::User, Owner::Any), (kind, Owner::Id(1))] {
            store
                .authenticate(&secret, kind, owner, NOW)
                .await
                .expect("answered")
                .expect_err("refused");
        }
        let read = store
            .read_token(record.id)
            .await
            .expect("answered")
            .expect("there");
        assert_eq!(
            (read.uses_left, read.last_used_at),
            (Some(GUILD_TOKEN_USES), None)
        );
    }

    async fn a_use_that_is_given_back_can_be_taken_again(database) {
        let store = database.open().await;
        let kind = TokenKind::GatewayGuild;
        let take = async |secret: &Secret| {
            let taken = store.authenticate(secret, kind, Owner::Id(OWNER), NOW).await;
            taken.expect("answered").map(|record| record.uses_left)
        };
        let new = NewToken { uses: Uses::Limited(1), ..of(kind) };
        let (record, secret) = store.issue_token(new, NOW).await.expect("issued");
        for _ in 0..3 {
            assert_eq!(take(&secret).await, Ok(Some(0)));
            assert_eq!(take(&secret).await, Err(TokenRefusal::UsedUp));
            store.give_back_use(record.id).await.expect("given back");
        }
        let new = NewToken { uses: Uses::Unlimited, ..of(kind) };
        let (record, secret) = store.issue_token(new, NOW).await.expect("issued");
        store.give_back_use(record.id).await.expect("nothing to do");
        assert_eq!(take(&secret).await, Ok(None));
        store.give_back_use(TokenId(u64::MAX >> 2)).await.expect("nothing to do");
    }

    async fn two_nodes_that_give_uses_back_never_take_more_than_there_are(database) {
        let nodes = [database.open().await, database.open().await];
        let kind = TokenKind::GatewayGuild;
        let new = NewToken { uses: Uses::Limited(3), ..of(kind) };
        let (record, secret) = nodes[0].issue_token(new, NOW).await.expect("issued");
        // Every other one of those who get a use gives it back.
        let kept = race(&nodes, 24, |node, number| {
            let secret = secret.clone();
            async move {
                let taken = node.authenticate(&secret, kind, Owner::Id(OWNER), NOW).await;
                match taken.expect("answered") {
                    Ok(record) if number % 2 == 0 => {
                        node.give_back_use(record.id).await.expect("given back");
                        0
                    }
                    Ok(_) => 1,
                    Err(refusal) => {
                        assert_eq!(refusal, TokenRefusal::UsedUp);
                        0
                    }
                }
            }
        })
        .await;
        let kept: u32 = kept.iter().sum();
        let read = nodes[1].read_token(record.id).await.expect("answered").expect("there");
        assert_eq!(read.uses_left.map(|left| left + kept), Some(3));
    }

    async fn two_nodes_never_both_take_the_last_use(database) {
        let nodes = [database.open().await, database.open().await];
        for uses in [1, 5] {
            let new = NewToken {
                uses: Uses::Limited(uses),
                ..of(TokenKind::GatewayGuild)
            };
            let (record, secret) = nodes[0].issue_token(new, NOW).await.expect("issued");
            let results = race(&nodes, 40, |node, _| {
                let secret = secret.clone();
                async move {
                    node.authenticate(&secret, TokenKind::GatewayGuild, Owner::Id(OWNER), NOW)
                        .await
                        .expect("answered")
                }
            })
            .await;
            let mut left: Vec<u32> = results
                .iter()
                .flatten()
                .map(|record| record.uses_left.expect("counted"))
                .collect();
            left.sort_unstable();
            assert_eq!(
                left,
                (0..uses).collect::<Vec<_>>(),
                "each use is taken once"
            );
            let refused = results
                .iter()
                .filter(|one| **one == Err(TokenRefusal::UsedUp))
                .count();
            assert_eq!(refused, 40 - uses as usize);
            let read = nodes[1]
                .read_token(record.id)
                .await
                .expect("answered")
                .expect("there");
            assert_eq!(read.uses_left, Some(0));
        }
    }

    async fn a_revoked_token_is_refused_by_every_node_and_told_in_the_feed_once(database) {
        let nodes = [database.open().await, database.open().await];
        let (record, secret) = nodes[0]
            .issue_token(of(TokenKind::User), NOW)
            .await
            .expect("issued");
        let accepted = nodes[1]
            .authenticate(&secret, TokenKind::User, Owner::Any, NOW)
            .await;
        accepted.expect("answered").expect("good before");
        let signal = nodes[0].feed_signal();
        let revoked = nodes[0]
            .revoke_token(record.id, later(3))
            .await
            .expect("answered");
        assert_eq!(revoked.expect("there").revoked_at, Some(later(3)));
        assert!(
            signal.has_changed().expect("the store lives"),
            "its own readers are woken"
        );
        // Again changes nothing, from anywhere.
        let again = nodes[1]
            .revoke_token(record.id, later(9))
            .await
            .expect("answered");
        assert_eq!(again.expect("there").revoked_at, Some(later(3)));
        let tried = nodes[1]
            .authenticate(&secret, TokenKind::User, Owner::Any, NOW)
            .await;
        assert_eq!(tried.expect("answered"), Err(TokenRefusal::Revoked));

        let changes = nodes[1].changes_after(Cursor(0), 10).await.expect("read");
        let kinds: Vec<_> = changes.into_iter().map(|change| change.kind).collect();
        let expected = ChangeKind::TokenRevoked {
            id: record.id,
            kind: TokenKind::User,
            owner: Some(OWNER),
        };
        assert_eq!(kinds, [expected]);
        assert_eq!(
            nodes[0]
                .revoke_token(TokenId(999_999), NOW)
                .await
                .expect("answered"),
            None
        );
    }
}
