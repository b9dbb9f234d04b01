//! Directories that fit one block.

use super::{DIRECTORY_BYTES, data, names};
use crate::{Block, Cid, Codec, Error, dag_pb, error::shortened};

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// The name: not empty, not `.` or `..`, without `/` and zero bytes.
    pub name: String,
    /// What it names.
    pub cid: Cid,
    /// Bytes of all blocks below the name ([`super::FileRoot::dag_size_bytes`]); a hint.
    pub size_bytes: u64,
}

/// The block of a directory. The order of `entries` does not matter: they are sorted by the bytes
/// of their names. For directories of any size see [`super::DirectoryBuilder`].
///
/// # Errors
/// [`Error::Name`] for a name that is not plain or comes twice, [`Error::DirectoryTooLarge`] for
/// more than [`DIRECTORY_BYTES`].
pub fn directory(entries: &[Entry]) -> Result<Block, Error> {
    let mut links: Vec<_> = entries
        .iter()
        .map(|entry| dag_pb::Link {
            cid: entry.cid,
            name: entry.name.clone(),
            dag_size_bytes: entry.size_bytes,
        })
        .collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some((name, reason)) = fault(&links) {
        return Err(Error::name(name, reason));
    }
    let bytes = dag_pb::encode(&links, &data::DIRECTORY);
    if bytes.len() > DIRECTORY_BYTES {
        let (size_bytes, limit_bytes) = (bytes.len(), DIRECTORY_BYTES);
        return Err(Error::DirectoryTooLarge { size_bytes, limit_bytes });
    }
    Ok(Block::of(Codec::DagPb, bytes))
}

/// Reads the entries of a directory node. Old writers did not sort them: here they are.
pub(crate) fn entries(cid: Cid, mut links: Vec<dag_pb::Link>) -> Result<Vec<Entry>, Error> {
    if !links.is_sorted_by(|a, b| a.name <= b.name) {
        links.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if let Some((name, reason)) = fault(&links) {
        return Err(Error::malformed(cid, format!("{:?}: {reason}", shortened(name))));
    }
    let entry = |link: dag_pb::Link| Entry {
        name: link.name,
        cid: link.cid,
        size_bytes: link.dag_size_bytes,
    };
    Ok(links.into_iter().map(entry).collect())
}

/// The first bad name of sorted links, and what is wrong with it.
fn fault(links: &[dag_pb::Link]) -> Option<(&str, &'static str)> {
    let names = || links.iter().map(|link| link.name.as_str());
    let bad = names().find_map(|name| names::fault(name).map(|reason| (name, reason)));
    let twice = || {
        let same = names().zip(names().skip(1)).find(|(a, b)| a == b);
        same.map(|(name, _)| (name, "it comes twice"))
    };
    bad.or_else(twice)
}

#[cfg(test)]
#[path = "tests/directory.rs"]
mod tests;
