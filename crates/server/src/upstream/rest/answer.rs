//! An answer and what it says of the limits.

use std::time::Duration;

use bytes::Bytes;
use guildgate_discord::rest;
use http::{HeaderMap, StatusCode, header, response::Parts};
use twilight_http_ratelimiting::RateLimitHeaders;

/// What a 429 that names no time is taken to mean.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// How long to wait, for a 429.
    pub(super) retry_after: Duration,
    /// For the limiter.
    pub(super) limits: Option<RateLimitHeaders>,
}

impl Answer {
    pub(super) fn new(head: &Parts, body: Bytes) -> Answer {
        let retry_after = retry_after(&head.headers, &body);
        let mut limits = limits(&head.headers);
        if head.status == StatusCode::TOO_MANY_REQUESTS
            && let Some(limits) = &mut limits
        {
            limits.remaining = 0;
        }
        Answer {
            status: head.status,
            body,
            retry_after,
            limits,
        }
    }
}

/// The body's time has a fraction, the header's has none.
fn retry_after(headers: &HeaderMap, body: &[u8]) -> Duration {
    rest::error_body(body)
        .retry_after
        .or_else(|| seconds(headers, header::RETRY_AFTER.as_str()))
        .unwrap_or(RETRY_AFTER_DEFAULT)
}

fn limits(headers: &HeaderMap) -> Option<RateLimitHeaders> {
    let bucket = headers.get(RateLimitHeaders::BUCKET)?.as_bytes().to_vec();
    let count = |name| -> Option<u16> { text(headers, name)?.parse().ok() };
    let reset_after = seconds(headers, RateLimitHeaders::RESET_AFTER)?;
    Some(RateLimitHeaders {
        bucket,
        limit: count(RateLimitHeaders::LIMIT)?,
        remaining: count(RateLimitHeaders::REMAINING)?,
        reset_at: (tokio::time::Instant::now() + reset_after).into_std(),
    })
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let seconds: f64 = text(headers, name)?.parse().ok()?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .map(|time| time.min(Duration::from_hours(24)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
