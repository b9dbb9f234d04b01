//! What is in a directory of content.

use super::ahead::{AHEAD, Ahead};
use crate::failure::Failure;
use api::NodeApi;
use objects::{Cid, Codec, DirectoryWalker, Entry, Node};
use serde::Serialize;

/// Entries of one directory that are read.
pub(crate) const ENTRIES: u64 = 10_000_000;

/// All entries of a directory, sorted by name.
pub(crate) async fn entries<N: NodeApi>(
    ahead: &mut Ahead<N>,
    cid: Cid,
) -> Result<Vec<Entry>, Failure> {
    let mut walker = DirectoryWalker::new(cid, ENTRIES);
    let mut entries = Vec::new();
    while let Some(wanted) = walker.wanted() {
        let upcoming: Vec<_> = walker.upcoming().take(AHEAD).collect();
        let block = ahead.next(wanted, &upcoming).await?;
        entries.extend(walker.give(wanted, block).map_err(unreadable)?);
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Content that is not as it should be.
pub(crate) fn unreadable(error: objects::Error) -> Failure {
    Failure::new(crate::exit::Exit::Unverified, error.to_string())
}

/// What content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    /// A DAG-CBOR value.
    Value,
}

impl Kind {
    pub(crate) fn of(node: Option<&Node>) -> Self {
        match node {
            None => Self::Value,
            Some(Node::Raw(_) | Node::File(_)) => Self::File,
            Some(Node::Directory(_) | Node::Shard(_)) => Self::Directory,
            Some(Node::Symlink(_)) => Self::Symlink,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "link",
            Self::Value => "value",
        }
    }
}

/// Bytes of content that a node says it has: of a file its size, else nothing.
pub(crate) fn content_bytes(node: &Node) -> Option<u64> {
    match node {
        Node::Raw(bytes) => Some(bytes.len() as u64),
        Node::File(file) => Some(file.size_bytes),
        Node::Directory(_) | Node::Shard(_) | Node::Symlink(_) => None,
    }
}

/// One name in a directory, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) cid: Cid,
    pub(crate) kind: Kind,
    /// Bytes of a file's content; of anything else, those of all blocks below it.
    pub(crate) bytes: u64,
}

/// The entries with what they are. The first block of each that is not plain bytes is looked at.
pub(crate) async fn listed<N: NodeApi>(
    ahead: &mut Ahead<N>,
    entries: Vec<Entry>,
) -> Result<Vec<Listed>, Failure> {
    let unknown: Vec<_> =
        entries.iter().filter(|e| e.cid.codec() == Codec::DagPb).map(|e| e.cid).collect();
    let mut unknown = &unknown[..];
    let mut listed = Vec::with_capacity(entries.len());
    for Entry { name, cid, size_bytes } in entries {
        let (kind, bytes) = match cid.codec() {
            Codec::Raw => (Kind::File, size_bytes),
            Codec::DagCbor => (Kind::Value, size_bytes),
            Codec::DagPb => {
                let block = ahead.next(cid, &unknown[..unknown.len().min(AHEAD)]).await?;
                unknown = &unknown[1..];
                let node = Node::parse(cid, block).map_err(unreadable)?;
                (Kind::of(Some(&node)), content_bytes(&node).unwrap_or(size_bytes))
            }
        };
        listed.push(Listed { name, cid, kind, bytes });
    }
    Ok(listed)
}
