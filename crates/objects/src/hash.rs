//! The hashes that a CID can carry.

use identity::Digest;
use sha3::Digest as _;

/// How the digest in a CID was made. All have 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Hash {
    /// SHA-256 (FIPS 180-4): what is written here, if nothing else is said.
    #[default]
    Sha2_256,
    /// SHA3-256 (FIPS 202).
    Sha3_256,
    /// BLAKE3 with 32 bytes of output.
    Blake3,
}

impl Hash {
    /// The code in a multihash (multicodec table): less than 128, so a varint of one byte.
    pub fn code(self) -> u8 {
        match self {
            Self::Sha2_256 => 0x12,
            Self::Sha3_256 => 0x16,
            Self::Blake3 => 0x1e,
        }
    }

    /// The hash of a code; none if it is not supported here.
    pub fn from_code(code: u64) -> Option<Self> {
        let all = [Self::Sha2_256, Self::Sha3_256, Self::Blake3];
        all.into_iter().find(|hash| u64::from(hash.code()) == code)
    }

    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        match self {
            Self::Sha2_256 => Digest::plain(bytes),
            Self::Sha3_256 => Digest(sha3::Sha3_256::digest(bytes).into()),
            Self::Blake3 => Digest(*blake3::hash(bytes).as_bytes()),
        }
    }
}
