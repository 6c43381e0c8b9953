//! The set of things that a member may do in a guild, and how it follows from their roles.

use std::{
    fmt,
    ops::{BitAnd, BitOr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{GuildId, Role, RoleId, UnixMs, UserId};

/// A set of permissions: 64 bits, unknown ones kept. A decimal string on every wire, since
/// bit 53 is past what a JavaScript number holds exactly.
///
/// Source: Discord, "Permissions: Bitwise Permission Flags".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(pub u64);

impl Permissions {
    /// The empty set; also that of a user who is not in the guild.
    pub const NONE: Permissions = Permissions(0);
    /// May do everything.
    pub const ADMINISTRATOR: Permissions = Permissions(1 << 3);
    /// May change the guild's settings; here, edits its application form and reviews.
    pub const MANAGE_GUILD: Permissions = Permissions(1 << 5);
    /// May see channels.
    pub const VIEW_CHANNEL: Permissions = Permissions(1 << 10);
    /// May read what was said before.
    pub const READ_MESSAGE_HISTORY: Permissions = Permissions(1 << 16);
    /// May give and take roles below their own.
    pub const MANAGE_ROLES: Permissions = Permissions(1 << 28);
    /// Every bit that Discord documents: what an owner or administrator has.
    pub const ALL: Permissions = Permissions(0x001F_7FFF_FFFF_FFFF);
    /// What a time-out leaves.
    pub const TIMED_OUT: Permissions =
        Permissions(Self::VIEW_CHANNEL.0 | Self::READ_MESSAGE_HISTORY.0);

    /// Whether every bit of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Permissions) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether this set allows managing the guild: MANAGE_GUILD or ADMINISTRATOR.
    #[must_use]
    pub fn manages_guild(self) -> bool {
        self.contains(Self::MANAGE_GUILD) || self.contains(Self::ADMINISTRATOR)
    }
}

/// Whose permissions, where: the inputs of the computation, borrowed from the guild's state.
#[derive(Debug, Clone, Copy)]
pub struct PermissionsOf<'a> {
    /// The guild.
    pub guild: GuildId,
    /// Its owner.
    pub owner: UserId,
    /// Its roles, sorted by id.
    pub roles: &'a [Role],
    /// The member.
    pub user: UserId,
    /// The member's roles, in any order; unknown and repeated ids are skipped.
    pub held: &'a [RoleId],
    /// When the member's time-out ends, if there is one.
    pub timed_out_until: Option<UnixMs>,
}

impl PermissionsOf<'_> {
    /// The member's guild-level permissions at `wall`.
    ///
    /// The owner and administrators have all; a running time-out leaves anybody else only
    /// [`Permissions::TIMED_OUT`] of what they had. Discord sends no event when a time-out
    /// runs out, so the caller asks again then. A member whom Discord's automatic moderation
    /// holds in quarantine keeps what their roles give: that mask is undocumented, and so left
    /// out.
    ///
    /// Source: Discord, "Permissions: Permission Hierarchy" and "Timed Out Members".
    #[must_use]
    pub fn at(self, wall: UnixMs) -> Permissions {
        if self.user == self.owner {
            return Permissions::ALL;
        }
        let of_role = |id: RoleId| match self.roles.binary_search_by_key(&id, |role| role.id) {
            Ok(index) => self.roles[index].permissions,
            Err(_) => Permissions::NONE,
        };
        let base = self
            .held
            .iter()
            .fold(of_role(self.guild.everyone()), |sum, &id| sum | of_role(id));
        if base.contains(Permissions::ADMINISTRATOR) {
            return Permissions::ALL;
        }
        match self.timed_out_until {
            Some(until) if until > wall => base & Permissions::TIMED_OUT,
            Some(_) | None => base,
        }
    }
}

/// Which roles a member may give to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// Every one: the guild's owner.
    Any,
    /// These, sorted.
    Roles(Box<[RoleId]>),
}

impl Grants {
    /// No role at all.
    #[must_use]
    pub fn none() -> Grants {
        Grants::Roles(Box::default())
    }

    /// Whether `role` is one of them.
    #[must_use]
    pub fn allow(&self, role: RoleId) -> bool {
        match self {
            Grants::Any => true,
            Grants::Roles(roles) => roles.binary_search(&role).is_ok(),
        }
    }
}

impl PermissionsOf<'_> {
    /// The roles that the member may give, having `permissions`: with MANAGE_ROLES or
    /// ADMINISTRATOR those below the highest of their own; the owner any.
    ///
    /// Source: Discord, "Permissions: Permission Hierarchy".
    #[must_use]
    pub fn grants(self, permissions: Permissions) -> Grants {
        if self.user == self.owner {
            return Grants::Any;
        }
        if !permissions.contains(Permissions::MANAGE_ROLES)
            && !permissions.contains(Permissions::ADMINISTRATOR)
        {
            return Grants::none();
        }
        let of_member = |role: &&Role| self.held.contains(&role.id);
        let highest = self.roles.iter().filter(of_member).reduce(|highest, role| {
            if role.is_above(highest) {
                role
            } else {
                highest
            }
        });
        let Some(highest) = highest else {
            return Grants::none();
        };
        let below = self.roles.iter().filter(|role| highest.is_above(role));
        Grants::Roles(below.map(|role| role.id).collect())
    }
}

