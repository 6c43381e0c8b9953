//! Discord's timestamps: ISO 8601 with an offset.

use guildgate_model::UnixMs;

/// The moment that `text` names, such as `2026-11-23T03:19:35.250000+00:00`; none if it names
/// none. A missing offset is UTC.
///
/// Source: Discord, "API Reference: ISO8601 Date/Time".
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<UnixMs> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| -> Option<i64> {
        bytes.get(from..to)?.iter().try_fold(0, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let is = |at: usize, expected: &[u8]| bytes.get(at).is_some_and(|byte| expected.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut at = 19;
    let mut ms = 0;
    if is(at, b".") {
        at += 1;
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        for place in 0..3 {
            ms = ms * 10
                + if start + place < at {
                    digits(start + place, start + place + 1)?
                } else {
                    0
                };
        }
    }
    let offset_minutes = match bytes.get(at..)? {
        [] | b"Z" | b"z" => 0,
        [b'+', ..] => offset(digits(at + 1, at + 3)?, digits(at + 4, at + 6)?),
        [b'-', ..] => -offset(digits(at + 1, at + 3)?, digits(at + 4, at + 6)?),
        _ => return None,
    };
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some(UnixMs((minutes * 60 + second) * 1000 + ms))
}

fn offset(hours: i64, minutes: i64) -> i64 {
    hours * 60 + minutes
}

/// Counts in years that begin in March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    // Months from March on begin after 0, 31, 61, 92, 122, 153, … days.
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_to_the_millisecond() {
        let cases = [
            ("1970-01-01T00:00:00+00:00", Some(0)),
            ("1970-01-01T00:00:00.001Z", Some(1)),
            ("2000-02-29T12:34:56.789012+00:00", Some(951_827_696_789)),
            ("2026-11-23T03:19:35+00:00", Some(1_795_403_975_000)),
            ("2026-11-23T05:19:35+02:00", Some(1_795_403_975_000)),
            ("2026-11-22T22:19:35.5-05:00", Some(1_795_403_975_500)),
            ("2026-11-23T03:19:35", Some(1_795_403_975_000)),
            ("1969-12-31T23:59:59Z", Some(-1000)),
            ("2026-13-23T03:19:35Z", None),
            ("2026-11-23", None),
            ("", None),
            ("2026-11-23T03:19:35+0", None),
            ("yesterday", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_timestamp(text), expected.map(UnixMs), "{text}");
        }
    }
}
