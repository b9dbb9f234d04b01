//! Content as pure values: CIDs, DAG-CBOR, UnixFS files and directories, CAR streams.
//!
//! Files and directories follow the profile `unixfs-v1-2025` (IPIP-499): CIDv1, raw leaves, chunks
//! of 1 MiB, balanced trees with at most 1,024 links per node, directories sharded above 256 KiB.
//! Nothing here reads or writes: a [`FileBuilder`] takes bytes and gives blocks, a [`FileWalker`]
//! says which block it wants next. So do a [`DirectoryBuilder`] and a [`DirectoryWalker`], a
//! [`Resolver`] for paths, and a [`DagWalker`] for everything below a root.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod block;
pub mod car;
mod cbor;
mod cid;
mod dag_pb;
mod dag_walker;
mod error;
mod hash;
mod links;
mod name;
mod unixfs;
mod wire;

pub use block::{Block, Checked};
pub use cid::{Cid, Codec};
pub use dag_walker::{DagLimits, DagWalker};
pub use error::Error;
pub use hash::Hash;
pub use links::links;
pub use name::{CaseClashes, NAME_BYTES, safe_name};
pub use unixfs::{
    CHUNK_BYTES, DIRECTORY_BYTES, DirectoryBuilder, DirectoryRoot, DirectoryWalker, Entry,
    FileBuilder, FileLink, FileNode, FileRoot, FileWalker, MAX_DEPTH, MAX_FILE_LINKS, MAX_SEGMENTS,
    NODE_BYTES, NODE_LINKS, Node, Resolved, Resolver, Shard, Slot, directory, file, symlink,
};
