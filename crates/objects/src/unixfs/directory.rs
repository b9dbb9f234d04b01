//! Directories that fit one block.

use super::{DIRECTORY_BYTES, data};
use crate::{Block, Cid, Codec, Error, dag_pb};

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
/// of their names.
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
    check_names(&links)
        .map_err(|(name, reason)| Error::Name { name: name.chars().take(80).collect(), reason })?;
    let bytes = dag_pb::encode(&links, &data::DIRECTORY);
    if bytes.len() > DIRECTORY_BYTES {
        let (size_bytes, limit_bytes) = (bytes.len(), DIRECTORY_BYTES);
        return Err(Error::DirectoryTooLarge { size_bytes, limit_bytes });
    }
    Ok(Block::of(Codec::DagPb, bytes))
}

/// Reads the entries of a directory node.
pub(crate) fn entries(cid: Cid, links: Vec<dag_pb::Link>) -> Result<Vec<Entry>, Error> {
    check_names(&links).map_err(|(name, reason)| {
        let name: String = name.chars().take(80).collect();
        Error::malformed(cid, format!("{name:?}: {reason}"))
    })?;
    let entry = |link: dag_pb::Link| Entry {
        name: link.name,
        cid: link.cid,
        size_bytes: link.dag_size_bytes,
    };
    Ok(links.into_iter().map(entry).collect())
}

/// Checks names that are said to be sorted; answers the first bad one with its fault.
fn check_names(links: &[dag_pb::Link]) -> Result<(), (&str, &'static str)> {
    for link in links {
        let fault = match link.name.as_str() {
            "" => "a name cannot be empty",
            "." | ".." => "it has a meaning of its own",
            name if name.contains(['/', '\0']) => "a slash or a zero byte",
            _ => continue,
        };
        return Err((&link.name, fault));
    }
    for pair in links.windows(2) {
        match pair[0].name.cmp(&pair[1].name) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Err((&pair[1].name, "it comes twice")),
            std::cmp::Ordering::Greater => return Err((&pair[1].name, "it is out of order")),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/directory.rs"]
mod tests;
