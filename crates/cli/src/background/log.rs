//! The log of a node in the background: bounded, with the part before it beside it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Bytes of the log before it begins anew; what was written before stays beside it, once.
const LOG_BYTES: u64 = 1 << 20;

/// Writes to the log and to nothing else.
#[derive(Debug)]
pub struct BoundedLog {
    path: PathBuf,
    file: File,
    size_bytes: u64,
}

impl BoundedLog {
    /// Goes on with the log at `path`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = append(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { path: path.into(), file, size_bytes })
    }

    /// Begins the log anew. What others write to stderr follows it.
    fn turn(&mut self) -> io::Result<()> {
        let mut before = self.path.clone().into_os_string();
        before.push(".1");
        fs::rename(&self.path, before)?;
        self.file = append(&self.path)?;
        self.size_bytes = 0;
        Ok(rustix::stdio::dup2_stderr(&self.file)?)
    }
}

/// Opens a log for whoever adds to it.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl Write for BoundedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size_bytes > LOG_BYTES {
            self.turn()?;
        }
        let written = self.file.write(bytes)?;
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
