//! REST rate limits: a bucket a route and major id, and one for everything.
//!
//! Source: Discord, "Rate Limits".

use std::{collections::BTreeMap, time::Duration};

use guildgate_model::Mono;

use crate::{config::Settings, rng::mix};

/// How full every bucket is.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    of_route: BTreeMap<String, Bucket>,
    global: Bucket,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    used: u32,
    end: Mono,
}

/// What a call is told of its bucket.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    pub(super) reset_after: Duration,
    /// Discord's opaque name of the bucket.
    pub(super) bucket: String,
    pub(super) outcome: Outcome,
}

/// Whether a call may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Admitted,
    /// The route's bucket is empty.
    Limited,
    /// The bot's own is.
    GloballyLimited,
}

impl Bucket {
    /// Counts a call; false if it is one too many.
    fn admit(&mut self, now: Mono, max: u32, window: Duration) -> bool {
        if self.end <= now {
            *self = Bucket {
                used: 0,
                end: now + window,
            };
        }
        let fits = self.used < max;
        self.used += u32::from(fits);
        fits
    }
}

impl Buckets {
    /// Counts a call of `route`, which names its major id too.
    pub(super) fn admit(&mut self, now: Mono, route: &str, settings: &Settings) -> Verdict {
        if self.of_route.len() >= ROUTES_MAX {
            self.of_route.retain(|_, bucket| bucket.end > now);
        }
        let bucket = self.of_route.entry(route.to_owned()).or_default();
        let globally = self
            .global
            .admit(now, settings.rest_global_max, Duration::from_secs(1));
        let admitted = globally && bucket.admit(now, settings.rest_route_max, settings.rest_window);
        let outcome = match (globally, admitted) {
            (false, _) => Outcome::GloballyLimited,
            (true, false) => Outcome::Limited,
            (true, true) => Outcome::Admitted,
        };
        let end = if globally {
            bucket.end
        } else {
            self.global.end
        };
        Verdict {
            limit: settings.rest_route_max,
            remaining: settings.rest_route_max.saturating_sub(bucket.used),
            reset_after: end.since(now),
            bucket: format!(
                "{:016x}",
                route
                    .bytes()
                    .fold(0, |sum, byte| mix(sum ^ u64::from(byte)))
            ),
            outcome,
        }
    }
}

/// Buckets that are remembered, about.
const ROUTES_MAX: usize = 10_000;
