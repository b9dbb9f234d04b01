//! When a job should be done, as people write it: in a while, or at a moment (UTC).

use crate::text;
use protocol::Time;
use std::{fmt, str::FromStr, time::Duration};

/// A deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// So long after the job is signed.
    In(Duration),
    /// At this moment.
    At(Time),
}

impl Deadline {
    /// The moment, for a job that is signed now.
    pub(crate) fn at(self, now: Time) -> Time {
        match self {
            Self::In(duration) => now.after_ms(text::ms(duration)),
            Self::At(time) => time,
        }
    }
}

impl FromStr for Deadline {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(duration) = text::duration(text) {
            return Ok(Self::In(duration));
        }
        moment(text).map(Self::At).ok_or_else(|| {
            format!("'{text}' is no deadline; write 30m, 2h or 7d, or 2026-11-22T08:00Z")
        })
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(duration) => f.write_str(&text::written(*duration)),
            Self::At(time) => f.write_str(&text::moment(*time)),
        }
    }
}

/// Reads `2026-11-22`, `2026-11-22T08:00Z`, `2026-11-22T08:00:30Z`: always UTC.
fn moment(text: &str) -> Option<Time> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (day, clock) = text.split_once('T').unwrap_or((text, "00:00"));
    let numbers = |text: &str, sign: char| -> Option<Vec<u64>> {
        let two = |part: &str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split(sign).map(|part| part.parse().ok().filter(|_| two(part))).collect()
    };
    let [year, month, day] = numbers(day, '-')?[..] else { return None };
    let (hour, minute, second) = match numbers(clock, ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let right = (1970..10_000).contains(&year) && hour < 24 && minute < 60 && second < 60;
    let days = right.then(|| days(year, month, day))??;
    Some(Time((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, if there is such a day.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let of_month = |month: u64| match month {
        2 => 28 + u64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=of_month(month)).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    Some(years + (1..month).map(of_month).sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_they_are_written() {
        let now = Time(1_000);
        let at = |text: &str| text.parse::<Deadline>().unwrap().at(now);
        assert_eq!(at("30m"), Time(1_801_000));
        assert_eq!(at("1970-01-02"), Time(86_400_000));
        assert_eq!(at("2000-02-29T00:00Z").to_string(), "2000-02-29T00:00:00.000Z");
        assert_eq!(at("2026-11-20T23:59:59Z").to_string(), "2026-11-20T23:59:59.000Z");
        for text in ["30m", "7d", "2026-11-20T23:59:59Z"] {
            assert_eq!(text.parse::<Deadline>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_an_example() {
        for text in [
            "",
            "soon",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "2026-11-20T24:00",
            "1969-12-31",
            "2026-11-20T1",
        ] {
            assert!(text.parse::<Deadline>().unwrap_err().contains("30m"), "{text}");
        }
    }
}
