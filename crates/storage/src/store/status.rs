//! How a store is.

use super::{
    Shared,
    index::Failure,
    scrub::{self, ScrubState},
};
use crate::Error;

/// What a store holds and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// Blobs.
    pub blobs: u64,
    /// Bytes of the blobs, which are what the quota is about.
    pub blob_bytes: u64,
    /// Pack files.
    pub packs: u64,
    /// Bytes of the pack files.
    pub pack_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Pins.
    pub pins: u64,
    /// Blobs that were found damaged and did not come back yet.
    pub damaged: u64,
    /// Bytes that are free on the disk.
    pub free_bytes: u64,
    /// Bytes of free space that blobs leave to the journals.
    pub reserve_bytes: u64,
    /// Bytes that blobs may have; 0 if there is no limit.
    pub quota_bytes: u64,
    /// How far the scrub is.
    pub scrub: ScrubState,
}

impl StoreStatus {
    /// Whether space gets short, so that a collection is due: nine tenths of the quota are used, or
    /// less than twice the reserve is free.
    pub fn wants_gc(&self) -> bool {
        let is_near_quota = self.quota_bytes > 0
            && u128::from(self.blob_bytes) * 10 >= u128::from(self.quota_bytes) * 9;
        is_near_quota || self.free_bytes < self.reserve_bytes.saturating_mul(2)
    }
}

pub(super) fn status(shared: &Shared) -> Result<StoreStatus, Error> {
    let loads = shared.index.loads().map_err(Failure::into_blob_error)?;
    let (mut blobs, mut blob_bytes) = (0, 0);
    for load in loads {
        blobs += load.blobs;
        blob_bytes += load.bytes;
    }
    let io = Error::io(shared.packs.dir());
    let (mut packs, mut pack_bytes) = (0, 0);
    for number in shared.packs.numbers().map_err(&io)? {
        // One that is gone by now has no bytes.
        pack_bytes += shared.packs.length(number).unwrap_or_default();
        packs += 1;
    }
    Ok(StoreStatus {
        blobs,
        blob_bytes,
        packs,
        pack_bytes,
        index_bytes: shared.index.file_bytes().map_err(Error::io(shared.index.path()))?,
        pins: shared.index.count_pins().map_err(Failure::into_blob_error)?,
        damaged: shared.index.count_damaged().map_err(Failure::into_blob_error)?,
        free_bytes: shared.packs.free_bytes().map_err(io)?,
        reserve_bytes: shared.config.reserve_bytes,
        quota_bytes: shared.config.quota_bytes,
        scrub: scrub::state(&shared.index)?,
    })
}
