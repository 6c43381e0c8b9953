//! Which invite the site shows.

use guildgate_model::GuildId;
use guildgate_store::{ChangeKind, Cursor, SetInvite, Store};

use crate::support::{GUILD, NOW, contract, later, race};

fn invite(guild: GuildId, code: Option<&str>) -> SetInvite {
    SetInvite {
        guild,
        code: code.map(Into::into),
    }
}

async fn told(store: &dyn Store) -> Vec<SetInvite> {
    let changes = store.changes_after(Cursor(0), 100).await.expect("read");
    let invite = |kind| match kind {
        ChangeKind::InviteSet(invite) => invite,
        other => panic!("unexpected {other:?}"),
    };
    changes.into_iter().map(|one| invite(one.kind)).collect()
}

async fn kept(store: &dyn Store) -> Vec<SetInvite> {
    let mut all = store.load_invites().await.expect("loaded");
    all.sort_by_key(|invite| invite.guild);
    all
}

contract! {
    async fn the_invite_set_last_is_kept_over_a_restart_and_each_is_told(database) {
        let store = database.open().await;
        assert_eq!(kept(&*store).await, []);
        let other = GuildId(5);
        let set = [
            invite(GUILD, Some("first")),
            invite(other, Some("other")),
            invite(GUILD, Some("second")),
            invite(other, None),
        ];
        for (at, one) in (0..).zip(&set) {
            store.set_invite(one.clone(), later(at)).await.expect("set");
        }
        assert_eq!(told(&*store).await, set);
        drop(store);
        let after = database.open().await;
        // That none is to be shown is kept as well: a configuration may name one.
        assert_eq!(kept(&*after).await, [set[3].clone(), set[2].clone()]);
    }

    async fn of_nodes_that_set_one_at_once_the_last_told_is_the_one_kept(database) {
        let nodes = [database.open().await, database.open().await];
        race(&nodes, 20, |node, number| async move {
            let one = invite(GUILD, Some(&format!("code-{number}")));
            node.set_invite(one, NOW).await.expect("set");
        })
        .await;
        let told = told(&*nodes[0]).await;
        assert_eq!(told.len(), 20);
        assert_eq!(kept(&*nodes[1]).await, told[19..]);
    }
}
