//! Content-addressed bytes on this node's disk.

use super::Answer;
use bytes::Bytes;
use objects::{Checked, Cid};

/// Why bytes could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The bytes are not what the CID names.
    #[error("the bytes do not match {0}")]
    Mismatch(Cid),
    /// The bytes on disk changed; the object is set aside and must be fetched again.
    #[error("{0} is damaged on disk and was set aside; fetch it again")]
    Corrupt(Cid),
    /// More bytes than one blob may have.
    #[error("a blob of {size_bytes} bytes, at most {limit_bytes} are allowed")]
    TooLarge {
        /// Bytes offered.
        size_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// No room: the disk is full, apart from the reserve of the journals.
    #[error(
        "the disk is full ({} MiB free, {} MiB are kept for journals); free some space and try again",
        free_bytes >> 20, reserve_bytes >> 20
    )]
    Full {
        /// Bytes that are free.
        free_bytes: u64,
        /// Bytes that stay reserved.
        reserve_bytes: u64,
    },
    /// More than the owner of the node lets blobs have.
    #[error(
        "{used_bytes} bytes are kept, {new_bytes} more would exceed the quota of {quota_bytes}; unpin something and collect garbage, or raise quota_bytes"
    )]
    Quota {
        /// Bytes that are kept.
        used_bytes: u64,
        /// Bytes that were to be added.
        new_bytes: u64,
        /// The limit.
        quota_bytes: u64,
    },
    /// Reading or writing failed otherwise.
    #[error("storage: {0}")]
    Io(String),
}

/// Bytes by CID; implemented by `storage`, faked in `sim`.
pub trait Blobs: Send + Sync + 'static {
    /// Keeps blobs. When the answer is `Ok` they survive kill -9 and power loss. Each is checked
    /// against its CID before anything is written.
    fn put(&self, blobs: Vec<(Cid, Bytes)>) -> Answer<'static, Result<(), BlobError>>;

    /// As [`Self::put`], of blobs that were checked where they came in.
    fn put_checked(&self, blobs: Vec<Checked>) -> Answer<'static, Result<(), BlobError>> {
        let blobs = blobs.into_iter().map(Checked::into_block);
        self.put(blobs.map(|block| (block.cid, block.bytes)).collect())
    }

    /// Reads a blob, checked against its CID; `None` if it is not here.
    fn get(&self, cid: Cid) -> Answer<'static, Result<Option<Bytes>, BlobError>>;

    /// Reads the first of `cids` in order, as many as have no more than `limit_bytes` together, and
    /// one at least: `None` for those that are not here, or are damaged.
    fn get_some(
        &self,
        cids: Vec<Cid>,
        limit_bytes: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>>;

    /// As [`Self::get_some`], for somebody who checks what he gets: whether bytes still are what was
    /// written may be told by a checksum alone.
    fn get_some_to_send(
        &self,
        cids: Vec<Cid>,
        limit_bytes: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>> {
        self.get_some(cids, limit_bytes)
    }

    /// Which of `cids` are here, in the same order.
    fn has(&self, cids: Vec<Cid>) -> Answer<'static, Result<Vec<bool>, BlobError>>;
}
