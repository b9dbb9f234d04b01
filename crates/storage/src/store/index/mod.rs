//! The index: where each blob is, and what is pinned. It only repeats what the packs say, so it can
//! always be rebuilt. One that turns out to be damaged is thrown away at once, and closed until it
//! is rebuilt.

mod backend;
mod change;
mod look;
mod tables;

pub(super) use change::Reclaimed;
pub(super) use look::PackLoad;

use crate::{
    Error,
    disk::{self, Disk, Mode},
    lock,
};
use backend::Backend;
use protocol::port::BlobError;
use redb::{Database, ReadableDatabase};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

/// Why the index did not answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) is_full: bool,
    is_damage: bool,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn into_blob_error(self) -> BlobError {
        BlobError::Io(format!("the index failed: {}", self.reason))
    }

    fn closed() -> Self {
        let reason = "it is rebuilt from the packs by the next write or at the next start".into();
        Self { is_full: false, is_damage: false, reason }
    }

    fn older() -> Self {
        let reason = "it has another format than the one that is written here".into();
        Self { is_full: false, is_damage: false, reason }
    }
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let is_full = matches!(&error, redb::Error::Io(io) if disk::is_full(io));
        let is_damage = matches!(error, redb::Error::Corrupted(_));
        Self { is_full, is_damage, reason: error.to_string() }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = if failure.is_full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        Self::new(kind, format!("the index failed: {}", failure.reason))
    }
}

/// The index of one store.
#[derive(Debug)]
pub(super) struct Index {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    cache_bytes: usize,
    open: RwLock<Open>,
}

#[derive(Debug)]
struct Open {
    /// Counts the openings, so that nobody closes what another thread has just opened again.
    generation: u64,
    /// `None` after damage, or a failure that reopening did not cure.
    database: Option<Database>,
}

impl Index {
    /// Opens the index. One that cannot be read is thrown away: the packs know better.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        cache_bytes: usize,
    ) -> Result<Self, Error> {
        let io = |failure: Failure| Error::Io { path: path.to_path_buf(), reason: failure.reason };
        let database = match open_database(&disk, path, cache_bytes) {
            Ok(database) => database,
            Err(failure) if failure.is_full => return Err(io(failure)),
            Err(failure) => {
                tracing::warn!(
                    reason = failure.reason,
                    "the index cannot be used; it is rebuilt from the packs"
                );
                disk.remove(path).map_err(Error::io(path))?;
                open_database(&disk, path, cache_bytes).map_err(io)?
            }
        };
        let open = RwLock::new(Open { generation: 0, database: Some(database) });
        Ok(Self { disk, path: path.to_path_buf(), cache_bytes, open })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub(super) fn file_bytes(&self) -> io::Result<u64> {
        self.disk.open(&self.path, Mode::Existing)?.length()
    }

    /// Opens the file again, after a failure. Everything since the last checkpoint is forgotten.
    pub(super) fn reopen(&self) -> Result<(), Failure> {
        let mut open = lock::write(&self.open);
        open.close();
        open.database = Some(open_database(&self.disk, &self.path, self.cache_bytes)?);
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        let mut open = lock::write(&self.open);
        open.close();
        self.disk.remove(&self.path).map_err(redb::StorageError::from)?;
        open.database = Some(open_database(&self.disk, &self.path, self.cache_bytes)?);
        Ok(())
    }

    /// Whether it has to be opened again.
    pub(super) fn is_closed(&self) -> bool {
        lock::read(&self.open).database.is_none()
    }

    fn with<T>(&self, run: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        let (result, generation) = {
            let open = lock::read(&self.open);
            let database = open.database.as_ref().ok_or_else(Failure::closed)?;
            (guarded(|| run(database)), open.generation)
        };
        if matches!(&result, Err(failure) if failure.is_damage) {
            self.throw_away(generation);
        }
        result
    }

    fn throw_away(&self, generation: u64) {
        let mut open = lock::write(&self.open);
        if open.generation != generation {
            return;
        }
        tracing::error!("the index is damaged; it is rebuilt from the packs");
        open.close();
        if let Err(error) = self.disk.remove(&self.path) {
            tracing::error!(%error, path = %self.path.display(), "remove this file by hand");
        }
    }
}

impl Open {
    /// Lets go of the file.
    fn close(&mut self) {
        self.generation += 1;
        let database = self.database.take();
        // A database that was damaged may not even close in good order, which changes nothing.
        drop(catch_unwind(AssertUnwindSafe(|| drop(database))));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs something that may panic: the database does so on some kinds of damage.
fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let reason = "it is damaged".into();
        Err(Failure { is_full: false, is_damage: true, reason })
    })
}

fn open_database(
    disk: &Arc<dyn Disk>,
    path: &Path,
    cache_bytes: usize,
) -> Result<Database, Failure> {
    guarded(|| {
        let file = disk.open(path, Mode::Any).map_err(redb::StorageError::from)?;
        let database =
            redb::Builder::new().set_cache_size(cache_bytes).create_with_backend(Backend(file))?;
        let is_ours = {
            let read = database.begin_read()?;
            if read.list_tables()?.next().is_none() { None } else { Some(tables::is_known(&read)) }
        };
        match is_ours {
            Some(true) => {}
            Some(false) => return Err(Failure::older()),
            // All tables exist from here on, so that reading needs no special case.
            None => tables::make(&database)?,
        }
        Ok(database)
    })
}
