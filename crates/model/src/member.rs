//! What is known of a member of a guild.

use crate::{RoleId, UnixMs, UserId};

/// A member, as far as the gateway cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// The name shown; see [`tag`].
    pub tag: Box<str>,
    /// Their roles without @everyone, in Discord's order; may repeat and may name roles that
    /// are gone.
    pub roles: Box<[RoleId]>,
    /// When their time-out ends; may be past.
    pub timed_out_until: Option<UnixMs>,
}

/// What one message of Discord's said of a member. `None` is "not said".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberData {
    /// Who.
    pub user: UserId,
    /// The name shown.
    pub tag: Option<Box<str>>,
    /// All their roles.
    pub roles: Option<Box<[RoleId]>>,
    /// When their time-out ends; `Some(None)` is "no time-out".
    pub timed_out_until: Option<Option<UnixMs>>,
    /// When they joined.
    pub joined_at: Option<UnixMs>,
}

impl MemberData {
    /// Takes over what this message said into `member`.
    pub fn apply_to(self, member: &mut Member) {
        if let Some(tag) = self.tag {
            member.tag = tag;
        }
        if let Some(roles) = self.roles {
            member.roles = roles;
        }
        if let Some(until) = self.timed_out_until {
            member.timed_out_until = until;
        }
    }

    /// The member, where nothing was known before; what was not said is empty.
    #[must_use]
    pub fn into_member(self) -> Member {
        let mut member = Member {
            user: self.user,
            tag: Box::default(),
            roles: Box::default(),
            timed_out_until: None,
        };
        self.apply_to(&mut member);
        member
    }
}

/// A user's tag: `name#disc`, or the bare name where Discord's discriminator is `"0"`.
///
/// Source: wire protocol, "Commands", `tag`.
#[must_use]
pub fn tag(name: &str, discriminator: Option<&str>) -> Box<str> {
    match discriminator {
        None | Some("" | "0" | "0000") => name.into(),
        Some(discriminator) => format!("{name}#{discriminator}").into(),
    }
}
