//! Merkle trees and inclusion proofs of RFC 9162, section 2.1, over SHA-256.
//!
//! Leaves are hashed with a prefix of 0x00 and nodes with 0x01, so that no node can pass for a
//! leaf. (The proof of the paper has no prefixes, and its tree can be proven to hold its own inner
//! nodes.)

use identity::Digest;
use serde::{Deserialize, Serialize};

/// Why a proof was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not in a tree of this size.
    #[error("leaf {index} is not in a tree of {size}")]
    OutOfRange {
        /// Index that is claimed.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The path does not lead to the root.
    #[error("the path does not lead from the leaf to the root")]
    WrongRoot,
    /// The path is longer or shorter than the tree is deep.
    #[error("the path has the wrong length")]
    WrongLength,
}

/// The hash of a leaf, by its bytes.
pub fn leaf(leaf: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(leaf.len() + 1);
    bytes.push(0);
    bytes.extend(leaf);
    Digest::plain(&bytes)
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Digest::plain(&bytes)
}

/// The root over these leaves, in order; the digest of nothing if there are none.
pub fn root<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Digest {
    let hashes: Vec<_> = leaves.into_iter().map(|leaf| self::leaf(leaf.as_ref())).collect();
    root_of(&hashes)
}

/// The root over leaves whose hashes are known, in order: the same as [`root`] over their bytes.
pub fn root_of(hashes: &[Digest]) -> Digest {
    match hashes {
        [] => Digest::plain(&[]),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(split(hashes.len()));
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// The largest power of two smaller than `n` (n > 1).
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// That a leaf stands at a place in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// Place of the leaf, from 0.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Digest>,
}

impl Inclusion {
    /// The proof for leaf `index`; `None` if there is no such leaf.
    pub fn of<L: AsRef<[u8]>>(leaves: &[L], index: usize) -> Option<Self> {
        if index >= leaves.len() {
            return None;
        }
        let hashes: Vec<_> = leaves.iter().map(|leaf| self::leaf(leaf.as_ref())).collect();
        let mut path = Vec::new();
        let (mut range, mut at) = (&hashes[..], index);
        while range.len() > 1 {
            let (left, right) = range.split_at(split(range.len()));
            if at < left.len() {
                path.push(root_of(right));
                range = left;
            } else {
                path.push(root_of(left));
                at -= left.len();
                range = right;
            }
        }
        path.reverse();
        Some(Self { index: index as u64, size: leaves.len() as u64, path })
    }

    /// Checks that `leaf` stands where the proof says in the tree with this root (RFC 9162,
    /// section 2.1.3.2).
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, leaf: &[u8], root: &Digest) -> Result<(), ProofError> {
        if self.index >= self.size {
            return Err(ProofError::OutOfRange { index: self.index, size: self.size });
        }
        let (mut place, mut last) = (self.index, self.size - 1);
        let mut hash = self::leaf(leaf);
        for sibling in &self.path {
            if last == 0 {
                return Err(ProofError::WrongLength);
            }
            if place & 1 == 1 || place == last {
                hash = node_hash(sibling, &hash);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node_hash(&hash, sibling);
            }
            place >>= 1;
            last >>= 1;
        }
        match (last, hash == *root) {
            (0, true) => Ok(()),
            (0, false) => Err(ProofError::WrongRoot),
            _ => Err(ProofError::WrongLength),
        }
    }
}

/// A tree that only grows: its root after every leaf, in memory that grows with the logarithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growing {
    size: u64,
    /// Roots of the full subtrees, largest first: one for each bit of `size`.
    peaks: Vec<Digest>,
}

impl Growing {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut hash = self::leaf(leaf);
        let mut size = self.size;
        while size & 1 == 1 {
            let left = self.peaks.pop().expect("one peak for each bit of the size");
            hash = node_hash(&left, &hash);
            size >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Leaves so far.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The root, the same as [`root`] over all leaves.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Digest::plain(&[]),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9162 keeps the tree of RFC 6962, whose reference implementation publishes these roots.
    #[test]
    fn roots_agree_with_the_published_vectors() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let hex = |d: Digest| data_encoding::HEXLOWER.encode(d.as_bytes());
        assert_eq!(
            hex(root(leaves)),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
        assert_eq!(
            hex(root(&leaves[..1])),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex(root(&leaves[..3])),
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
        );
    }

    proptest! {
        #[test]
        fn every_leaf_is_proven_and_nothing_else(size in 1usize..70, pick in 0usize..70) {
            let leaves: Vec<[u8; 2]> = (0..size as u16).map(u16::to_be_bytes).collect();
            let at = pick % size;
            let proof = Inclusion::of(&leaves, at).expect("in range");
            let root = root(&leaves);
            prop_assert_eq!(proof.check(&leaves[at], &root), Ok(()));
            prop_assert!(proof.check(b"another", &root).is_err());
            for other in 0..size {
                if other != at {
                    let moved = Inclusion { index: other as u64, ..proof.clone() };
                    prop_assert!(moved.check(&leaves[at], &root).is_err());
                }
            }
            let mut longer = proof.clone();
            longer.path.push(root);
            prop_assert!(longer.check(&leaves[at], &root).is_err());
        }

        #[test]
        fn a_growing_tree_has_the_same_root(size in 0usize..200) {
            let mut growing = Growing::default();
            let leaves: Vec<[u8; 2]> = (0..size as u16).map(u16::to_be_bytes).collect();
            leaves.iter().for_each(|leaf| growing.push(leaf));
            prop_assert_eq!(growing.root(), root(&leaves));
            prop_assert_eq!(growing.len(), size as u64);
        }
    }
}
