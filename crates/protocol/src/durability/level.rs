//! How much may be lost.

use crate::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Data shards of one group, at most.
pub const DATA_MAX: usize = 64;
/// Shards of one group, at most.
pub const TOTAL_MAX: usize = 128;

/// How many shards of a group hold its content, and how many more there are. Any `data` of them
/// give everything. The text is `4+2`, or `x3` for three whole copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Durability {
    data: u8,
    parity: u8,
}

impl Durability {
    /// Any `data` of `total` shards.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless 1 ≤ `data` ≤ 64 and `data` < `total` ≤ 128.
    pub fn new(data: usize, total: usize) -> Result<Self, Error> {
        let wrong = || {
            let reason = format!(
                "{data} of {total} shards; data may be 1 to {DATA_MAX}, and data and parity \
                 together at most {TOTAL_MAX}"
            );
            Error::invalid("durability", reason)
        };
        if data == 0 || data > DATA_MAX || total <= data || total > TOTAL_MAX {
            return Err(wrong());
        }
        let byte = |number: usize| u8::try_from(number).map_err(|_| wrong());
        Ok(Self { data: byte(data)?, parity: byte(total - data)? })
    }

    /// Shards of content in a whole group.
    pub fn data(&self) -> usize {
        usize::from(self.data)
    }

    /// Shards of a group that may be lost.
    pub fn parity(&self) -> usize {
        usize::from(self.parity)
    }

    /// All shards of a whole group, which is the number of slots.
    pub fn total(&self) -> usize {
        self.data() + self.parity()
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.data {
            1 => write!(f, "x{}", self.total()),
            data => write!(f, "{data}+{}", self.parity),
        }
    }
}

impl FromStr for Durability {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let shown: String = text.chars().take(20).collect();
            let reason = format!(
                "'{shown}' is neither DATA+PARITY, as in 4+2 or 10+4, nor xCOPIES, as in x3; \
                 DATA up to {DATA_MAX}, all together up to {TOTAL_MAX}, two copies at least"
            );
            Error::invalid("durability", reason)
        };
        // One text for one number: neither a sign nor zeros in front.
        let number = |text: &str| match text.as_bytes() {
            [b'1'..=b'9', ..] => text.parse::<u8>().map(usize::from).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        if let Some(copies) = text.strip_prefix('x') {
            return Self::new(1, number(copies)?).map_err(|_| wrong());
        }
        let (data, parity) = text.split_once('+').ok_or_else(wrong)?;
        let (data, parity) = (number(data)?, number(parity)?);
        Self::new(data, data + parity).map_err(|_| wrong())
    }
}

impl Serialize for Durability {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Durability {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_copies_are_the_case_of_one() {
        for (text, data, total) in
            [("4+2", 4, 6), ("10+4", 10, 14), ("64+64", 64, 128), ("x3", 1, 3), ("x2", 1, 2)]
        {
            let level: Durability = text.parse().expect("a level");
            assert_eq!((level.data(), level.total()), (data, total));
            assert_eq!(level.to_string(), text);
        }
        assert_eq!("1+2".parse::<Durability>().expect("a level").to_string(), "x3");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "4", "x1", "x0", "x129", "0+2", "4+0", "65+1", "64+65", "+4+2", "4+02", "4 + 2"]
        {
            assert!(text.parse::<Durability>().is_err(), "{text}");
        }
    }
}
