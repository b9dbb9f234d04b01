//! What can be wrong with a key, a signature or an encoding.

/// Failure to read or check who said what.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// The text or the bytes are no key.
    #[error("not a key: {0}; a key looks like z6Mk… (did:key, Ed25519)")]
    Key(String),
    /// The text or the bytes are no digest.
    #[error("not a digest: {0}; a digest is 52 characters of base32 (a-z, 2-7)")]
    Digest(String),
    /// The signature does not hold for these bytes, this key, this domain and this network.
    #[error("the signature of {by} over this {domain} does not hold for this network")]
    Signature {
        /// Domain of the statement, for instance `job`.
        domain: &'static str,
        /// The key that is said to have signed.
        by: String,
    },
    /// The bytes are not DAG-CBOR, or not this noun.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// The bytes decode, but not to themselves: another encoding of the same value exists.
    #[error("not in canonical form: the same value has other, canonical bytes")]
    NotCanonical,
    /// More bytes than the reader allows.
    #[error("{size_bytes} bytes, at most {limit_bytes} are allowed here")]
    TooLarge {
        /// Bytes that arrived.
        size_bytes: usize,
        /// Bytes that are allowed.
        limit_bytes: usize,
    },
    /// The proof of the verifiable random function does not hold.
    #[error("the proof of the verifiable random function does not hold")]
    Vrf,
}
