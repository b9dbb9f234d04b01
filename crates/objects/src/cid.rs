//! Content identifiers: CIDv1 over sha2-256.

use crate::Error;
use cid::serde::CID_SERDE_PRIVATE_IDENTIFIER;
use identity::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::Bytes;
use std::{fmt, str::FromStr};

const SHA2_256: u8 = 0x12;

/// How the bytes behind a CID are to be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    /// Bytes as they are.
    Raw,
    /// UnixFS: a file or a directory.
    DagPb,
    /// A DAG-CBOR value.
    DagCbor,
}

impl Codec {
    fn code(self) -> u8 {
        match self {
            Self::Raw => 0x55,
            Self::DagPb => 0x70,
            Self::DagCbor => 0x71,
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        let all = [Self::Raw, Self::DagPb, Self::DagCbor];
        all.into_iter().find(|codec| u64::from(codec.code()) == code)
    }
}

/// The name of some bytes: their codec and their sha2-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: Digest,
}

impl Cid {
    /// The CID of `bytes` read as `codec`.
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self { codec, digest: Digest::plain(bytes) }
    }

    /// The CID of a noun: its canonical DAG-CBOR bytes.
    pub fn of_value<T: Serialize>(value: &T) -> Self {
        Self::of(Codec::DagCbor, &identity::canonical::encode(value))
    }

    /// The CID with this digest.
    pub fn from_digest(codec: Codec, digest: Digest) -> Self {
        Self { codec, digest }
    }

    /// How to read the bytes.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The sha2-256 of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether `bytes` are what this CID names.
    ///
    /// # Errors
    /// [`Error::Mismatch`].
    pub fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        if Digest::plain(bytes) == self.digest { Ok(()) } else { Err(Error::Mismatch(*self)) }
    }

    /// The 36 bytes: version, codec, hash code, length, digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.array().to_vec()
    }

    /// Every number before the digest is less than 128, and so a varint of one byte.
    fn array(&self) -> [u8; 36] {
        let mut bytes = [0; 36];
        bytes[..4].copy_from_slice(&[1, self.codec.code(), SHA2_256, 32]);
        bytes[4..].copy_from_slice(self.digest.as_bytes());
        bytes
    }

    fn external(&self) -> cid::Cid {
        let hash = multihash::Multihash::wrap(SHA2_256.into(), self.digest.as_bytes())
            .expect("32 bytes fit a multihash of 64");
        cid::Cid::new_v1(self.codec.code().into(), hash)
    }

    fn from_external(cid: &cid::Cid) -> Result<Self, Error> {
        let wrong = || Error::Cid(cid.to_string());
        let codec = Codec::from_code(cid.codec()).ok_or_else(wrong)?;
        if cid.version() != cid::Version::V1 || cid.hash().code() != u64::from(SHA2_256) {
            return Err(wrong());
        }
        let digest = Digest::try_from(cid.hash().digest()).map_err(|_| wrong())?;
        Ok(Self { codec, digest })
    }
}

impl TryFrom<&[u8]> for Cid {
    type Error = Error;
    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        let external = cid::Cid::try_from(bytes).map_err(|e| Error::Cid(e.to_string()))?;
        let parsed = Self::from_external(&external)?;
        // One CID, one encoding: the varints of the outer form must be minimal and the tail empty.
        if parsed.to_bytes() == bytes { Ok(parsed) } else { Err(Error::Cid(external.to_string())) }
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.external().fmt(f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > 200 {
            return Err(Error::Cid(text.chars().take(80).collect()));
        }
        let external = cid::Cid::from_str(text).map_err(|_| Error::Cid(text.to_string()))?;
        Self::from_external(&external)
    }
}

/// A link in DAG-CBOR (tag 42), text elsewhere.
impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return s.collect_str(self);
        }
        s.serialize_newtype_struct(CID_SERDE_PRIVATE_IDENTIFIER, Bytes::new(&self.array()))
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(D::Error::custom)
        } else {
            Self::from_external(&cid::Cid::deserialize(d)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_come_back() {
        let cid = Cid::of(Codec::Raw, b"hello");
        assert_eq!(cid.to_string(), "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq");
        assert_eq!(cid.to_string().parse::<Cid>().expect("text"), cid);
        assert_eq!(Cid::try_from(cid.to_bytes().as_slice()).expect("bytes"), cid);
        assert_eq!(cid.to_bytes().len(), 36);
        assert_eq!(cid.to_bytes(), cid.external().to_bytes());
    }

    #[test]
    fn it_is_a_link_in_canonical_bytes() {
        let cid = Cid::of(Codec::DagCbor, b"x");
        let bytes = identity::canonical::encode(&cid);
        assert_eq!(bytes[..5], [0xd8, 42, 0x58, 37, 0]);
        assert_eq!(identity::canonical::decode::<Cid>(&bytes, 64).expect("link"), cid);
    }

    #[test]
    fn other_hashes_versions_and_codecs_are_refused() {
        for text in [
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
            "bafk2bzaceaigaiacmfyhgzjaor2xaidumfwgylqcgyziaoyzehcswxjpj4zya",
            "",
            "bafy",
        ] {
            assert!(text.parse::<Cid>().is_err(), "{text}");
        }
    }
}
