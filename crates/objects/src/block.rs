//! A block: bytes together with their name.

use crate::{Cid, Codec, Error, Hash};
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

/// A block whose bytes are known to be what the CID names: they were named, or checked. There is no
/// other way to one, so that nobody has to check it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked(Block);

impl Checked {
    /// The block of `bytes` read as `codec`, under a hash.
    pub fn with(hash: Hash, codec: Codec, bytes: Bytes) -> Self {
        Self(Block { cid: Cid::with(hash, codec, &bytes), bytes })
    }

    /// Checks a block.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the bytes are others.
    pub fn check(cid: Cid, bytes: Bytes) -> Result<Self, Error> {
        cid.check(&bytes)?;
        Ok(Self(Block { cid, bytes }))
    }

    /// The block.
    pub fn block(&self) -> &Block {
        &self.0
    }

    /// The block, which anybody can change from now on.
    pub fn into_block(self) -> Block {
        self.0
    }
}
