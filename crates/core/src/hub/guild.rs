//! One guild: what is known of it, and what those on it are told.
//!
//! A guild that nobody is on is [`About`], its roles and a few numbers. It does not know which
//! shard it is on, nor which other guilds its clients came from.

mod doors;
mod members;
mod standing;
mod telling;

use std::collections::VecDeque;

use guildgate_model::{Freshness, GuildData, GuildId, Role, RoleId, UnixMs, UserId};
use guildgate_wire::GuildView;

use super::{
    about::{About, Shown},
    crowd::{Crowd, Rules},
    invite::Invite,
    ports::{MemberEvents, Output},
    turn::Turn,
};
pub(super) use doors::Part;
pub(super) use standing::Standing;

/// A guild that Discord has shown.
#[derive(Debug)]
pub(super) struct Guild {
    pub(super) id: GuildId,
    pub(super) about: About,
    /// Sorted by id, each once.
    pub(super) roles: Box<[Role]>,
    pub(super) member_count: u64,
    /// When Discord last said the whole count.
    pub(super) counted_at: UnixMs,
    pub(super) standing: Standing,
    /// Who joined last, the latest at the back; bounded, absent while empty.
    #[expect(
        clippy::box_collection,
        reason = "most guilds have none: eight bytes, not 32"
    )]
    recent: Option<Box<VecDeque<UserId>>>,
    invite: Option<Box<Invite>>,
    pub(super) crowd: Option<Box<Crowd>>,
}

impl Guild {
    /// A guild of which nothing has been said.
    pub(super) fn new(id: GuildId, invite: Option<&str>, standing: Standing) -> Guild {
        Guild {
            id,
            about: About::unknown(),
            roles: Box::default(),
            member_count: 0,
            counted_at: UnixMs::default(),
            standing,
            recent: None,
            invite: invite.map(|code| Box::new(Invite::new(code.into()))),
            crowd: None,
        }
    }

    /// GUILD_UPDATE: what it does not say stays, the count in any case.
    pub(super) fn changed(&mut self, data: GuildData, turn: &mut Turn<'_>) {
        if self.apply(data, turn) == Shown::Changed {
            self.shown_changed(turn);
        }
    }

    /// GUILD_ROLE_CREATE or GUILD_ROLE_UPDATE.
    pub(super) fn role_changed(&mut self, role: Role, turn: &mut Turn<'_>) {
        match self.roles.binary_search_by_key(&role.id, |known| known.id) {
            Ok(index) if self.roles[index] == role => return,
            Ok(index) => self.roles[index] = role,
            Err(index) => {
                let mut roles = std::mem::take(&mut self.roles).into_vec();
                roles.reserve_exact(1);
                roles.insert(index, role);
                self.roles = roles.into_boxed_slice();
            }
        }
        self.recompute_holders(role.id, turn);
    }

    /// GUILD_ROLE_DELETE; Discord need not say of each holder that it is gone.
    pub(super) fn role_removed(&mut self, role: RoleId, turn: &mut Turn<'_>) {
        if let Ok(index) = self.roles.binary_search_by_key(&role, |known| known.id) {
            let mut roles = std::mem::take(&mut self.roles).into_vec();
            roles.remove(index);
            self.roles = roles.into_boxed_slice();
        }
        if role == self.id.everyone() {
            return self.recompute_all(turn);
        }
        let holders = self.crowd.as_deref_mut().map(|crowd| crowd.strip(role));
        for user in holders.into_iter().flatten() {
            self.recompute(user, turn);
        }
    }

    /// A count by REST.
    pub(super) fn polled(&mut self, member_count: u64, turn: &mut Turn<'_>) {
        if turn.member_events == MemberEvents::Withheld && self.member_count != member_count {
            self.member_count = member_count;
            self.counted_at = turn.now.wall;
            self.count_changed(turn);
        }
    }

    /// Another invite is set for the guild, or none.
    pub(super) fn set_invite(&mut self, code: Option<Box<str>>, turn: &mut Turn<'_>) {
        if self.invite.as_deref().map(Invite::code) == code.as_deref() {
            return;
        }
        let valid_before = self.invite_valid();
        self.invite = code.map(|code| Box::new(Invite::new(code)));
        self.ask_invite(turn);
        self.after_invite(valid_before, turn);
    }

