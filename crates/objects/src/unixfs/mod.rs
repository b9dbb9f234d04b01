//! UnixFS: files and directories as blocks.
//!
//! Source: UnixFS specification and IPIP-499, profile `unixfs-v1-2025`.

mod builder;
mod data;
mod directory;
mod directory_builder;
mod directory_walker;
mod hamt;
mod murmur;
mod names;
mod node;
mod resolver;
mod shard;
mod symlink;
mod walker;

pub use builder::{FileBuilder, FileRoot, file};
pub use directory::{Entry, directory};
pub use directory_builder::{DirectoryBuilder, DirectoryRoot};
pub use directory_walker::DirectoryWalker;
pub use node::{FileLink, FileNode, Node};
pub use resolver::{MAX_SEGMENTS, Resolved, Resolver};
pub use shard::{Shard, Slot};
pub use symlink::symlink;
pub use walker::FileWalker;

/// Bytes of one chunk of a file.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Links of one node of a file that is written here.
pub const NODE_LINKS: usize = 1024;
/// Links of one node of a file that is read here; other profiles use 174 or 1,024.
pub const MAX_FILE_LINKS: usize = 8192;
/// Levels of a file that is read here, leaves included. Four levels of the profile hold an exbibyte.
pub const MAX_DEPTH: usize = 16;
/// Bytes of one node that is read here.
pub const NODE_BYTES: usize = 4 << 20;
/// Bytes of one directory block that is written here. A larger directory is sharded.
pub const DIRECTORY_BYTES: usize = 256 << 10;
