//! From a CID and a path to what the path names, block by block.

use super::{Node, names, shard::Place};
use crate::{
    Cid, Codec, Error,
    cbor::{Cursor, Found},
    error::shortened,
    unixfs::murmur::murmur,
};
use bytes::Bytes;

/// Segments of a path that are followed.
pub const MAX_SEGMENTS: usize = 256;

/// What a path names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// The end of the path.
    pub cid: Cid,
    /// Its block.
    pub bytes: Bytes,
    /// What the block is; none for a DAG-CBOR value.
    pub node: Option<Node>,
    /// The CIDs that segments of the path named, the root first and `cid` last. Shards of a
    /// directory are not among them.
    pub roots: Vec<Cid>,
}

/// Follows a path through directories, sharded or not, and through links of DAG-CBOR values: says
/// which block it wants next. Of a sharded directory only the shards on the way are wanted. A
/// symbolic link is an end, never followed. The work is bounded by [`MAX_SEGMENTS`] and the bits of
/// a hash.
#[derive(Clone, Debug)]
pub struct Resolver {
    segments: Vec<String>,
    /// How many segments are behind.
    done: usize,
    wanted: Option<Cid>,
    /// Inside a sharded directory: where, and the bits of a hash that choose a slot.
    shard: Option<(Place, u32)>,
    roots: Vec<Cid>,
    resolved: Option<Resolved>,
}

impl Resolver {
    /// Starts at `root`. The segments are names as they are, nothing is decoded in them.
    ///
    /// # Errors
    /// [`Error::Name`] for a segment that can be no name, [`Error::TooMuch`] for more than
    /// [`MAX_SEGMENTS`].
    pub fn new(root: Cid, segments: Vec<String>) -> Result<Self, Error> {
        if segments.len() > MAX_SEGMENTS {
            let limit = MAX_SEGMENTS as u64;
            return Err(Error::TooMuch { root, what: "parts in its path", limit });
        }
        segments.iter().try_for_each(|segment| names::check(segment))?;
        let (wanted, roots) = (Some(root), vec![root]);
        Ok(Self { segments, done: 0, wanted, shard: None, roots, resolved: None })
    }

    /// The block that is wanted next; `None` at the end of the path.
    pub fn wanted(&self) -> Option<Cid> {
        self.wanted
    }

    /// What the path names; `None` before its end.
    pub fn resolved(&self) -> Option<&Resolved> {
        self.resolved.as_ref()
    }

    /// [`Self::resolved`], taken out.
    pub fn into_resolved(self) -> Option<Resolved> {
        self.resolved
    }

    /// Takes the block that is wanted and goes one step on.
    ///
    /// # Errors
    /// [`Error::NotWanted`] and [`Error::Mismatch`] leave the resolver as it was. After
    /// [`Error::NoSuchName`], [`Error::NotADirectory`], [`Error::InsideValue`],
    /// [`Error::Malformed`], [`Error::Unsupported`] or [`Error::ForeignCid`] the path cannot be
    /// followed.
    pub fn give(&mut self, cid: Cid, bytes: Bytes) -> Result<(), Error> {
        if self.wanted != Some(cid) {
            return Err(Error::NotWanted(cid));
        }
        cid.check(&bytes)?;
        if self.shard.is_none() && self.done == self.segments.len() {
            let node = match cid.codec() {
                Codec::DagCbor => None,
                Codec::Raw | Codec::DagPb => Some(Node::read(cid, bytes.clone())?),
            };
            self.wanted = None;
            let roots = std::mem::take(&mut self.roots);
            self.resolved = Some(Resolved { cid, bytes, node, roots });
            return Ok(());
        }
        if cid.codec() == Codec::DagCbor { self.value(cid, &bytes) } else { self.node(cid, bytes) }
    }

    fn name(&self) -> String {
        shortened(&self.segments[self.done])
    }

    fn missing(&self, directory: Cid) -> Error {
        Error::NoSuchName { directory, name: self.name() }
    }

    /// Goes on to what `segments` more segments name.
    fn advance(&mut self, to: Cid, segments: usize) {
        self.done += segments;
        self.shard = None;
        self.roots.push(to);
        self.wanted = Some(to);
    }

    fn value(&mut self, cid: Cid, bytes: &Bytes) -> Result<(), Error> {
        let path = &self.segments[self.done..];
        match Cursor::new(bytes).find(path).map_err(|fault| fault.of(cid))? {
            // A value that is nothing but a link takes no segment: such ones could form a chain
            // without end.
            Found::Link(to, segments) if segments > 0 => {
                self.advance(to, segments);
                Ok(())
            }
            Found::Link(..) => Err(self.missing(cid)),
            Found::Nothing(number) => {
                self.done += number;
                Err(self.missing(cid))
            }
            Found::Inside => Err(Error::InsideValue(cid)),
        }
    }

    fn node(&mut self, cid: Cid, bytes: Bytes) -> Result<(), Error> {
        let name = self.segments[self.done].as_str();
        match Node::read(cid, bytes)? {
            Node::Directory(entries) if self.shard.is_none() => {
                let found = entries.iter().find(|entry| entry.name == name);
                let to = found.ok_or_else(|| self.missing(cid))?.cid;
                self.advance(to, 1);
                Ok(())
            }
            Node::Shard(shard) => self.descend(cid, &shard),
            _ if self.shard.is_some() => {
                Err(Error::malformed(cid, "something else inside a sharded directory"))
            }
            other => Err(Error::NotADirectory { cid, what: other.what(), name: self.name() }),
        }
    }

    fn descend(&mut self, cid: Cid, shard: &super::Shard) -> Result<(), Error> {
        let (place, bits) = self.shard.unwrap_or((Place::default(), shard.bits));
        if bits != shard.bits {
            return Err(Error::malformed(cid, "a shard of another width than its root"));
        }
        let name = self.segments[self.done].as_str();
        let index = place.slot_of(murmur(name.as_bytes()), bits);
        let slot = shard.slots.iter().find(|slot| Some(slot.index) == index);
        let slot = slot.ok_or_else(|| self.missing(cid))?;
        match &slot.name {
            Some(here) if here == name => {
                self.advance(slot.cid, 1);
                Ok(())
            }
            Some(_) => Err(self.missing(cid)),
            None => {
                let place = place.below(bits, slot.index);
                let place =
                    place.ok_or_else(|| Error::malformed(cid, "too many shards in a row"))?;
                self.shard = Some((place, bits));
                self.wanted = Some(slot.cid);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/resolver.rs"]
mod tests;
