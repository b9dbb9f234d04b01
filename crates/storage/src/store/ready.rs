//! Blobs that were checked against their CIDs, ready to be written. Checking takes longer than
//! writing, so that several threads do it before the one that writes is asked.

use super::{pack::OVERHEAD_BYTES, record::CID_BYTES};
use crate::frame::{Framing, HEAD_BYTES, checksum};
use bytes::Bytes;
use objects::{Block, Checked, Cid};
use protocol::port::BlobError;

/// Bytes of the smallest blob that is not copied on its way to the disk.
const LARGE_BYTES: usize = 16 << 10;

/// A checked blob.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) cid: Cid,
    pub(super) bytes: Bytes,
    /// The checksum of the body of its record.
    checksum: crc32fast::Hasher,
}

impl Ready {
    pub(super) fn check(cid: Cid, bytes: Bytes) -> Result<Self, BlobError> {
        let checked = Checked::check(cid, bytes).map_err(|_| BlobError::Mismatch(cid))?;
        Ok(Self::of(checked))
    }

    pub(super) fn of(checked: Checked) -> Self {
        let Block { cid, bytes } = checked.into_block();
        let checksum = checksum(&[&cid.to_bytes(), &bytes]);
        Self { cid, bytes, checksum }
    }

    /// Bytes of its record.
    pub(super) fn record_bytes(&self) -> u64 {
        OVERHEAD_BYTES + self.bytes.len() as u64
    }

    /// Bytes of the blob.
    pub(super) fn length(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("the blob limit is below 4 GiB")
    }
}

/// Bytes that are written together, large blobs where they are.
#[derive(Debug, Default)]
pub(super) struct Parts {
    done: Vec<Bytes>,
    open: Vec<u8>,
    length: u64,
}

impl Parts {
    /// Bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Adds the record of a blob.
    pub(super) fn blob(&mut self, framing: &Framing, blob: &Ready) {
        let body_bytes = CID_BYTES as u32 + blob.length();
        self.open.extend(framing.head(body_bytes, &blob.checksum));
        self.open.extend(blob.cid.to_bytes());
        if blob.bytes.len() < LARGE_BYTES {
            self.open.extend_from_slice(&blob.bytes);
        } else {
            self.done.push(std::mem::take(&mut self.open).into());
            self.done.push(blob.bytes.clone());
        }
        self.length += blob.record_bytes();
    }

    /// Adds a control record.
    pub(super) fn control(&mut self, framing: &Framing, body: &[u8]) {
        framing.put(&mut self.open, &[body]);
        self.length += HEAD_BYTES + body.len() as u64;
    }

    /// All of them, in order.
    pub(super) fn slices(&self) -> Vec<&[u8]> {
        self.done.iter().map(|part| &part[..]).chain([&self.open[..]]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::{Control, Record};
    use objects::Codec;
    use std::io::Write;

    #[test]
    fn what_is_written_in_parts_is_read_as_records() {
        let framing = Framing::new(5, 1 << 20);
        let mut parts = Parts::default();
        let mut expected = Vec::new();
        for size_bytes in [0, 1, LARGE_BYTES - 1, LARGE_BYTES, 3 * LARGE_BYTES] {
            let bytes = Bytes::from(vec![7; size_bytes]);
            let cid = Cid::of(Codec::Raw, &bytes);
            expected.push((parts.length(), Record::Blob(cid, bytes.clone())));
            parts.blob(&framing, &Ready::check(cid, bytes).expect("right"));
            expected.push((parts.length(), Record::Control(Control::Time(9))));
            parts.control(&framing, &Control::Time(9).encode());
        }
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&parts.slices().concat()).expect("written");
        assert_eq!(file.metadata().expect("a file").len(), parts.length());
        for (at, record) in expected {
            let body = framing.read(&file, at).expect("readable").expect("a frame");
            assert_eq!(Record::parse(body), Some(record));
        }
    }
}
