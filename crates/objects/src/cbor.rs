//! A scan of foreign DAG-CBOR that finds links and builds nothing.
//!
//! Source: RFC 8949, and the DAG-CBOR specification of IPLD: definite lengths, keys that are text,
//! no tag but 42, one value. How wide a number is written and how keys are sorted is not looked at:
//! the CID is of the bytes as they are.

use crate::{Cid, Error};

/// Values in each other that are read.
pub(crate) const MAX_NESTING: usize = 256;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// Why a scan ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes are no DAG-CBOR.
    Malformed(&'static str),
    /// A link that cannot be followed here.
    Link(Error),
}

impl From<&'static str> for Fault {
    fn from(reason: &'static str) -> Self {
        Self::Malformed(reason)
    }
}

/// Where a path leads inside a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// To a link, after so many segments.
    Link(Cid, usize),
    /// To a value without a name of its own, after all segments.
    Inside,
    /// The segment of this number names nothing.
    Nothing(usize),
}

/// Reads a value from its start.
#[derive(Clone)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Ends the scan: nothing may follow.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err("something follows its end".into()) }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(length).map_err(|_| "a length beyond all bounds")?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Major type, low bits and argument of the next head.
    fn head(&mut self) -> Result<(u8, u8, u64), Fault> {
        let first = self.take(1)?[0];
        let (major, low) = (first >> 5, first & 31);
        let argument = match low {
            0..24 => low.into(),
            24..28 => {
                let wide = self.take(1 << (low - 24))?;
                wide.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return Err("a length that is not said".into()),
        };
        Ok((major, low, argument))
    }

    fn text(&mut self) -> Result<&'a str, Fault> {
        match self.head()? {
            (TEXT, _, length) => Ok(as_text(self.take(length)?)?),
            _ => Err("a key that is no text".into()),
        }
    }

    /// The bytes after the head of tag 42.
    fn link(&mut self) -> Result<Cid, Fault> {
        let (BYTES, _, length) = self.head()? else { return Err("a link that is no bytes".into()) };
        let bytes = self.take(length)?;
        let bytes = bytes.strip_prefix(&[0]).ok_or("a link without its zero")?;
        match Cid::read_foreign(bytes).map_err(Fault::Link)? {
            (cid, []) => Ok(cid),
            _ => Err("a link with a tail".into()),
        }
    }

    /// How many pairs the map that stands here has.
    pub(crate) fn map(&mut self) -> Result<u64, Fault> {
        match self.head()? {
            (MAP, _, pairs) => Ok(pairs),
            _ => Err("it is no map".into()),
        }
    }

    /// A key of a map.
    pub(crate) fn key(&mut self) -> Result<&'a str, Fault> {
        self.text()
    }

    /// A number that is not negative.
    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        match self.head()? {
            (UNSIGNED, _, number) => Ok(number),
            _ => Err("it is no number".into()),
        }
    }

    /// A list of links; those of the identity hash, which name no block, are left out.
    pub(crate) fn list_of_links(&mut self) -> Result<Vec<Cid>, Fault> {
        let (LIST, _, items) = self.head()? else { return Err("it is no list".into()) };
        let mut links = Vec::new();
        for _ in 0..items {
            let before = self.clone();
            if self.head()? != (TAG, 24, 42) {
                return Err("it is no link".into());
            }
            match self.link() {
                Ok(cid) => links.push(cid),
                Err(Fault::Link(Error::ForeignCid(name))) if is_nothing(&name) => {
                    *self = before;
                    self.skip()?;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(links)
    }

    /// Passes over a value without reading its links.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        self.scan(|bytes| bytes.skip_link())
    }

    /// Passes over a value and gives every link in it, in order.
    pub(crate) fn links(&mut self, mut found: impl FnMut(Cid)) -> Result<(), Fault> {
        self.scan(|bytes| bytes.link().map(&mut found))
    }

    fn skip_link(&mut self) -> Result<(), Fault> {
        let (BYTES, _, length) = self.head()? else { return Err("a link that is no bytes".into()) };
        self.take(length).map(drop)
    }

    /// Passes over one value; `on_link` reads what follows each tag 42.
    fn scan(
        &mut self,
        mut on_link: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        // What is still to come at every level: so many values, and whether each has a key.
        let mut open: Vec<(u64, bool)> = vec![(1, false)];
        while let Some((left, keyed)) = open.last_mut() {
            if *left == 0 {
                open.pop();
                continue;
            }
            *left -= 1;
            if *keyed {
                self.text()?;
            }
            match self.head()? {
                (UNSIGNED | NEGATIVE, ..) => {}
                (BYTES, _, length) => drop(self.take(length)?),
                (TEXT, _, length) => drop(as_text(self.take(length)?)?),
                (kind @ (LIST | MAP), _, items) if open.len() <= MAX_NESTING => {
                    open.push((items, kind == MAP));
                }
                (LIST | MAP, ..) => return Err("too many values in each other".into()),
                (TAG, _, 42) => on_link(self)?,
                (TAG, ..) => return Err("a tag other than that of links".into()),
                // False, true, null, and numbers with a point.
                (_, 20..=22 | 25..=27, _) => {}
                _ => return Err("a simple value that is not used".into()),
            }
        }
        Ok(())
    }

    /// Follows a path of map keys and list positions from here.
    pub(crate) fn find<S: AsRef<str>>(mut self, path: &[S]) -> Result<Found, Fault> {
        for (number, segment) in path.iter().enumerate() {
            let segment = segment.as_ref();
            let here = match self.head()? {
                (MAP, _, pairs) => self.enter_map(pairs, segment)?,
                (LIST, _, items) => self.enter_list(items, segment)?,
                (TAG, _, 42) => return Ok(Found::Link(self.link()?, number)),
                _ => false,
            };
            if !here {
                return Ok(Found::Nothing(number));
            }
        }
        match self.head()? {
            (TAG, _, 42) => Ok(Found::Link(self.link()?, path.len())),
            _ => Ok(Found::Inside),
        }
    }

    fn enter_map(&mut self, pairs: u64, name: &str) -> Result<bool, Fault> {
        for _ in 0..pairs {
            if self.text()? == name {
                return Ok(true);
            }
            self.skip()?;
        }
        Ok(false)
    }

    fn enter_list(&mut self, items: u64, name: &str) -> Result<bool, Fault> {
        let Some(position) = name.parse::<u64>().ok().filter(|position| *position < items) else {
            return Ok(false);
        };
        for _ in 0..position {
            self.skip()?;
        }
        Ok(true)
    }
}

fn as_text(bytes: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8")
}

/// The CID of no bytes under the identity hash stands for "no root" in CAR headers.
fn is_nothing(cid: &str) -> bool {
    cid == "bafkqaaa"
}

#[cfg(test)]
#[path = "tests/cbor.rs"]
mod tests;
