//! Files that only their owner may read, written so that they survive a crash.
//!
//! The store sees its disk through [`Disk`] and [`DiskFile`], so that tests can put one in memory
//! below it that loses power.

#[cfg(test)]
pub(crate) mod power;
mod real;

pub(crate) use real::RealDisk;

use std::{
    fmt::Debug,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// It must be there.
    Existing,
    /// It is made if it is missing.
    Any,
    /// It must not be there.
    New,
}

/// A disk. Which names a directory holds is durable after [`Self::sync_dir`], not before.
pub(crate) trait Disk: Debug + Send + Sync + 'static {
    /// Makes a directory and those above it, if they are missing.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>>;
    /// Takes a file out of its directory. Whoever has it open can go on reading it.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in any order.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Makes durable which files a directory holds.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Bytes that may still be written to the disk of `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file. What is written is durable after [`Self::sync`], not before.
pub(crate) trait DiskFile: Debug + Send + Sync + 'static {
    /// Fills `out` from the file.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<()>;
    /// So many bytes of the file from a place on.
    ///
    /// # Errors
    /// As [`Self::read_at`].
    fn bytes_at(&self, length: usize, at: u64) -> io::Result<Vec<u8>> {
        let mut out = vec![0; length];
        self.read_at(&mut out, at)?;
        Ok(out)
    }
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Writes all of `parts`, one after the other.
    fn write_parts_at(&self, parts: &[&[u8]], mut at: u64) -> io::Result<()> {
        for part in parts {
            self.write_at(part, at)?;
            at += part.len() as u64;
        }
        Ok(())
    }
    /// Bytes of the file.
    fn length(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, bytes: u64) -> io::Result<()>;
    /// Makes durable what was written and how long the file is.
    fn sync(&self) -> io::Result<()>;
}

/// Makes a directory and those above it, if they are missing.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file for reading and writing, and makes it if it is missing.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes a file that must not exist yet.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Makes durable which files a directory holds.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a file as a whole: after a crash it has either its old or its new content.
pub(crate) fn write_atomic(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(name))?;
    sync_dir(dir)
}

/// Bytes that may still be written to the disk of `path`.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Free space below which even a journal cannot go on, in bytes.
const EXHAUSTED_BYTES: u64 = 1 << 20;

/// Whether the disk of `path` has no room left, the reserve of the journals included. A disk that
/// cannot be asked counts as one with room.
pub fn is_exhausted(path: &Path) -> bool {
    free_bytes(path).is_ok_and(|bytes| bytes < EXHAUSTED_BYTES)
}

/// Whether a write failed for want of space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
