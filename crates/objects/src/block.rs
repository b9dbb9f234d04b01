//! A block: bytes together with their name.

use crate::{Cid, Codec};
use bytes::Bytes;

/// Bytes and the CID that names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The name.
    pub cid: Cid,
    /// What it names.
    pub bytes: Bytes,
}

impl Block {
    /// The block of `bytes` read as `codec`.
    pub fn of(codec: Codec, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { cid: Cid::of(codec, &bytes), bytes }
    }
}
