//! The disk of this machine.

use super::{Disk, DiskFile, Mode};
use std::{
    fs::{self, File},
    io::{self, IoSlice},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

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
