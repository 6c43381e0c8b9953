//! Guild state across a restart: bytes out, and in again.

use guildgate_model::{
    Emoji, EmojiId, GuildData, GuildId, Member, Now, Permissions, Role, RoleId, ShardId, UnixMs,
    UserId,
};
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    guild::{Guild, Standing},
    links::Unshown,
    ports::Output,
};

/// A chunk that was not written by [`Hub::export`], or by another version of it.
#[derive(Debug, thiserror::Error)]
#[error("the saved guild state cannot be read")]
pub struct ImportError(#[source] serde_json::Error);

impl Hub {
    /// The guilds of a shard, in chunks of moderate size, and the members whose users are on them.
    #[must_use]
    pub fn export(&self, shard: ShardId) -> Vec<Vec<u8>> {
        let guilds: Vec<&Guild> = self
            .guilds
            .values()
            .map(|guild| &**guild)
            .filter(|guild| shard.serves(guild.id))
            .collect();
        let guilds = guilds.chunks(GUILDS_PER_CHUNK).map(|guilds| SavedChunk {
            guilds: guilds.iter().map(|&guild| guild.into()).collect(),
            ..SavedChunk::default()
        });
        let unshown = SavedChunk {
            unshown: self.links.unshown(shard),
            silent_since: self.links.silent_since(shard),
            ..SavedChunk::default()
        };
        // After the guilds that they are of.
        let members: Vec<(GuildId, SavedMember)> = self.saved_members(shard).collect();
        let members = members.chunks(MEMBERS_PER_CHUNK).map(|members| SavedChunk {
            members: members.to_vec(),
            ..SavedChunk::default()
        });
        [unshown]
            .into_iter()
            .chain(guilds)
            .chain(members)
            .map(|chunk| serde_json::to_vec(&chunk).expect("saved guilds are plain JSON"))
            .collect()
    }

    /// Takes over guilds from [`Hub::export`]. They are stale since `saved_at` until their
    /// shard's session is resumed; if it is not, its READY sets them right. Guilds that the
    /// hub knows already stay as they are. It must be over before anything of Discord's is
    /// decoded: from here on events about the members are wanted.
    ///
    /// # Errors
    /// [`ImportError`] if a chunk cannot be read; the chunks before it are taken.
    pub fn import(
        &mut self,
        now: Now,
        saved_at: UnixMs,
        chunks: &[Vec<u8>],
        out: &mut Vec<Output>,
    ) -> Result<(), ImportError> {
        for chunk in chunks {
            let saved: SavedChunk = serde_json::from_slice(chunk).map_err(ImportError)?;
            let heard_until = saved.silent_since.unwrap_or(saved_at);
            self.links.restore(saved.unshown, heard_until);
            for guild in saved.guilds {
                self.import_guild(now, saved_at, guild, out);
            }
            for (guild, member) in saved.members {
                self.import_member(now, guild, member, out);
            }
        }
        Ok(())
    }

    fn import_guild(
        &mut self,
        now: Now,
        saved_at: UnixMs,
        saved: SavedGuild,
        out: &mut Vec<Output>,
    ) {
        let id = saved.id;
        if self.guilds.contains_key(&id) {
            return;
        }
        let counted_at = saved.counted_at;
        let standing = match saved.outage_since {
            Some(since) => Standing::Outage { since },
            None => Standing::Adrift { since: saved_at },
        };
        let (guilds, mut turn) = self.split(now, out);
        let invite = turn.config.invites.get(&id).map(|code| &**code);
        let mut guild = Box::new(Guild::new(id, invite, standing));
        for &joiner in &saved.joiners {
            guild.remember_joiner(joiner, turn.config.recent_joiners_max);
        }
        guild.fill(saved.into(), counted_at, &mut turn);
        guilds.insert(id, guild);
    }

    fn import_member(
        &mut self,
        now: Now,
        guild: GuildId,
        saved: SavedMember,
        out: &mut Vec<Output>,
    ) {
        let (member, told) = saved.into();
        self.at_guild(guild, now, out, |guild, turn| match guild.standing {
            Standing::Adrift { .. } | Standing::Outage { .. } => guild.inherit(member, told, turn),
            // It was here before, and what this says of it may be old.
            Standing::Live | Standing::Wavering { .. } | Standing::Gap { .. } => {}
        });
    }

    fn saved_members(&self, shard: ShardId) -> impl Iterator<Item = (GuildId, SavedMember)> {
        let served = self
            .guilds
            .values()
            .filter(move |guild| shard.serves(guild.id));
        served.flat_map(|guild| {
            let members = guild.crowd.iter().flat_map(|crowd| crowd.inheritable());
            members.map(|member| (guild.id, member.into()))
        })
    }
}

const GUILDS_PER_CHUNK: usize = 64;
const MEMBERS_PER_CHUNK: usize = 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedChunk {
    guilds: Vec<SavedGuild>,
    unshown: Unshown,
    /// Since when the shard's link was down already. Earlier versions did not say.
    #[serde(default)]
    silent_since: Option<UnixMs>,
    /// Earlier versions left none.
    #[serde(default)]
    members: Vec<(GuildId, SavedMember)>,
}

/// A member whose user is connected, and what they have been told they may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SavedMember {
    user: UserId,
    tag: Box<str>,
    roles: Box<[RoleId]>,
    timed_out_until: Option<UnixMs>,
    told: Permissions,
}

