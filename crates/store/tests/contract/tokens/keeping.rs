//! What becomes of tokens with time.

use super::*;

contract! {
    async fn global_tokens_rotate(database) {
        let store = database.open().await;
        let mut secrets = Vec::new();
        let issue = async |expires_at: Option<UnixMs>| {
            let new = NewToken {
                expires_at,
                ..of(TokenKind::Global)
            };
            store.issue_token(new, NOW).await.expect("issued").1
        };
        let good = async |secrets: &[Secret]| {
            let mut good = Vec::new();
            for secret in secrets {
                let tried = store
                    .inspect_token(secret, TokenKind::Global, Owner::Any, NOW)
                    .await;
                good.push(tried.expect("answered").is_ok());
            }
            good
        };
        secrets.push(issue(None).await);
        secrets.push(issue(None).await);
        assert_eq!(good(&secrets).await, [true, true], "the one before stays");
        secrets.push(issue(Some(later(10))).await);
        assert_eq!(
            good(&secrets).await,
            [false, true, true],
            "older ones without an end go"
        );
        secrets.push(issue(None).await);
        secrets.push(issue(None).await);
        assert_eq!(
            good(&secrets).await,
            [false, false, true, true, true],
            "one with an end stays until then"
        );
    }

    async fn tokens_are_listed_by_owner_in_pages(database) {
        let store = database.open().await;
        let mut ids = Vec::new();
        for number in 0..7 {
            let kind = if number % 2 == 0 {
                TokenKind::User
            } else {
                TokenKind::GatewayUser
            };
            ids.push(
                store
                    .issue_token(of(kind), later(number))
                    .await
                    .expect("issued")
                    .0
                    .id,
            );
        }
        let other = NewToken {
            owner: Some(3),
            ..of(TokenKind::User)
        };
        store.issue_token(other, NOW).await.expect("issued");
        ids.reverse();

        let filter = TokenFilter {
            owner: Some(OWNER),
            kind: None,
        };
        let mut seen = Vec::new();
        let mut page = Page::first(3);
        let mut sizes = Vec::new();
        loop {
            let listed = store.list_tokens(filter, page).await.expect("listed");
            sizes.push(listed.items.len());
            seen.extend(listed.items.iter().map(|record| record.id));
            let Some(next) = listed.next else { break };
            page.before = Some(next);
        }
        assert_eq!((seen, sizes), (ids, vec![3, 3, 1]));
        let filter = TokenFilter {
            owner: Some(OWNER),
            kind: Some(TokenKind::GatewayUser),
        };
        let listed = store
            .list_tokens(filter, Page::first(50))
            .await
            .expect("listed");
        assert_eq!((listed.items.len(), listed.next), (3, None));
        let all = store
            .list_tokens(TokenFilter::default(), Page::first(8))
            .await
            .expect("listed");
        assert_eq!((all.items.len(), all.next), (8, None));
    }

    async fn long_gone_tokens_are_purged_and_their_ids_not_given_again(database) {
        let store = database.open().await;
        let ending = NewToken {
            expires_at: Some(later(10)),
            ..of(TokenKind::User)
        };
        let lasting = store
            .issue_token(of(TokenKind::User), NOW)
            .await
            .expect("issued")
            .0;
        let revoked = store
            .issue_token(of(TokenKind::User), NOW)
            .await
            .expect("issued")
            .0;
        let (ended, secret) = store.issue_token(ending, NOW).await.expect("issued");
        store
            .revoke_token(revoked.id, later(10))
            .await
            .expect("revoked");
        assert_eq!(store.purge_tokens(later(10)).await.expect("purged"), 0);
        assert_eq!(store.purge_tokens(later(11)).await.expect("purged"), 2);
        assert!(
            store
                .read_token(lasting.id)
                .await
                .expect("answered")
                .is_some()
        );
        let tried = store
            .authenticate(&secret, TokenKind::User, Owner::Any, NOW)
            .await;
        assert_eq!(tried.expect("answered"), Err(TokenRefusal::Unknown));
        let next = store
            .issue_token(of(TokenKind::User), NOW)
            .await
            .expect("issued")
            .0;
        assert!(next.id > ended.id, "{:?} after {:?}", next.id, ended.id);
    }

    async fn used_up_tokens_are_purged_long_after_their_last_use(database) {
        let store = database.open().await;
        let once = NewToken {
            uses: Uses::Limited(1),
            ..of(TokenKind::User)
        };
        let (used, secret) = store.issue_token(once, NOW).await.expect("issued");
        let (unused, _) = store.issue_token(once, NOW).await.expect("issued");
        let tried = store
            .authenticate(&secret, TokenKind::User, Owner::Any, later(10))
            .await;
        tried.expect("answered").expect("good");
        assert_eq!(store.purge_tokens(later(10)).await.expect("purged"), 0);
        assert_eq!(store.purge_tokens(later(11)).await.expect("purged"), 1);
        let there = async |id| store.read_token(id).await.expect("answered").is_some();
        assert!(!there(used.id).await);
        assert!(there(unused.id).await);
    }

    async fn last_uses_are_written_at_the_latest_by_a_flush(database) {
        let nodes = [database.open().await, database.open().await];
        let (record, secret) = nodes[0]
            .issue_token(of(TokenKind::User), NOW)
            .await
            .expect("issued");
        let used = nodes[0]
            .authenticate(&secret, TokenKind::User, Owner::Any, later(7))
            .await;
        used.expect("answered").expect("good");
        nodes[0].flush().await.expect("flushed");
        let read = nodes[1]
            .read_token(record.id)
            .await
            .expect("answered")
            .expect("there");
        assert_eq!(read.last_used_at, Some(later(7)));
        // A clock behind another's does not set it back.
        let used = nodes[1]
            .authenticate(&secret, TokenKind::User, Owner::Any, later(2))
            .await;
        used.expect("answered").expect("good");
        nodes[1].flush().await.expect("flushed");
        let read = nodes[0]
            .read_token(record.id)
            .await
            .expect("answered")
            .expect("there");
        assert_eq!(read.last_used_at, Some(later(7)));
    }
}
