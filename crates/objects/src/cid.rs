//! Content identifiers: CIDv1 over one of the hashes of [`enum@Hash`].

use crate::{Error, Hash};
use cid::serde::CID_SERDE_PRIVATE_IDENTIFIER;
use identity::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::Bytes;
use std::{fmt, str::FromStr};

/// Bytes of the binary form.
pub(crate) const CID_BYTES: usize = 36;
/// Bytes of CIDv0: the hash code and the length of sha2-256, and the digest.
const V0_BYTES: usize = 34;
/// What CIDv0 begins with.
const V0_START: [u8; 2] = [0x12, 32];

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
    /// The code in a CID (multicodec table): less than 128, so a varint of one byte.
    pub fn code(self) -> u8 {
        match self {
            Self::Raw => 0x55,
            Self::DagPb => 0x70,
            Self::DagCbor => 0x71,
        }
    }

    /// The codec of a code; none if it is not supported here.
    pub fn from_code(code: u64) -> Option<Self> {
        let all = [Self::Raw, Self::DagPb, Self::DagCbor];
        all.into_iter().find(|codec| u64::from(codec.code()) == code)
    }
}

/// The name of some bytes: their codec, and their digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: Digest,
    hash: Hash,
}

impl Cid {
    /// The CID of `bytes` read as `codec`, over sha2-256.
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self::with(Hash::Sha2_256, codec, bytes)
    }

    /// The CID of `bytes` read as `codec`, over `hash`.
    pub fn with(hash: Hash, codec: Codec, bytes: &[u8]) -> Self {
        Self { codec, digest: hash.digest(bytes), hash }
    }

    /// The CID of a noun: its canonical DAG-CBOR bytes.
    pub fn of_value<T: Serialize>(value: &T) -> Self {
        Self::of(Codec::DagCbor, &identity::canonical::encode(value))
    }

    /// The CID with this sha2-256.
    pub fn from_digest(codec: Codec, digest: Digest) -> Self {
        Self { codec, digest, hash: Hash::Sha2_256 }
    }

    /// How to read the bytes.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How the digest was made.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The digest of the bytes, made as [`Self::hash`] says.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether `bytes` are what this CID names.
    ///
    /// # Errors
    /// [`Error::Mismatch`].
    pub fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        if self.hash.digest(bytes) == self.digest { Ok(()) } else { Err(Error::Mismatch(*self)) }
    }

    /// The 36 bytes: version, codec, hash code, length, digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.array().to_vec()
    }

    /// Reads the CID that foreign bytes begin with, and answers what follows it. CIDv0 means the
    /// CIDv1 of the same dag-pb block.
    ///
    /// # Errors
    /// [`Error::ForeignCid`] for a CID of another codec, hash or length, [`Error::Cid`] for what is
    /// no CID at all.
    pub fn read_foreign(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        if let Some((start, rest)) = bytes.split_at_checked(CID_BYTES)
            && let Some(cid) = Self::from_array(start)
        {
            return Ok((cid, rest));
        }
        if let Some((start, rest)) = bytes.split_at_checked(V0_BYTES)
            && let Some(digest) = start.strip_prefix(&V0_START)
        {
            let digest = Digest::try_from(digest).expect("34 bytes without two");
            return Ok((Self::from_digest(Codec::DagPb, digest), rest));
        }
        match cid::Cid::try_from(bytes) {
            Ok(other) => Err(Error::ForeignCid(other.to_string())),
            Err(error) => Err(Error::Cid(error.to_string())),
        }
    }

    /// The first four bytes: version, codec, hash code, length of the digest.
    fn prefix(&self) -> [u8; 4] {
        [1, self.codec.code(), self.hash.code(), 32]
    }

    /// Every number before the digest is less than 128, and so a varint of one byte.
    fn array(&self) -> [u8; CID_BYTES] {
        let mut bytes = [0; CID_BYTES];
        bytes[..4].copy_from_slice(&self.prefix());
        bytes[4..].copy_from_slice(self.digest.as_bytes());
        bytes
    }

    /// The inverse of [`Self::array`].
    fn from_array(bytes: &[u8]) -> Option<Self> {
        let ([1, codec, hash, 32], digest) = bytes.split_first_chunk()? else { return None };
        Some(Self {
            codec: Codec::from_code((*codec).into())?,
            hash: Hash::from_code((*hash).into())?,
            digest: Digest::try_from(digest).ok()?,
        })
    }

    fn external(&self) -> cid::Cid {
        let hash = multihash::Multihash::wrap(self.hash.code().into(), self.digest.as_bytes())
            .expect("32 bytes fit a multihash of 64");
        cid::Cid::new_v1(self.codec.code().into(), hash)
    }

    fn from_external(cid: &cid::Cid) -> Result<Self, Error> {
        let foreign = || Error::ForeignCid(cid.to_string());
        Ok(Self {
            codec: Codec::from_code(cid.codec()).ok_or_else(foreign)?,
            hash: Hash::from_code(cid.hash().code()).ok_or_else(foreign)?,
            digest: Digest::try_from(cid.hash().digest()).map_err(|_| foreign())?,
        })
    }
}

