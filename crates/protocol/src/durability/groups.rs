//! The shards of some groups: a page of a manifest.

use crate::{Error, Manifest, limits};
use identity::canonical;
use objects::{Block, Cid, Codec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha3::Digest as _;
use std::fmt;

/// 32 bytes of SHA3-256 (FIPS 202).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha3(pub [u8; 32]);

impl Sha3 {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha3::Sha3_256::digest(bytes).into())
    }
}

impl fmt::Display for Sha3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha3({self})")
    }
}

impl Serialize for Sha3 {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Sha3 {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let bytes = if d.is_human_readable() {
            let text = String::deserialize(d)?;
            data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?
        } else {
            serde_bytes::ByteBuf::deserialize(d)?.into_vec()
        };
        let array = bytes.try_into().map_err(|_| D::Error::custom("not 32 bytes of SHA3-256"))?;
        Ok(Self(array))
    }
}

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Its name as a block.
    pub cid: Cid,
    /// Its length.
    pub bytes: u32,
    /// Its SHA3-256, a second name that does not lean on SHA-2.
    pub sha3: Sha3,
}

impl Shard {
    /// The shard that a block is.
    pub fn of(block: &Block) -> Self {
        let bytes = u32::try_from(block.bytes.len()).unwrap_or(u32::MAX);
        Self { cid: block.cid, bytes, sha3: Sha3::of(&block.bytes) }
    }
}

/// The shards of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Blocks of the object.
    pub data: Vec<Shard>,
    /// What was made of them: raw blocks as long as the longest of them; copies of a single one.
    pub parity: Vec<Shard>,
}

impl Group {
    /// All shards in the order of the code.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.data.iter().chain(&self.parity)
    }

    /// How many shards there are.
    pub fn total(&self) -> usize {
        self.data.len() + self.parity.len()
    }

    fn check(&self, data: usize, parity: usize) -> Result<(), String> {
        if self.data.len() != data || self.parity.len() != parity {
            return Err(format!("{}+{} shards", self.data.len(), self.parity.len()));
        }
        let longest = self.data.iter().map(|shard| shard.bytes).max().unwrap_or_default();
        if longest as usize > limits::BLOB_BYTES {
            return Err(format!("a shard of {longest} bytes"));
        }
        let fits = |shard: &&Shard| match &self.data[..] {
            [one] => *shard == one,
            _ => shard.bytes == longest && shard.cid.codec() == Codec::Raw,
        };
        match self.parity.iter().find(|shard| !fits(shard)) {
            Some(shard) => Err(format!("{} is no parity of its group", shard.cid)),
            None => Ok(()),
        }
    }
}

/// Some groups of a manifest, one after the other: a DAG-CBOR object that the manifest names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// What kind of object this is: [`Groups::KIND`].
    pub kind: String,
    /// The number of the first group here.
    pub first: u64,
    /// The groups.
    pub groups: Vec<Group>,
}

impl Groups {
    /// What kind of object a page is, and its version.
    pub const KIND: &'static str = "polity/groups/1";
    /// More than the bytes of any shard, with what stands around it.
    const SHARD_BYTES: usize = 112;

    /// How many groups of so many shards a page holds.
    pub fn per_page(total: usize) -> usize {
        ((limits::GROUPS_BYTES - 256) / (total * Self::SHARD_BYTES + 32)).max(1)
    }

    /// A page.
    pub fn new(first: u64, groups: Vec<Group>) -> Self {
        Self { kind: Self::KIND.into(), first, groups }
    }

    /// Reads a page of a manifest, which must begin with the group `first`.
    ///
    /// # Errors
    /// What does not hold.
    pub fn decode(bytes: &[u8], manifest: &Manifest, first: u64) -> Result<Self, Error> {
        let page: Self = canonical::decode(bytes, limits::GROUPS_BYTES)?;
        page.check(manifest, first)?;
        Ok(page)
    }

    /// Checks that this can be the page of a manifest which begins with the group `first`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first thing that is wrong.
    pub fn check(&self, manifest: &Manifest, first: u64) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("page of a manifest", reason));
        if self.kind != Self::KIND {
            return wrong("it is none".into());
        }
        let end = first.saturating_add(self.groups.len() as u64);
        if self.first != first || self.groups.is_empty() || end > manifest.groups {
            return wrong(format!("{} groups from {} on", self.groups.len(), self.first));
        }
        for (number, group) in (first..).zip(&self.groups) {
            let data = manifest.data_of(number);
            if let Err(reason) = group.check(data, manifest.durability.parity()) {
                return wrong(format!("group {number}: {reason}"));
            }
        }
        Ok(())
    }
}