impl BitOr for Permissions {
    type Output = Permissions;

    fn bitor(self, other: Permissions) -> Permissions {
        Permissions(self.0 | other.0)
    }
}

impl BitAnd for Permissions {
    type Output = Permissions;

    fn bitand(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({:#x})", self.0)
    }
}

/// A text that is not a permission set: not a decimal unsigned 64-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a permission set: expected a decimal unsigned 64-bit number")]
pub struct ParsePermissionsError;

impl FromStr for Permissions {
    type Err = ParsePermissionsError;

    fn from_str(text: &str) -> Result<Self, ParsePermissionsError> {
        text.parse()
            .map(Permissions)
            .map_err(|_| ParsePermissionsError)
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Permissions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a permission set as a decimal string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Permissions, E> {
                text.parse()
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Permissions, E> {
                Ok(Permissions(number))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUILD: GuildId = GuildId(1);
    const OWNER: UserId = UserId(10);
    const MEMBER: UserId = UserId(11);

    fn check(user: UserId, held: &[u64], timed_out_until: Option<i64>, expected: Permissions) {
        let roles = [
            Role {
                id: RoleId(1),
                permissions: Permissions::VIEW_CHANNEL,
                position: 0,
            },
            Role {
                id: RoleId(2),
                permissions: Permissions::MANAGE_GUILD,
                position: 0,
            },
            Role {
                id: RoleId(3),
                permissions: Permissions::ADMINISTRATOR,
                position: 0,
            },
            Role {
                id: RoleId(4),
                permissions: Permissions(1 << 60),
                position: 0,
            },
        ];
        let held: Vec<RoleId> = held.iter().copied().map(RoleId).collect();
        let of = PermissionsOf {
            guild: GUILD,
            owner: OWNER,
            roles: &roles,
            user,
            held: &held,
            timed_out_until: timed_out_until.map(UnixMs),
        };
        assert_eq!(of.at(UnixMs(1000)), expected, "{of:?}");
    }

    #[test]
    fn permissions_follow_from_roles_ownership_and_time_outs() {
        let view = Permissions::VIEW_CHANNEL;
        check(MEMBER, &[], None, view);
        check(MEMBER, &[2], None, view | Permissions::MANAGE_GUILD);
        check(MEMBER, &[2, 2, 99], None, view | Permissions::MANAGE_GUILD);
        check(MEMBER, &[3], None, Permissions::ALL);
        check(MEMBER, &[4], None, view | Permissions(1 << 60));
        check(OWNER, &[], None, Permissions::ALL);
        check(MEMBER, &[2], Some(1001), view);
        check(MEMBER, &[2], Some(1000), view | Permissions::MANAGE_GUILD);
        check(MEMBER, &[3], Some(9999), Permissions::ALL);
        check(OWNER, &[], Some(9999), Permissions::ALL);
    }

    #[test]
    fn a_set_is_a_decimal_string() {
        let set = Permissions(1 << 63);
        let text = serde_json::to_string(&set).expect("a set serializes");
        assert_eq!(text, "\"9223372036854775808\"");
        assert_eq!(
            serde_json::from_str::<Permissions>(&text).expect("its own text"),
            set
        );
    }

    #[test]
    fn a_member_gives_roles_below_their_own() {
        let role = |id, position, permissions| Role {
            id: RoleId(id),
            permissions,
            position,
        };
        let roles = [
            role(1, 0, Permissions::NONE),
            role(2, 7, Permissions::ADMINISTRATOR),
            role(3, 6, Permissions::MANAGE_GUILD),
            role(4, 5, Permissions::NONE),
            role(5, 5, Permissions::NONE),
        ];
        let grants = |user, held: &[u64], permissions: Permissions| {
            let held: Vec<RoleId> = held.iter().copied().map(RoleId).collect();
            let of = PermissionsOf {
                guild: GuildId(1),
                owner: UserId(10),
                roles: &roles,
                user: UserId(user),
                held: &held,
                timed_out_until: None,
            };
            of.grants(permissions)
        };
        let these = |ids: &[u64]| Grants::Roles(ids.iter().copied().map(RoleId).collect());
        assert_eq!(grants(10, &[], Permissions::ALL), Grants::Any);
        assert_eq!(grants(11, &[3], Permissions::MANAGE_GUILD), Grants::none());
        assert_eq!(
            grants(11, &[3], Permissions::MANAGE_ROLES),
            these(&[1, 4, 5])
        );
        assert_eq!(grants(11, &[5, 2], Permissions::ALL), these(&[1, 3, 4, 5]));
        // Of two in one position the older stands above.
        assert_eq!(grants(11, &[4], Permissions::MANAGE_ROLES), these(&[1, 5]));
        assert_eq!(grants(11, &[5], Permissions::MANAGE_ROLES), these(&[1]));
        assert_eq!(grants(11, &[], Permissions::MANAGE_ROLES), Grants::none());
        assert!(Grants::Any.allow(RoleId(99)) && !these(&[4]).allow(RoleId(2)));
    }
}
