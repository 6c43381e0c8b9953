//! Whether a guild's events arrive, and what follows when that changes.

use guildgate_model::{GuildData, UnixMs};
use guildgate_wire::EventFrame;

use super::{
    super::{
        about::Shown,
        lookups::Urgency,
        ports::{Arrival, Audience, MemberEvents},
        timers::Timer,
        turn::Turn,
    },
    Guild,
};

/// Whether a guild's events arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Standing {
    /// They do.
    Live,
    /// The link has just gone down, as it does for a moment whenever Discord moves a session:
    /// nobody is told yet.
    Wavering {
        /// Since when.
        since: UnixMs,
    },
    /// The link is down; a session that is resumed leaves no gap.
    Adrift {
        /// Since when.
        since: UnixMs,
    },
    /// A new session began after a gap; the guild's GUILD_CREATE is awaited.
    Gap {
        /// Since when.
        since: UnixMs,
    },
    /// Discord has an outage there.
    Outage {
        /// Since when.
        since: UnixMs,
    },
}

impl Standing {
    /// Since when events have not arrived, unless they do or are about to.
    pub(in crate::hub) fn stale_since(self) -> Option<UnixMs> {
        match self {
            Standing::Live | Standing::Wavering { .. } => None,
            Standing::Adrift { since } | Standing::Gap { since } | Standing::Outage { since } => {
                Some(since)
            }
        }
    }
}

impl Guild {
    /// GUILD_CREATE of a guild that is known, said at `said_at` or later.
    pub(in crate::hub) fn available(
        &mut self,
        data: GuildData,
        said_at: UnixMs,
        turn: &mut Turn<'_>,
    ) -> Arrival {
        match self.standing {
            Standing::Live | Standing::Wavering { .. } | Standing::Adrift { .. } => {
                self.repeated(data, said_at, turn);
                Arrival::Repeated
            }
            Standing::Gap { .. } | Standing::Outage { .. } => {
                self.recovered(data, said_at, turn);
                Arrival::Recovered
            }
        }
    }

    /// The first GUILD_CREATE: fills the guild.
    pub(in crate::hub) fn fill(&mut self, data: GuildData, said_at: UnixMs, turn: &mut Turn<'_>) {
        self.count_said(&data, said_at, turn);
        self.apply(data, turn);
        self.ask_invite(turn);
    }

    /// GUILD_DELETE with `unavailable`.
    pub(in crate::hub) fn unavailable(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.standing, Standing::Outage { .. }) {
            return;
        }
        let since = self.standing.stale_since();
        self.standing = Standing::Outage {
            since: since.unwrap_or(turn.now.wall),
        };
        self.address(Audience::All, turn, |guild| {
            EventFrame::guild_unavailable(guild.id, false)
        });
        if since.is_none() {
            self.shown_changed(turn);
        }
    }

    /// The link to Discord is down.
    pub(in crate::hub) fn link_lost(&mut self, turn: &mut Turn<'_>) {
        if self.standing == Standing::Live {
            self.standing = Standing::Wavering {
                since: turn.now.wall,
            };
            if turn.config.stale_after.is_zero() {
                return self.stale_due(turn);
            }
            let at = turn.now.mono + turn.config.stale_after;
            turn.timers.set(Timer::Stale(self.id), at);
        }
    }

    /// The link has been down for longer than a moment.
    pub(in crate::hub) fn stale_due(&mut self, turn: &mut Turn<'_>) {
        if let Standing::Wavering { since } = self.standing {
            self.standing = Standing::Adrift { since };
            self.shown_changed(turn);
        }
    }

    /// The session went on: what was missed has been replayed.
    pub(in crate::hub) fn resumed(&mut self, turn: &mut Turn<'_>) {
        match self.standing {
            Standing::Wavering { .. } => self.standing = Standing::Live,
            Standing::Adrift { .. } => {
                self.standing = Standing::Live;
                self.shown_changed(turn);
            }
            Standing::Live | Standing::Gap { .. } | Standing::Outage { .. } => return,
        }
        turn.timers.clear(Timer::Stale(self.id));
        self.settle_inherited(turn);
        self.reopen_lookups(turn);
    }

    /// A new session lists the guild: what happened since the old one is unknown.
    pub(in crate::hub) fn session_started(&mut self, turn: &mut Turn<'_>) {
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.distrust();
        }
        let since = self.standing.stale_since();
        if !matches!(self.standing, Standing::Outage { .. }) {
            self.standing = Standing::Gap {
                since: since.unwrap_or(turn.now.wall),
            };
        }
        if since.is_none() {
            self.shown_changed(turn);
        }
    }

    /// Discord began, or ceased, to send member events.
    pub(in crate::hub) fn member_events_changed(&mut self, turn: &mut Turn<'_>) {
        self.shown_changed(turn);
        match turn.member_events {
            MemberEvents::Sent => turn.timers.clear(Timer::Refresh(self.id)),
            MemberEvents::Withheld => self.refresh_later(turn),
        }
    }

    /// The bot is out of the guild: tells everybody, and forgets them; the event ends their
    /// connections to the guild.
    pub(in crate::hub) fn left(&mut self, turn: &mut Turn<'_>) {
        self.address(Audience::All, turn, |guild| {
            EventFrame::guild_unavailable(guild.id, true)
        });
        self.turn_everybody_out(turn);
    }

    /// GUILD_CREATE for a guild that was live all the time, or replayed to catch up.
    fn repeated(&mut self, data: GuildData, said_at: UnixMs, turn: &mut Turn<'_>) {
        self.count_said(&data, said_at, turn);
        if self.apply(data, turn) == Shown::Changed {
            self.shown_changed(turn);
        }
    }

    /// GUILD_CREATE after a gap: everybody gets a fresh snapshot, a user once Discord has
    /// said what they are now.
    fn recovered(&mut self, data: GuildData, said_at: UnixMs, turn: &mut Turn<'_>) {
        self.standing = Standing::Live;
        self.forget_joiners();
        if let Some(crowd) = self.crowd.as_deref_mut() {
            crowd.distrust();
            for user in crowd.user_ids() {
                crowd
                    .lookups
                    .want(user, Urgency::Later, turn.now.mono, turn.config);
            }
        }
        self.count_said(&data, said_at, turn);
        self.apply(data, turn);
        self.ask_invite(turn);
        self.resync_basic(turn);
        self.reopen_lookups(turn);
    }

    fn count_said(&mut self, data: &GuildData, said_at: UnixMs, turn: &mut Turn<'_>) {
        if let Some(count) = data.member_count {
            self.member_count = count;
            self.counted_at = said_at;
            self.count_changed(turn);
        }
    }
}
