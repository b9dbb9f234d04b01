//! A directory that belongs to one process and says which format it has.

use crate::{Error, disk};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Holds the lock of the process that uses the directory.
const LOCK: &str = "lock";
/// Says what the directory is: `polity <kind> <version>`.
const FORMAT: &str = "FORMAT";

/// A directory in use by us. Dropping it gives the directory free.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    _lock: File,
}

impl Home {
    /// Takes the directory, making it if it is missing.
    pub(crate) fn open(dir: &Path, kind: &'static str, version: u32) -> Result<Self, Error> {
        let io = Error::io(dir);
        disk::make_dir(dir).map_err(&io)?;
        let lock = disk::open_file(&dir.join(LOCK)).map_err(&io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { dir: dir.to_path_buf() }),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        match fs::read_to_string(dir.join(FORMAT)) {
            Ok(text) => {
                if check(dir, &text, kind, version)? < version {
                    write_format(dir, kind, version).map_err(&io)?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !is_empty(dir).map_err(&io)? {
                    return Err(Error::Foreign { dir: dir.to_path_buf(), kind });
                }
                write_format(dir, kind, version).map_err(&io)?;
            }
            Err(error) => return Err(io(error)),
        }
        Ok(Self { dir: dir.to_path_buf(), _lock: lock })
    }
}

fn write_format(dir: &Path, kind: &str, version: u32) -> io::Result<()> {
    let text = format!("polity {kind} {version}\n");
    disk::write_atomic(dir, FORMAT, text.as_bytes())
}

/// The format of the directory.
fn check(dir: &Path, text: &str, kind: &'static str, known: u32) -> Result<u32, Error> {
    let found = text
        .strip_prefix("polity ")
        .and_then(|rest| rest.strip_prefix(kind))
        .and_then(|rest| rest.trim().parse::<u32>().ok());
    match found {
        Some(found) if found > known => Err(Error::Newer { path: dir.to_path_buf(), found, known }),
        Some(found) => Ok(found),
        None => Err(Error::Foreign { dir: dir.to_path_buf(), kind }),
    }
}

/// Whether nothing but our own beginnings is there.
fn is_empty(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if name != LOCK && name != "FORMAT.tmp" {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = Home::open(dir.path(), "store", 1).expect("free");
        let taken = Home::open(dir.path(), "store", 1).expect_err("taken");
        assert_eq!(taken, Error::InUse { dir: dir.path().to_path_buf() });
        assert!(taken.to_string().contains("stop the node that runs there"));
        drop(home);
        Home::open(dir.path(), "store", 1).expect("free again");
    }

    #[test]
    fn a_newer_or_foreign_directory_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(Home::open(dir.path(), "store", 2).expect("new"));
        let newer = Home::open(dir.path(), "store", 1).expect_err("newer");
        assert!(matches!(newer, Error::Newer { found: 2, known: 1, .. }));
        assert!(matches!(Home::open(dir.path(), "journal", 2), Err(Error::Foreign { .. })));
        drop(Home::open(dir.path(), "store", 3).expect("an older format is read"));
        let newer = Home::open(dir.path(), "store", 2).expect_err("it has the newer one now");
        assert!(matches!(newer, Error::Newer { found: 3, known: 2, .. }));

        let other = tempfile::tempdir().expect("a directory");
        fs::write(other.path().join("thesis.tex"), "text").expect("a file");
        assert!(matches!(Home::open(other.path(), "store", 1), Err(Error::Foreign { .. })));
    }

    #[test]
    fn nobody_else_can_read_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("a/b");
        let _home = Home::open(&inner, "store", 1).expect("new");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode(&inner) & 0o777, 0o700);
        assert_eq!(mode(&inner.join(FORMAT)) & 0o777, 0o600);
        assert_eq!(mode(&inner.join(LOCK)) & 0o777, 0o600);
    }
}