    /// An invite was made. If it is the one that is set, Discord is asked until when it is good.
    pub(super) fn invite_created(&mut self, code: &str, turn: &mut Turn<'_>) {
        self.invites_said(|invite| invite.on_created(code), turn);
        if self.invite.as_deref().map(Invite::code) == Some(code) {
            self.ask_invite(turn);
        }
    }

    /// Something was said about the guild's invites; `tell` passes it to the one that is set.
    pub(super) fn invites_said(&mut self, tell: impl FnOnce(&mut Invite), turn: &mut Turn<'_>) {
        let valid_before = self.invite_valid();
        if let Some(invite) = self.invite.as_deref_mut() {
            tell(invite);
            self.after_invite(valid_before, turn);
        }
    }

    /// How far the guild can be trusted.
    pub(super) fn freshness(&self, member_events: MemberEvents) -> Freshness {
        match (self.standing.stale_since(), member_events) {
            (Some(since), _) => Freshness::Stale { since },
            (None, MemberEvents::Withheld) => Freshness::Approximate,
            (None, MemberEvents::Sent) => Freshness::Live,
        }
    }

    /// Hands the guild, as clients are shown it, to `read`.
    pub(super) fn with_view<T>(
        &self,
        member_events: MemberEvents,
        read: impl FnOnce(&GuildView<'_>) -> T,
    ) -> T {
        let emojis = self.about.emojis.unpack();
        read(&GuildView {
            id: self.id,
            name: &self.about.name,
            member_count: self.member_count,
            banner: self.about.banner.as_deref(),
            icon: self.about.icon.as_deref(),
            premium_tier: self.about.premium_tier,
            verification_level: self.about.verification_level,
            emojis: &emojis,
            current_invite_valid: self.invite_valid(),
            vanity: self.about.vanity.as_deref(),
            owner: self.about.owner,
            description: self.about.description.as_deref(),
            mfa_level: self.about.mfa_level,
            nsfw: self.about.nsfw,
            freshness: self.freshness(member_events),
        })
    }

    /// Bytes on the heap while nobody is on the guild, its own place included.
    pub(super) fn heap_bytes(&self) -> usize {
        let recent = self.recent.as_deref().map_or(0, |recent| {
            size_of_val(recent) + recent.capacity() * size_of::<UserId>()
        });
        let invite = self
            .invite
            .as_deref()
            .map_or(0, |invite| size_of_val(invite) + invite.code().len());
        size_of_val(self) + self.about.heap_bytes() + size_of_val(&*self.roles) + recent + invite
    }

    /// Takes over what `data` says of fields, owner and roles.
    fn apply(&mut self, mut data: GuildData, turn: &mut Turn<'_>) -> Shown {
        let owner_before = self.about.owner;
        let valid_before = self.invite_valid();
        let mut shown = self.about.apply(&mut data);
        if self.invite_valid() != valid_before {
            shown = Shown::Changed;
        }
        let roles = data.roles.map(sorted);
        match roles {
            Some(roles) if roles != self.roles => {
                self.roles = roles;
                self.recompute_all(turn);
            }
            Some(_) | None if self.about.owner != owner_before => {
                self.recompute(owner_before, turn);
                self.recompute(self.about.owner, turn);
            }
            Some(_) | None => {}
        }
        shown
    }

    /// What permissions follow from, besides the member.
    pub(super) fn rules(&self) -> Rules<'_> {
        Rules {
            guild: self.id,
            owner: self.about.owner,
            roles: &self.roles,
        }
    }

    /// A vanity code is not among a guild's invites, and is always good.
    fn invite_valid(&self) -> bool {
        self.invite.as_deref().is_some_and(|invite| {
            invite.exists() || self.about.vanity.as_deref() == Some(invite.code())
        })
    }

    /// Has Discord asked for the invite that is set, if one is.
    pub(super) fn ask_invite(&mut self, turn: &mut Turn<'_>) {
        if let Some(invite) = self.invite.as_deref_mut() {
            invite.on_ask();
            turn.out.push(Output::FetchInvite {
                guild: self.id,
                code: invite.code().into(),
            });
        }
    }

    fn after_invite(&mut self, valid_before: bool, turn: &mut Turn<'_>) {
        if self.invite_valid() != valid_before {
            self.shown_changed(turn);
        }
    }
}

/// Discord's order is by position, and a liberal server may repeat a role: the last one counts.
fn sorted(mut roles: Vec<Role>) -> Box<[Role]> {
    roles.reverse();
    roles.sort_by_key(|role| role.id);
    roles.dedup_by_key(|role| role.id);
    roles.into_boxed_slice()
}
