//! `entity-bytes=from:to` of a CAR request: both ends are included, negative ones count from the
//! end of the file, and `*` is its end.

use super::refusal::Refusal;
use std::{ops::Range, str::FromStr};

/// The bytes of a file that the blocks of a CAR stream have to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct EntityBytes {
    from: i64,
    /// None for the end of the file.
    to: Option<i64>,
}

impl FromStr for EntityBytes {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::bad(format!("entity-bytes={text}: expected from:to, like 0:*"));
        let (from, to) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
        let to = if to == "*" { None } else { Some(number(to)?) };
        Ok(Self { from: number(from)?, to })
    }
}

impl EntityBytes {
    /// The bytes of a file of this size; nothing if the range has none.
    ///
    /// # Errors
    /// 400 if all of it is outside the file.
    pub(super) fn of(self, size_bytes: u64) -> Result<Range<u64>, Refusal> {
        let at = |number: i64| match u64::try_from(number) {
            Ok(number) => i128::from(number),
            Err(_) => i128::from(size_bytes) + i128::from(number),
        };
        let end = i128::from(size_bytes);
        let (from, to) = (at(self.from), self.to.map_or(end, |to| at(to) + 1));
        if from >= end && size_bytes > 0 || to <= 0 && from < to {
            return Err(Refusal::bad("entity-bytes lie outside the file"));
        }
        let within = |number: i128| number.clamp(0, end) as u64;
        let (from, to) = (within(from), within(to));
        Ok(if from < to { from..to } else { 0..0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, size_bytes: u64) -> Result<Range<u64>, Refusal> {
        text.parse::<EntityBytes>()?.of(size_bytes)
    }

    #[test]
    fn both_ends_are_included_and_may_count_from_the_end() {
        for (text, expected) in [
            ("0:*", 0..1026),
            ("0:0", 0..1),
            ("512:1023", 512..1024),
            ("512:-256", 512..771),
            ("-5:*", 1021..1026),
            ("-9999:*", 0..1026),
            ("-9999:-3", 0..1024),
            ("1000:9999", 1000..1026),
            ("499:-1000", 0..0),
            ("5:4", 0..0),
        ] {
            assert_eq!(of(text, 1026), Ok(expected), "{text}");
        }
        assert_eq!(of("0:*", 0), Ok(0..0));
        assert_eq!(of(&format!("{}:{}", i64::MIN, i64::MAX), 7), Ok(0..7));
    }

    #[test]
    fn what_is_outside_or_no_range_is_refused() {
        for text in ["1026:*", "2000:3000", "-3000:-2000", "", "1", "a:b", "*:1", ":", "1:2:3"] {
            assert!(of(text, 1026).is_err(), "{text}");
        }
    }
}
