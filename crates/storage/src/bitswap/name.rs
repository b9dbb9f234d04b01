//! CIDs as peers write them: of either version, and of codecs and hashes that this node does not
//! know. What a peer asks for is answered in its own words.

use super::protobuf::{put_varint, read_varint};
use bytes::Bytes;
use objects::{Checked, Cid};

/// The longest CID that is looked at, in bytes.
const MAX_BYTES: usize = 128;
/// Opens a CIDv0: sha2-256 and its length.
const V0: [u8; 2] = [0x12, 0x20];
const V0_BYTES: usize = 34;
const DAG_PB: u64 = 0x70;

/// A CID in a peer's own bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Name(Bytes);

impl Name {
    /// As this node writes it.
    pub(super) fn of(cid: &Cid) -> Self {
        Self(cid.to_bytes().into())
    }

    /// Reads a CID of any kind; `None` if it is none. The bytes are copied: they would keep the
    /// whole message in memory.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        digest_bytes(bytes).map(|_| Self(Bytes::copy_from_slice(bytes)))
    }

    /// The object that it names; `None` if it is of a kind that this node does not keep.
    pub(super) fn cid(&self) -> Option<Cid> {
        let (cid, rest) = Cid::read_foreign(&self.0).ok()?;
        rest.is_empty().then_some(cid)
    }

    /// What stands before a block with this name: version, codec, hash and its length.
    pub(super) fn prefix(&self) -> Vec<u8> {
        let digest_bytes = digest_bytes(&self.0).unwrap_or_default();
        let head = &self.0[..self.0.len() - digest_bytes];
        if head == V0 {
            let mut prefix = vec![0];
            put_varint(&mut prefix, DAG_PB);
            prefix.extend(V0);
            return prefix;
        }
        head.to_vec()
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How many bytes at the end of a CID are the digest; `None` if it is no CID.
fn digest_bytes(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(&V0) {
        return (bytes.len() == V0_BYTES).then_some(V0_BYTES - V0.len());
    }
    let (version, rest) = read_varint(bytes)?;
    let (_, rest) = read_varint(rest)?;
    let (_, rest) = read_varint(rest)?;
    let (length, digest) = read_varint(rest)?;
    (version == 1 && length == digest.len() as u64).then_some(digest.len())
}

/// The block that comes with this prefix; `None` if it is of a kind that nobody here asks for.
pub(super) fn block_of(prefix: &[u8], data: Bytes) -> Option<Checked> {
    let (version, rest) = read_varint(prefix)?;
    if version > 1 {
        return None;
    }
    // The name of other bytes that begins in the same way.
    let alike = [&[1][..], rest, &[0; 32]].concat();
    let alike = Cid::try_from(&alike[..]).ok()?;
    Some(Checked::with(alike.hash(), alike.codec(), data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Codec, Hash};

    #[test]
    fn both_versions_of_a_name_are_one_object() {
        let cid = Cid::of(Codec::DagPb, b"node");
        let new = Name::of(&cid);
        let old = [&V0[..], cid.digest().as_bytes()].concat();
        let old = Name::parse(&old).expect("version 0");
        assert_ne!(old, new);
        assert_eq!((old.cid(), new.cid()), (Some(cid), Some(cid)));
        assert_eq!(old.prefix(), [0, 0x70, 0x12, 0x20]);
        assert_eq!(new.prefix(), [1, 0x70, 0x12, 0x20]);
        for prefix in [old.prefix(), new.prefix()] {
            assert_eq!(named(&prefix, b"node"), Some(cid));
        }
    }

    fn named(prefix: &[u8], data: &'static [u8]) -> Option<Cid> {
        block_of(prefix, Bytes::from_static(data)).map(|block| block.block().cid)
    }

    #[test]
    fn every_hash_of_ours_is_known() {
        for hash in [Hash::Sha2_256, Hash::Sha3_256, Hash::Blake3] {
            let cid = Cid::with(hash, Codec::Raw, b"bytes");
            let name = Name::of(&cid);
            assert_eq!(name.cid(), Some(cid));
            assert_eq!(named(&name.prefix(), b"bytes"), Some(cid));
        }
    }

    #[test]
    fn names_of_other_kinds_are_names_of_nothing_that_is_here() {
        let sha512 = [&[1, 0x55, 0x13, 64][..], &[7; 64]].concat();
        let git = [&[1, 0x78, 0x12, 32][..], &[7; 32]].concat();
        let inline = [1, 0x55, 0, 3, 1, 2, 3];
        for other in [&sha512[..], &git, &inline] {
            let name = Name::parse(other).expect("a CID of another kind");
            assert_eq!((name.cid(), name.bytes()), (None, other));
            assert_eq!(named(&name.prefix(), b"data"), None);
        }
    }

    #[test]
    fn what_is_no_cid_is_refused() {
        let good = Cid::of(Codec::Raw, b"x").to_bytes();
        let long = [&good[..], &[0; 100]].concat();
        for wrong in [&good[..35], &[], &[0x12, 0x20, 1], &[2, 0x55, 0x12, 0], &long] {
            assert_eq!(Name::parse(wrong), None);
        }
    }
}
