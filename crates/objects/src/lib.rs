//! Content as pure values: CIDs, DAG-CBOR, UnixFS files and directories, CAR streams.
//!
//! Files and directories follow the profile `unixfs-v1-2025` (IPIP-499): CIDv1, raw leaves, chunks
//! of 1 MiB, balanced trees with at most 1,024 links per node. Nothing here reads or writes: a
//! [`FileBuilder`] takes bytes and gives blocks, a [`FileWalker`] says which block it wants next.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod block;
pub mod car;
mod cid;
mod dag_pb;
mod error;
mod unixfs;
mod wire;

pub use block::Block;
pub use cid::{Cid, Codec};
pub use error::Error;
pub use unixfs::{
    CHUNK_BYTES, DIRECTORY_BYTES, Entry, FileBuilder, FileLink, FileNode, FileRoot, FileWalker,
    MAX_DEPTH, MAX_FILE_LINKS, NODE_BYTES, NODE_LINKS, Node, directory, file,
};
