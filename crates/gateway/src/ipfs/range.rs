//! The `Range` of a request (RFC 9110, section 14).

use std::ops::Range;

/// What a request asks for of a body of a certain size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// All of it: no range, or one that is not understood, which is to be passed over.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// Reads a header. Of several ranges the first counts.
pub(super) fn part(header: Option<&str>, size_bytes: u64) -> Part {
    let first = header.and_then(|text| text.trim().strip_prefix("bytes="));
    let first = first.and_then(|ranges| ranges.split(',').next()).map(str::trim);
    let Some((from, to)) = first.and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| match text {
        _ if text.bytes().any(|byte| !byte.is_ascii_digit()) => None,
        // More digits than a number has mean more than there is.
        _ => text.parse().ok().or((!text.is_empty()).then_some(u64::MAX)),
    };
    let range = match (from, to) {
        ("", suffix) => match number(suffix) {
            Some(length) => size_bytes.saturating_sub(length)..size_bytes,
            None => return Part::Whole,
        },
        (from, "") => match number(from) {
            Some(from) => from..size_bytes,
            None => return Part::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(size_bytes),
            _ => return Part::Whole,
        },
    };
    if range.start < range.end { Part::Bytes(range) } else { Part::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        for (text, expected) in [
            ("bytes=0-0", Part::Bytes(0..1)),
            ("bytes=2-5", Part::Bytes(2..6)),
            ("bytes=2-500", Part::Bytes(2..10)),
            ("bytes=2-", Part::Bytes(2..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-30", Part::Bytes(0..10)),
            ("bytes= 1-2 , 4-5", Part::Bytes(1..3)),
            ("bytes=0-99999999999999999999999", Part::Bytes(0..10)),
            ("bytes=10-", Part::Nothing),
            ("bytes=99999999999999999999999-", Part::Nothing),
            ("bytes=10-11", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=5-2", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(part(Some(text), 10), expected, "{text}");
        }
        assert_eq!(part(None, 10), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Nothing);
    }
}
