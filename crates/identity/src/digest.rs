//! SHA-256 digests under a tag, and the name of a network.

use crate::Error;
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use std::{fmt, str::FromStr};

/// 32 bytes of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `parts` under `tag`. Every part is preceded by its length (u64, big endian),
    /// so that no two lists of parts share their bytes.
    pub fn of(tag: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new(tag);
        for part in parts {
            hasher.part(part);
        }
        hasher.finish()
    }

    /// Plain SHA-256 of `bytes`, without a tag (for structures that other standards define).
    pub fn plain(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Incremental form of [`Digest::of`]. A copy goes on from what both have.
#[derive(Clone)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Starts a digest under `tag`.
    pub fn new(tag: &str) -> Self {
        let mut hasher = Self(sha2::Sha256::new());
        hasher.part(tag.as_bytes());
        hasher
    }

    /// Adds one part, preceded by its length.
    pub fn part(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .map_err(|_| Error::Digest(text.chars().take(80).collect()))?;
        Self::try_from(bytes.as_slice())
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = Error;
    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        let array =
            bytes.try_into().map_err(|_| Error::Digest(format!("{} bytes", bytes.len())))?;
        Ok(Self(array))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(D::Error::custom)
        } else {
            let bytes = serde_bytes::ByteBuf::deserialize(d)?;
            Self::try_from(bytes.as_slice()).map_err(D::Error::custom)
        }
    }
}

/// The name of a network: the digest of its genesis document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct NetworkId(pub Digest);

impl NetworkId {
    /// The name under which founders speak before their network has one: all zero.
    pub const FOUNDING: Self = Self(Digest([0; 32]));
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkId({})", self.0)
    }
}

impl FromStr for NetworkId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self)
    }
}
