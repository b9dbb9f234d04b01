//! One entry in a segment: a frame whose body is index (u64), batch (u64), flags (u8), payload.
//!
//! The batch counts the syncs of a segment, and the last entry of each is marked. So a reader can
//! tell a torn end, which belongs to the one batch that was never acknowledged, from damage to what
//! was.

use crate::frame::u64_at;
use bytes::Bytes;

/// Bytes before the payload.
pub(super) const PREFIX_BYTES: usize = 17;
/// Longest payload, in bytes.
pub(super) const PAYLOAD_BYTES: u64 = 1 << 30;
const LAST: u8 = 1;

/// What stands before the payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Prefix {
    pub(super) index: u64,
    pub(super) batch: u64,
    pub(super) is_last: bool,
}

impl Prefix {
    pub(super) fn encode(&self) -> [u8; PREFIX_BYTES] {
        let mut out = [0; PREFIX_BYTES];
        out[..8].copy_from_slice(&self.index.to_le_bytes());
        out[8..16].copy_from_slice(&self.batch.to_le_bytes());
        out[16] = if self.is_last { LAST } else { 0 };
        out
    }

    /// Takes the prefix off a body; `None` if the body is too short or has unknown flags.
    pub(super) fn split(mut body: Bytes) -> Option<(Self, Bytes)> {
        if body.len() < PREFIX_BYTES || body[16] > LAST {
            return None;
        }
        let prefix = body.split_to(PREFIX_BYTES);
        let is_last = prefix[16] == LAST;
        Some((Self { index: u64_at(&prefix, 0), batch: u64_at(&prefix, 8), is_last }, body))
    }
}
