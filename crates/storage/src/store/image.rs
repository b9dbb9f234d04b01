//! A pack in memory, read as recovery reads one: for whoever looks at a pack without its store, or
//! tries to break its reader.

use super::{
    pack::{self, Pack},
    record::Record,
    walk::{Step, Walk},
};
use crate::{disk::DiskFile, frame::FILE_HEAD_BYTES};
use bytes::Bytes;
use objects::Cid;
use std::{io, sync::Arc};

/// The bytes of a pack, whatever they are.
#[derive(Debug)]
pub struct PackImage {
    pack: Arc<Pack>,
}

/// A record with a right checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRecord {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Where it ends.
    pub end: u64,
    /// The blob that it holds; other records say something about blobs. A store gives it to nobody
    /// without comparing it with its name.
    pub blob: Option<(Cid, Bytes)>,
}

impl PackImage {
    /// Takes bytes for those of a pack. Records of more than `max_record_bytes` count as damage.
    ///
    /// # Errors
    /// None that depend on the bytes.
    pub fn new(bytes: Vec<u8>, max_record_bytes: u64) -> io::Result<Self> {
        let pack = Pack::new(Arc::new(Memory(bytes)), max_record_bytes)?;
        Ok(Self { pack: Arc::new(pack) })
    }

    /// The bytes of a pack whose records have these bodies and right checksums. A body may be
    /// anything shorter than 4 GiB.
    pub fn write(bodies: &[&[u8]], salt: u32) -> Vec<u8> {
        pack::encode(bodies, u64::from(salt))
    }

    /// The records that recovery would find, in their order.
    ///
    /// # Errors
    /// None that depend on the bytes.
    pub fn records(&self) -> io::Result<Vec<PackRecord>> {
        let mut walk = Walk::over(self.pack.clone(), FILE_HEAD_BYTES)?;
        let mut found = Vec::new();
        loop {
            match walk.step()? {
                Step::Record(record, offset) => {
                    let blob = match record {
                        Record::Blob(cid, bytes) => Some((cid, bytes)),
                        Record::Control(_) => None,
                    };
                    found.push(PackRecord { offset, end: walk.at(), blob });
                }
                Step::Damaged { .. } => {}
                Step::End(_) => return Ok(found),
            }
        }
    }
}

/// A file in memory that cannot be changed.
#[derive(Debug)]
struct Memory(Vec<u8>);

impl DiskFile for Memory {
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.0.get(at..));
        let bytes = from.and_then(|bytes| bytes.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, _bytes: &[u8], _at: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn set_length(&self, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frame::HEAD_BYTES, lock::lock};
    use std::sync::Mutex;

    /// Remembers the most bytes that were asked for at once: as many were taken for them.
    #[derive(Debug)]
    struct Watched(Memory, Mutex<usize>);

    impl DiskFile for Watched {
        fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
            let mut most = lock(&self.1);
            *most = (*most).max(out.len());
            self.0.read_at(out, at)
        }

        fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
            self.0.write_at(bytes, at)
        }

        fn length(&self) -> io::Result<u64> {
            self.0.length()
        }

        fn set_length(&self, bytes: u64) -> io::Result<()> {
            self.0.set_length(bytes)
        }

        fn sync(&self) -> io::Result<()> {
            self.0.sync()
        }
    }

    #[test]
    fn no_length_that_a_record_claims_makes_the_reader_take_more_than_a_record_may_have() {
        let (limit, window) = (2u64 << 20, 1usize << 20);
        let most = usize::try_from(limit + HEAD_BYTES).expect("small");
        for claimed in [0, 1, limit - 1, limit, limit + 1, 8 << 20, 1 << 30, u64::from(u32::MAX)] {
            let mut bytes = PackImage::write(&[b"a", b"b"], 7);
            let first = FILE_HEAD_BYTES as usize;
            let claimed = u32::try_from(claimed).expect("a length");
            bytes[first + 4..first + 8].copy_from_slice(&claimed.to_le_bytes());
            bytes.resize(6 << 20, 0);
            let file = Arc::new(Watched(Memory(bytes), Mutex::default()));
            let pack = Arc::new(Pack::new(file.clone(), limit).expect("memory"));
            // Neither body is a record of ours; the second frame is found all the same.
            assert_eq!(PackImage { pack }.records().expect("memory"), []);
            let read = *lock(&file.1);
            assert!(read <= most.max(window), "{read} bytes at once for {claimed}");
        }
    }
}
