//! Files from bytes, block by block.

use super::{CHUNK_BYTES, NODE_LINKS, data};
use crate::{Block, Cid, Codec, dag_pb};
use bytes::Bytes;
use std::mem;

/// The top of a finished file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRoot {
    /// The file.
    pub cid: Cid,
    /// Bytes of its content.
    pub size_bytes: u64,
    /// Bytes of all its blocks; what a directory entry says.
    pub dag_size_bytes: u64,
}

/// Makes the blocks of a file out of its bytes. Holds at most one chunk and, for every level of
/// the tree, the links of one node.
#[derive(Clone)]
pub struct FileBuilder {
    chunk_bytes: usize,
    node_links: usize,
    chunk: Vec<u8>,
    /// Links that wait for their node, by level; leaves first.
    levels: Vec<Vec<FileRoot>>,
}

impl Default for FileBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl FileBuilder {
    /// A builder for one file.
    pub fn new() -> Self {
        Self::shaped(CHUNK_BYTES, NODE_LINKS)
    }

    /// A builder of smaller trees, so that tests can see many levels.
    pub(crate) fn shaped(chunk_bytes: usize, node_links: usize) -> Self {
        Self { chunk_bytes, node_links, chunk: Vec::new(), levels: Vec::new() }
    }

    /// Takes the next bytes and appends the blocks that are complete now. What is appended is about
    /// as large as `bytes`: push in steps that you can hold.
    pub fn push(&mut self, mut bytes: &[u8], blocks: &mut Vec<Block>) {
        while !bytes.is_empty() {
            let room = self.chunk_bytes - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == self.chunk_bytes {
                self.end_chunk(blocks);
            }
        }
    }

    /// Ends the file and appends its last blocks, the root at the end. A file of at most one chunk
    /// is a single raw block.
    pub fn finish(mut self, blocks: &mut Vec<Block>) -> FileRoot {
        if !self.chunk.is_empty() || self.levels.is_empty() {
            self.end_chunk(blocks);
        }
        let mut level = 0;
        loop {
            let links = mem::take(&mut self.levels[level]);
            let is_top = level + 1 == self.levels.len();
            if let ([root], true) = (links.as_slice(), is_top) {
                return *root;
            }
            let parent = node(&links, blocks);
            self.add(level + 1, parent, blocks);
            level += 1;
        }
    }

    fn end_chunk(&mut self, blocks: &mut Vec<Block>) {
        let block = Block::of(Codec::Raw, mem::take(&mut self.chunk));
        let size_bytes = block.bytes.len() as u64;
        let leaf = FileRoot { cid: block.cid, size_bytes, dag_size_bytes: size_bytes };
        blocks.push(block);
        self.add(0, leaf, blocks);
    }

    /// A full node is closed only when one more link comes, so that the last one can be the root.
    fn add(&mut self, level: usize, link: FileRoot, blocks: &mut Vec<Block>) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        if self.levels[level].len() == self.node_links {
            let full = mem::take(&mut self.levels[level]);
            let parent = node(&full, blocks);
            self.add(level + 1, parent, blocks);
        }
        self.levels[level].push(link);
    }
}

/// The inner node above `children`, appended to `blocks`.
fn node(children: &[FileRoot], blocks: &mut Vec<Block>) -> FileRoot {
    let links: Vec<_> = children
        .iter()
        .map(|child| dag_pb::Link {
            cid: child.cid,
            name: String::new(),
            dag_size_bytes: child.dag_size_bytes,
        })
        .collect();
    let data = data::encode_file(children.iter().map(|child| child.size_bytes));
    let block = Block::of(Codec::DagPb, dag_pb::encode(&links, &data));
    let below: u64 = children.iter().map(|child| child.dag_size_bytes).sum();
    let root = FileRoot {
        cid: block.cid,
        size_bytes: children.iter().map(|child| child.size_bytes).sum(),
        dag_size_bytes: block.bytes.len() as u64 + below,
    };
    blocks.push(block);
    root
}

/// The root of a file whose bytes are in memory, and its blocks, the root at the end.
pub fn file(bytes: &Bytes) -> (FileRoot, Vec<Block>) {
    let mut blocks = Vec::new();
    if bytes.len() <= CHUNK_BYTES {
        let block = Block::of(Codec::Raw, bytes.clone());
        let size_bytes = bytes.len() as u64;
        let root = FileRoot { cid: block.cid, size_bytes, dag_size_bytes: size_bytes };
        return (root, vec![block]);
    }
    let mut builder = FileBuilder::new();
    builder.push(bytes, &mut blocks);
    let root = builder.finish(&mut blocks);
    (root, blocks)
}

#[cfg(test)]
#[path = "tests/builder.rs"]
pub(crate) mod tests;
