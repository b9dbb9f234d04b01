//! Blocks read as files and directories.

use super::{
    Entry, MAX_FILE_LINKS, NODE_BYTES,
    data::{self, Kind},
    directory,
    shard::Shard,
};
use crate::{Cid, Codec, Error, dag_pb};
use bytes::Bytes;

/// A part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileLink {
    /// The block at the top of the part.
    pub cid: Cid,
    /// Bytes of content in the part, as its parent says; never 0.
    pub size_bytes: u64,
}

/// An inner node of a file, or a whole file that is not raw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileNode {
    /// Content that stands in the node itself, before that of its links. Empty in our profile.
    pub data: Bytes,
    /// The parts that follow, in order.
    pub links: Vec<FileLink>,
    /// Bytes of content, which is that of `data` and all `links` together.
    pub size_bytes: u64,
}

/// What a block is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// Content as it is: a small file, or a leaf of a larger one.
    Raw(Bytes),
    /// A file made of parts.
    File(FileNode),
    /// A directory, sorted by name.
    Directory(Vec<Entry>),
    /// A part of a sharded directory; see [`super::DirectoryWalker`].
    Shard(Shard),
    /// A symbolic link to this path.
    Symlink(String),
}

impl Node {
    /// Reads a block, checked against its CID.
    ///
    /// # Errors
    /// [`Error::Mismatch`], [`Error::Malformed`], [`Error::ForeignCid`] for a link of a codec or
    /// hash that is not supported here, or [`Error::Unsupported`] for blocks that are no UnixFS.
    pub fn parse(cid: Cid, bytes: Bytes) -> Result<Self, Error> {
        cid.check(&bytes)?;
        Self::read(cid, bytes)
    }

    /// [`Self::parse`] for bytes that were checked already.
    pub(crate) fn read(cid: Cid, bytes: Bytes) -> Result<Self, Error> {
        match cid.codec() {
            Codec::Raw => Ok(Self::Raw(bytes)),
            Codec::DagCbor => Err(Error::Unsupported { cid, what: "a DAG-CBOR value" }),
            Codec::DagPb => Self::read_pb(cid, &bytes),
        }
    }

    /// What it is, in words for errors.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Raw(_) | Self::File(_) => "a file",
            Self::Directory(_) => "a directory",
            Self::Shard(_) => "a sharded directory",
            Self::Symlink(_) => "a symbolic link",
        }
    }

    fn read_pb(cid: Cid, bytes: &Bytes) -> Result<Self, Error> {
        let malformed = |reason: String| Error::malformed(cid, reason);
        if bytes.len() > NODE_BYTES {
            return Err(malformed(format!("{} bytes", bytes.len())));
        }
        let node = dag_pb::decode(cid, bytes)?;
        let data = node.data.ok_or_else(|| malformed("it has no data".into()))?;
        let data = data::decode(data).map_err(malformed)?;
        match data.kind {
            Kind::File | Kind::Raw => file(cid, bytes, node.links, &data),
            Kind::Directory if data.block_sizes.is_empty() && data.data.is_empty() => {
                directory::entries(cid, node.links).map(Self::Directory)
            }
            Kind::Directory => Err(malformed("a directory with content of its own".into())),
            Kind::Metadata => Err(Error::Unsupported { cid, what: "metadata" }),
            Kind::Symlink => symlink(cid, &node.links, &data),
            Kind::Shard => Shard::read(cid, node.links, &data).map(Self::Shard),
        }
    }
}

fn symlink(cid: Cid, links: &[dag_pb::Link], data: &data::Data<'_>) -> Result<Node, Error> {
    let malformed = |reason: &str| Error::malformed(cid, reason);
    if !links.is_empty() {
        return Err(malformed("a symbolic link with links of its own"));
    }
    let target = std::str::from_utf8(data.data);
    let target = target.map_err(|_| malformed("a symbolic link to a path that is not UTF-8"))?;
    Ok(Node::Symlink(target.to_string()))
}

fn file(
    cid: Cid,
    bytes: &Bytes,
    links: Vec<dag_pb::Link>,
    data: &data::Data<'_>,
) -> Result<Node, Error> {
    let malformed = |reason: &str| Err(Error::malformed(cid, reason));
    if links.len() > MAX_FILE_LINKS {
        return malformed("too many links in one node");
    }
    if links.len() != data.block_sizes.len() {
        return malformed("its links and their sizes do not pair up");
    }
    let total = data
        .block_sizes
        .iter()
        .try_fold(data.data.len() as u64, |sum, size| sum.checked_add(*size));
    let Some(total) = total.filter(|total| data.size_bytes.is_none_or(|said| said == *total))
    else {
        return malformed("its size is not the sum of its parts");
    };
    let mut parts = Vec::with_capacity(links.len());
    for (link, size_bytes) in links.into_iter().zip(data.block_sizes.iter().copied()) {
        // A part without content would let a small file ask for blocks without end.
        if size_bytes == 0 || !link.name.is_empty() || link.cid.codec() == Codec::DagCbor {
            return malformed("a part is empty, has a name, or is no file");
        }
        parts.push(FileLink { cid: link.cid, size_bytes });
    }
    let data_bytes = if data.data.is_empty() { Bytes::new() } else { bytes.slice_ref(data.data) };
    Ok(Node::File(FileNode { data: data_bytes, links: parts, size_bytes: total }))
}

#[cfg(test)]
#[path = "tests/node.rs"]
mod tests;