impl From<(&Member, Permissions)> for SavedMember {
    fn from((member, told): (&Member, Permissions)) -> SavedMember {
        SavedMember {
            user: member.user,
            tag: member.tag.clone(),
            roles: member.roles.clone(),
            timed_out_until: member.timed_out_until,
            told,
        }
    }
}

impl From<SavedMember> for (Member, Permissions) {
    fn from(saved: SavedMember) -> (Member, Permissions) {
        let member = Member {
            user: saved.user,
            tag: saved.tag,
            roles: saved.roles,
            timed_out_until: saved.timed_out_until,
        };
        (member, saved.told)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedGuild {
    id: GuildId,
    name: Box<str>,
    owner: UserId,
    icon: Option<Box<str>>,
    banner: Option<Box<str>>,
    description: Option<Box<str>>,
    vanity: Option<Box<str>>,
    premium_tier: u8,
    verification_level: u8,
    mfa_level: u8,
    nsfw: bool,
    member_count: u64,
    counted_at: UnixMs,
    outage_since: Option<UnixMs>,
    /// The latest joiners, by whom a repeated join is known. Earlier versions left none.
    #[serde(default)]
    joiners: Vec<UserId>,
    roles: Vec<(RoleId, Permissions, u16)>,
    emojis: Vec<(EmojiId, Box<str>, bool)>,
}

impl From<&Guild> for SavedGuild {
    fn from(guild: &Guild) -> SavedGuild {
        let about = &guild.about;
        let emojis = about.emojis.unpack().into_iter();
        SavedGuild {
            id: guild.id,
            name: about.name.clone(),
            owner: about.owner,
            icon: about.icon.clone(),
            banner: about.banner.clone(),
            description: about.description.clone(),
            vanity: about.vanity.clone(),
            premium_tier: about.premium_tier,
            verification_level: about.verification_level,
            mfa_level: about.mfa_level,
            nsfw: about.nsfw,
            member_count: guild.member_count,
            counted_at: guild.counted_at,
            outage_since: match guild.standing {
                Standing::Outage { since } => Some(since),
                Standing::Live
                | Standing::Wavering { .. }
                | Standing::Adrift { .. }
                | Standing::Gap { .. } => None,
            },
            joiners: guild.joiners().collect(),
            roles: guild
                .roles
                .iter()
                .map(|role| (role.id, role.permissions, role.position))
                .collect(),
            emojis: emojis
                .map(|emoji| (emoji.id, emoji.name, emoji.animated))
                .collect(),
        }
    }
}

impl From<SavedGuild> for GuildData {
    fn from(saved: SavedGuild) -> GuildData {
        let roles = saved.roles.into_iter();
        let emojis = saved.emojis.into_iter();
        GuildData {
            id: saved.id,
            name: Some(saved.name),
            owner: Some(saved.owner),
            icon: Some(saved.icon),
            banner: Some(saved.banner),
            description: Some(saved.description),
            vanity: Some(saved.vanity),
            premium_tier: Some(saved.premium_tier),
            verification_level: Some(saved.verification_level),
            mfa_level: Some(saved.mfa_level),
            nsfw: Some(saved.nsfw),
            member_count: Some(saved.member_count),
            roles: Some(
                roles
                    .map(|(id, permissions, position)| Role {
                        id,
                        permissions,
                        position,
                    })
                    .collect(),
            ),
            emojis: Some(
                emojis
                    .map(|(id, name, animated)| Emoji { id, name, animated })
                    .collect(),
            ),
        }
    }
}
