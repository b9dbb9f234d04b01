//! Everything below a root, block by block.

use crate::{Cid, Error, links};
use bytes::Bytes;
use std::collections::HashSet;

/// How much may be below one root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DagLimits {
    /// Blocks that are read.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
    /// Links from the root to the deepest block.
    pub depth: u32,
}

/// Walks over everything below a root, depth first, links in the order in which they stand in their
/// block: says which block it wants next. Blocks are checked against their CIDs. Every block comes
/// once, where it is met first, unless repeats are asked for. It holds the CIDs it has seen, and
/// those that wait: neither are more than the limit of blocks, or of what one block has room for.
#[derive(Clone, Debug)]
pub struct DagWalker {
    root: Cid,
    limits: DagLimits,
    blocks: u64,
    bytes: u64,
    /// What was wanted already; nothing if repeats are asked for.
    seen: Option<HashSet<Cid>>,
    /// Blocks still to read and how deep they are, the next one last.
    pending: Vec<(Cid, u32)>,
}

impl DagWalker {
    /// A walker that takes every block once.
    pub fn new(root: Cid, limits: DagLimits) -> Self {
        Self::start(root, limits, Some(HashSet::from([root])))
    }

    /// A walker that takes a block as often as it is linked to. Few blocks can have very many such
    /// walks over them: choose the limits with care.
    pub fn with_repeats(root: Cid, limits: DagLimits) -> Self {
        Self::start(root, limits, None)
    }

    fn start(root: Cid, limits: DagLimits, seen: Option<HashSet<Cid>>) -> Self {
        Self { root, limits, blocks: 0, bytes: 0, seen, pending: vec![(root, 0)] }
    }

    /// The block that is wanted next; `None` at the end.
    pub fn wanted(&self) -> Option<Cid> {
        self.pending.last().map(|(cid, _)| *cid)
    }

    /// The blocks that will be wanted, as far as they are known now, in order. The first is
    /// [`Self::wanted`]; of the others some may turn out to have come before.
    pub fn upcoming(&self) -> impl Iterator<Item = Cid> + '_ {
        self.pending.iter().rev().map(|(cid, _)| *cid)
    }

    /// Blocks that were taken.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Bytes of the blocks that were taken.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the block that is wanted.
    ///
    /// # Errors
    /// [`Error::NotWanted`] and [`Error::Mismatch`] leave the walker as it was. After
    /// [`Error::TooMuch`], and what [`links()`] says, the walk cannot go on.
    pub fn give(&mut self, cid: Cid, bytes: &Bytes) -> Result<(), Error> {
        let (wanted, depth) = *self.pending.last().ok_or(Error::NotWanted(cid))?;
        if wanted != cid {
            return Err(Error::NotWanted(cid));
        }
        cid.check(bytes)?;
        let links = links(cid, bytes)?;
        self.pending.pop();
        self.blocks += 1;
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.bound(self.blocks, self.limits.blocks, "blocks")?;
        self.bound(self.bytes, self.limits.bytes, "bytes")?;
        if !links.is_empty() {
            self.bound((depth + 1).into(), self.limits.depth.into(), "levels")?;
        }
        self.await_links(links, depth + 1)?;
        self.advance();
        Ok(())
    }

    /// Passes over the block that is wanted, and over what only it links to.
    pub fn skip(&mut self) {
        self.pending.pop();
        self.advance();
    }

    fn bound(&self, number: u64, limit: u64, what: &'static str) -> Result<(), Error> {
        if number <= limit { Ok(()) } else { Err(Error::TooMuch { root: self.root, what, limit }) }
    }

    fn await_links(&mut self, links: Vec<Cid>, depth: u32) -> Result<(), Error> {
        let first = self.pending.len();
        match &self.seen {
            None => self.pending.extend(links.into_iter().map(|cid| (cid, depth))),
            Some(seen) => {
                let mut here = HashSet::new();
                let new = links.into_iter().filter(|cid| !seen.contains(cid) && here.insert(*cid));
                self.pending.extend(new.map(|cid| (cid, depth)));
            }
        }
        self.pending[first..].reverse();
        // All of them would have to be read, and most would be blocks of their own.
        self.bound(self.pending.len() as u64, self.limits.blocks, "blocks")
    }

    /// Drops what has come before, so that the last one is wanted.
    fn advance(&mut self) {
        let Some(seen) = &mut self.seen else { return };
        while let Some((cid, _)) = self.pending.last() {
            if seen.insert(*cid) {
                return;
            }
            self.pending.pop();
        }
    }
}

#[cfg(test)]
#[path = "tests/dag_walker.rs"]
mod tests;