/// Strict: the one binary form of this crate and nothing else, for nouns and keys.
impl TryFrom<&[u8]> for Cid {
    type Error = Error;
    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        if let Some(cid) = Self::from_array(bytes) {
            return Ok(cid);
        }
        Err(match cid::Cid::try_from(bytes) {
            Ok(other) => Error::Cid(other.to_string()),
            Err(error) => Error::Cid(error.to_string()),
        })
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

/// CIDv1 in any multibase, and CIDv0 (`Qm…`), which means the CIDv1 of the same dag-pb block.
impl FromStr for Cid {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        // The library would look for `/ipfs/` in the text and read what follows it.
        if text.len() > 200 || text.contains('/') {
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
            let external = cid::Cid::deserialize(d)?;
            if external.version() != cid::Version::V1 {
                return Err(D::Error::custom(Error::Cid(external.to_string())));
            }
            Self::from_external(&external).map_err(D::Error::custom)
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
    fn every_hash_has_its_code_and_its_digest() {
        // Digests of the empty input: FIPS 180-4, FIPS 202 and the vectors of BLAKE3.
        for (hash, code, start) in [
            (Hash::Sha2_256, 0x12, [0xe3, 0xb0, 0xc4, 0x42]),
            (Hash::Sha3_256, 0x16, [0xa7, 0xff, 0xc6, 0xf8]),
            (Hash::Blake3, 0x1e, [0xaf, 0x13, 0x49, 0xb9]),
        ] {
            let cid = Cid::with(hash, Codec::Raw, b"");
            let bytes = cid.to_bytes();
            assert_eq!(bytes[..4], [1, 0x55, code, 32]);
            assert_eq!((bytes.len(), &bytes[4..8]), (36, &start[..]));
            assert_eq!(Cid::try_from(bytes.as_slice()), Ok(cid));
            assert_eq!(cid.to_string().parse(), Ok(cid));
            assert_eq!((cid.hash(), cid.check(b"")), (hash, Ok(())));
            assert_eq!(cid.check(b"x"), Err(Error::Mismatch(cid)));
        }
    }

    #[test]
    fn version_0_means_version_1_and_is_read_from_foreign_content_only() {
        let text = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
        let cid: Cid = text.parse().expect("CIDv0");
        assert_eq!((cid.codec(), cid.hash()), (Codec::DagPb, Hash::Sha2_256));
        assert!(cid.to_string().starts_with("bafybei"));
        let v0 = [&V0_START[..], cid.digest().as_bytes(), b"tail"].concat();
        assert_eq!(Cid::read_foreign(&v0), Ok((cid, &b"tail"[..])));
        assert!(Cid::try_from(&v0[..34]).is_err(), "no second encoding of one CID");
        let link = [&[0xd8, 42, 0x58, 35, 0][..], &v0[..34]].concat();
        assert!(identity::canonical::decode::<Cid>(&link, 64).is_err());
    }

    #[test]
    fn other_hashes_codecs_and_texts_are_refused() {
        for (text, foreign) in [
            ("bafk2bzaceaigaiacmfyhgzjaor2xaidumfwgylqcgyziaoyzehcswxjpj4zya", true),
            // Above blake2b, here the identity hash, and git-raw.
            ("bafkqaaa", true),
            ("baf4bcfg4ep767tjp5lxyanx5urpjjgx5q2volvy", true),
            ("/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", false),
            ("", false),
            ("bafy", false),
        ] {
            let error = text.parse::<Cid>().expect_err(text);
            assert_eq!(matches!(error, Error::ForeignCid(_)), foreign, "{error}");
        }
        let identity = [1, 0x55, 0, 1, b'x', 9];
        let read = Cid::read_foreign(&identity);
        assert_eq!(read, Err(Error::ForeignCid("bafkqaaly".into())), "{read:?}");
    }
}
