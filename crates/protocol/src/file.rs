//! Files that people keep: magic, canonical bytes, SHA-256 of both.

use identity::{Digest, canonical};
use serde::{Serialize, de::DeserializeOwned};

/// Why bytes are not such a file.
pub(crate) enum Damage {
    /// Another beginning, cut short, or changed.
    Form(&'static str),
    /// The content does not decode.
    Content(identity::Error),
}

/// Writes a file.
pub(crate) fn encode<T: Serialize>(magic: &[u8; 8], value: &T) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(canonical::encode(value));
    let digest = Digest::plain(&bytes);
    bytes.extend(digest.as_bytes());
    bytes
}

/// Reads a file. What it says is not checked yet.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(
    magic: &[u8; 8],
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, Damage> {
    let rest = bytes.strip_prefix(magic).ok_or(Damage::Form("it does not begin like one"))?;
    if rest.len() < 32 {
        return Err(Damage::Form("it is cut short"));
    }
    let (content, digest) = rest.split_at(rest.len() - 32);
    if Digest::plain(&bytes[..bytes.len() - 32]).as_bytes() != digest {
        return Err(Damage::Form("its checksum does not hold"));
    }
    canonical::decode(content, limit_bytes).map_err(Damage::Content)
}
