//! A file's bytes in order, block by block.

use super::{MAX_DEPTH, Node};
use crate::{Cid, Error};
use bytes::Bytes;
use std::ops::Range;

/// Reads a file from its root: says which block it wants next, and gives the content in order.
/// It holds, for every level of the tree, at most the links of one node. Every part must have the
/// size that its parent said, so the work is bounded by the size of the file. Of a part of a file it
/// reads only the blocks that have some of it.
#[derive(Clone, Debug)]
pub struct FileWalker {
    root: Cid,
    limit_bytes: u64,
    size_bytes: Option<u64>,
    /// The bytes that are asked for.
    range: Range<u64>,
    /// Parts still to read, the next one last.
    pending: Vec<Pending>,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    cid: Cid,
    /// Where in the file it begins.
    start: u64,
    /// What the parent says; nothing is known of the root.
    size_bytes: Option<u64>,
    depth: usize,
}

impl FileWalker {
    /// A walker over the file `root`, which may have up to `limit_bytes` of content.
    pub fn new(root: Cid, limit_bytes: u64) -> Self {
        Self::range(root, limit_bytes, 0..u64::MAX)
    }

    /// A walker over those bytes of the file `root` that are in `range`. The whole file may have up
    /// to `limit_bytes`. Bytes past its end are left out.
    pub fn range(root: Cid, limit_bytes: u64, range: Range<u64>) -> Self {
        // A range without bytes can lie inside a part, which would be read for nothing.
        let range = if range.is_empty() { 0..0 } else { range };
        let first = Pending { cid: root, start: 0, size_bytes: None, depth: 1 };
        Self { root, limit_bytes, size_bytes: None, range, pending: vec![first] }
    }

    /// The block that is wanted next; `None` when the file is read.
    pub fn wanted(&self) -> Option<Cid> {
        self.pending.last().map(|next| next.cid)
    }

    /// The blocks that will be wanted, as far as they are known now, in order. The first is
    /// [`Self::wanted`]. One block can come several times.
    pub fn upcoming(&self) -> impl Iterator<Item = Cid> + '_ {
        self.pending.iter().rev().map(|next| next.cid)
    }

    /// Bytes of content of the whole file; known after the first block.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// Takes the block that is wanted and answers the content that it brings, which is empty for
    /// a node that has only links.
    ///
    /// # Errors
    /// [`Error::NotWanted`] and [`Error::Mismatch`] leave the walker as it was. After
    /// [`Error::Malformed`], [`Error::Unsupported`] or [`Error::FileTooLarge`] the file cannot be
    /// read.
    pub fn give(&mut self, cid: Cid, bytes: Bytes) -> Result<Bytes, Error> {
        let wanted = *self.pending.last().ok_or(Error::NotWanted(cid))?;
        if wanted.cid != cid {
            return Err(Error::NotWanted(cid));
        }
        let (data, links) = match Node::parse(cid, bytes)? {
            Node::Raw(data) => (data, Vec::new()),
            Node::File(node) => (node.data, node.links),
            other if wanted.size_bytes.is_none() => {
                return Err(Error::Unsupported { cid, what: other.what() });
            }
            _ => return Err(Error::malformed(cid, "something else in the middle of a file")),
        };
        // The node's own size was found to be this sum when it was read.
        let size_bytes = data.len() as u64 + links.iter().map(|link| link.size_bytes).sum::<u64>();
        self.check_size(wanted, size_bytes)?;
        if wanted.depth == MAX_DEPTH && !links.is_empty() {
            return Err(Error::malformed(self.root, "the file has too many levels"));
        }
        self.pending.pop();
        let mut start = wanted.start + data.len() as u64;
        let first = self.pending.len();
        for link in links {
            let part = start..start + link.size_bytes;
            start = part.end;
            if part.start < self.range.end && part.end > self.range.start {
                let (start, size_bytes) = (part.start, Some(link.size_bytes));
                let depth = wanted.depth + 1;
                self.pending.push(Pending { cid: link.cid, start, size_bytes, depth });
            }
        }
        self.pending[first..].reverse();
        Ok(self.within(wanted.start, &data))
    }

    /// What of `data`, which begins at `start`, is asked for.
    fn within(&self, start: u64, data: &Bytes) -> Bytes {
        let length = data.len() as u64;
        let from = self.range.start.saturating_sub(start).min(length);
        let to = self.range.end.saturating_sub(start).clamp(from, length);
        data.slice(from as usize..to as usize)
    }

    fn check_size(&mut self, part: Pending, size_bytes: u64) -> Result<(), Error> {
        match part.size_bytes {
            Some(said) if said == size_bytes => Ok(()),
            Some(said) => {
                let reason = format!("it has {size_bytes} bytes where its parent says {said}");
                Err(Error::malformed(part.cid, reason))
            }
            None if size_bytes > self.limit_bytes => Err(Error::FileTooLarge {
                cid: self.root,
                size_bytes,
                limit_bytes: self.limit_bytes,
            }),
            None => {
                self.size_bytes = Some(size_bytes);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/walker.rs"]
mod tests;
