//! Small named values, each in a file of its own that is replaced as a whole.

use crate::{Error, disk};
use bytes::Bytes;
use protocol::port::LogError;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where the journal itself notes the first entry that is not purged. No caller can use the name.
const START: &str = "_start";

#[derive(Debug)]
pub(super) struct Values {
    dir: PathBuf,
}

/// Refuses names that are no plain file names.
pub(super) fn check_name(name: &str) {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(
        (1..=64).contains(&name.len()) && name.chars().all(is_plain),
        "{name:?} is no name for a value: use lower-case letters, digits and -"
    );
}

impl Values {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        disk::make_dir(dir).map_err(Error::io(dir))?;
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// Replaces a value, durably.
    pub(super) fn write(&self, name: &str, value: &[u8]) -> io::Result<()> {
        let content = [&crc32fast::hash(value).to_le_bytes(), value].concat();
        disk::write_atomic(&self.dir, name, &content)
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        let path = self.dir.join(name);
        let failed = |reason: String| LogError::Failed(format!("{}: {reason}", path.display()));
        let mut content = match fs::read(&path) {
            Ok(content) => Bytes::from(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        if content.len() < 4 {
            return Err(failed("it is damaged".into()));
        }
        let checksum = content.split_to(4);
        if checksum[..] != crc32fast::hash(&content).to_le_bytes() {
            return Err(failed("it is damaged".into()));
        }
        Ok(Some(content))
    }

    /// Notes the first entry that is not purged.
    pub(super) fn write_start(&self, start: u64) -> io::Result<()> {
        self.write(START, &start.to_le_bytes())
    }

    pub(super) fn start(&self) -> Result<Option<u64>, Error> {
        let path = self.dir.join(START);
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let Some(value) = self.read(START).map_err(|e| damaged(e.to_string()))? else {
            return Ok(None);
        };
        let bytes = value[..].try_into().map_err(|_| damaged("it is no index".into()))?;
        Ok(Some(u64::from_le_bytes(bytes)))
    }
}
