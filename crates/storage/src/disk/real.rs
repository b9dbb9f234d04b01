//! The disk of this machine.

use super::{Disk, DiskFile, Mode};
use rustix::fs::Advice;
use std::{
    fs::{self, File},
    io::{self, IoSlice},
    num::NonZeroU64,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

/// Bytes from which on it is said beforehand what will be read.
const AHEAD_BYTES: usize = 192 << 10;
/// Buffers that are given to the system in one call.
const PARTS: usize = 256;

/// The file system of the operating system.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        super::make_dir(path)
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(match mode {
            Mode::Existing => File::options().read(true).write(true).open(path)?,
            Mode::Any => super::open_file(path)?,
            Mode::New => super::new_file(path)?,
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        super::sync_dir(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        super::free_bytes(path)
    }
}

impl DiskFile for File {
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(out, at)
    }

    fn bytes_at(&self, length: usize, at: u64) -> io::Result<Vec<u8>> {
        if length >= AHEAD_BYTES {
            // The system would fetch it piece by piece, waiting for each. Only a hint.
            let range = NonZeroU64::new(length as u64);
            rustix::fs::fadvise(self, at, range, Advice::WillNeed).unwrap_or_default();
        }
        let mut out = Vec::with_capacity(length);
        while out.len() < length {
            let from = at + out.len() as u64;
            // A vector can have more room than was asked for; the file ends somewhere all the same.
            match rustix::io::pread(self, rustix::buffer::spare_capacity(&mut out), from) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        out.truncate(length);
        Ok(out)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn write_parts_at(&self, parts: &[&[u8]], mut at: u64) -> io::Result<()> {
        for some in parts.chunks(PARTS) {
            let mut slices: Vec<_> = some.iter().map(|part| IoSlice::new(part)).collect();
            let mut left = &mut slices[..];
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                match rustix::io::pwritev(self, left, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        at += count as u64;
                        IoSlice::advance_slices(&mut left, count);
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
