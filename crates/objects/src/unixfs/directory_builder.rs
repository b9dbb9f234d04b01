//! Directories of any size.

use super::{
    DIRECTORY_BYTES, Entry, data,
    hamt::{Placed, Writer},
    murmur::murmur,
    names,
    shard::{FANOUT, Place},
};
use crate::{Block, Cid, Codec, Error, dag_pb};

/// The top of a finished directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectoryRoot {
    /// The directory.
    pub cid: Cid,
    /// Bytes of all its blocks and of all that its entries name; what the entry of a directory in
    /// another one says.
    pub dag_size_bytes: u64,
    /// Names in it.
    pub entries: u64,
    /// Blocks of the directory itself.
    pub blocks: u64,
}

/// Makes the blocks of a directory out of its entries, which come in any order. Up to
/// [`DIRECTORY_BYTES`] of it are one block; a larger one is sharded (profile `unixfs-v1-2025`: by
/// the size of the block, 256 slots). It holds the entries, and a hash for each.
#[derive(Clone, Debug)]
pub struct DirectoryBuilder {
    entries: Vec<Placed>,
    /// Bytes of the block that would hold all of them.
    block_bytes: usize,
    limit_bytes: usize,
    fanout: u32,
}

impl Default for DirectoryBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl DirectoryBuilder {
    /// A builder for one directory.
    pub fn new() -> Self {
        Self::shaped(DIRECTORY_BYTES, FANOUT)
    }

    /// A builder that splits elsewhere, so that tests can see many levels.
    pub(crate) fn shaped(limit_bytes: usize, fanout: u32) -> Self {
        let block_bytes = dag_pb::encode([], &data::DIRECTORY).len();
        Self { entries: Vec::new(), block_bytes, limit_bytes, fanout }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that is not plain. Whether it comes twice is seen at the end.
    pub fn push(&mut self, entry: Entry) -> Result<(), Error> {
        names::check(&entry.name)?;
        self.block_bytes += dag_pb::link_bytes(entry.name.len(), entry.size_bytes);
        self.entries.push((murmur(entry.name.as_bytes()), entry));
        Ok(())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ends the directory and gives its blocks to `emit`, the root at the end. What `emit` refuses
    /// ends the work.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that comes twice, or for names that were made to have one hash;
    /// else what `emit` says.
    pub fn finish<E: From<Error>>(
        mut self,
        mut emit: impl FnMut(Block) -> Result<(), E>,
    ) -> Result<DirectoryRoot, E> {
        self.entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
        if let Some(pair) = self.entries.windows(2).find(|pair| pair[0].1.name == pair[1].1.name) {
            return Err(Error::name(&pair[0].1.name, "it comes twice").into());
        }
        if self.block_bytes > self.limit_bytes {
            let bits = self.fanout.trailing_zeros();
            return Writer { bits, emit: &mut emit }.shard(&self.entries, Place::default());
        }
        let entries = self.entries.len() as u64;
        let mut links: Vec<_> = self.entries.into_iter().map(|(_, entry)| link(entry)).collect();
        links.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let block = Block::of(Codec::DagPb, dag_pb::encode(&links, &data::DIRECTORY));
        let sizes = links.iter().map(|link| link.dag_size_bytes);
        let dag_size_bytes = sizes.fold(block.bytes.len() as u64, u64::saturating_add);
        let root = DirectoryRoot { cid: block.cid, dag_size_bytes, entries, blocks: 1 };
        emit(block)?;
        Ok(root)
    }
}

fn link(entry: Entry) -> dag_pb::Link {
    dag_pb::Link { cid: entry.cid, name: entry.name, dag_size_bytes: entry.size_bytes }
}

#[cfg(test)]
#[path = "tests/directory_builder.rs"]
mod tests;
