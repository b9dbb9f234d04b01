//! The index: where each blob is. It only repeats what the packs say, so it can always be rebuilt.
//! One that turns out to be damaged is thrown away at once, and closed until it is rebuilt.

use super::pack::{CID_BYTES, Location, Tail};
use crate::{Error, disk, lock};
use objects::Cid;
use protocol::port::BlobError;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::RwLock,
};

/// CID → pack, offset, length.
const BLOBS: TableDefinition<'_, &[u8; CID_BYTES], (u32, u64, u32)> = TableDefinition::new("blobs");
/// Pack and offset of records that were found damaged → the CID they had.
const DAMAGED: TableDefinition<'_, (u32, u64), &[u8; CID_BYTES]> = TableDefinition::new("damaged");
/// Up to where the packs are in the index.
const TAIL: TableDefinition<'_, (), (u32, u64)> = TableDefinition::new("tail");

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
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let is_full = matches!(&error, redb::Error::Io(io) if disk::is_full(io));
        let is_damage = matches!(error, redb::Error::Corrupted(_));
        Self { is_full, is_damage, reason: error.to_string() }
    }
}

/// The index of one store.
#[derive(Debug)]
pub(super) struct Index {
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
    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let io = |failure: Failure| Error::Io { path: path.to_path_buf(), reason: failure.reason };
        let database = match open_database(path, cache_bytes) {
            Ok(database) => database,
            Err(failure) if failure.is_full => return Err(io(failure)),
            Err(failure) => {
                tracing::warn!(
                    reason = failure.reason,
                    "the index cannot be read; it is rebuilt from the packs"
                );
                fs::remove_file(path).map_err(Error::io(path))?;
                open_database(path, cache_bytes).map_err(io)?
            }
        };
        let open = RwLock::new(Open { generation: 0, database: Some(database) });
        Ok(Self { path: path.to_path_buf(), cache_bytes, open })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file again, after a failure. Everything since the last checkpoint is forgotten.
    pub(super) fn reopen(&self) -> Result<(), Failure> {
        let mut open = lock::write(&self.open);
        open.close();
        open.database = Some(open_database(&self.path, self.cache_bytes)?);
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        let mut open = lock::write(&self.open);
        open.close();
        fs::remove_file(&self.path).map_err(redb::StorageError::from)?;
        open.database = Some(open_database(&self.path, self.cache_bytes)?);
        Ok(())
    }

    /// Whether it has to be opened again.
    pub(super) fn is_closed(&self) -> bool {
        lock::read(&self.open).database.is_none()
    }

    /// Up to where the packs are in the index; `None` if it is new.
    pub(super) fn tail(&self) -> Result<Option<Tail>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(TAIL)?;
            let found = table.get(())?.map(|row| row.value());
            Ok(found.map(|(pack, end)| Tail { pack, end }))
        })
    }

    /// Where the blobs are.
    pub(super) fn find(&self, cids: &[Cid]) -> Result<Vec<Option<Location>>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(BLOBS)?;
            let mut found = Vec::with_capacity(cids.len());
            for cid in cids {
                let row = table.get(&key(cid))?.map(|row| row.value());
                found.push(row.map(|(pack, offset, length)| Location { pack, offset, length }));
            }
            Ok(found)
        })
    }

    /// Adds blobs, all of which are synced in the packs, up to `tail`. With `durable` everything
    /// in the index survives a crash from now on.
    pub(super) fn add(
        &self,
        blobs: &[(Cid, Location)],
        tail: Tail,
        durable: bool,
    ) -> Result<(), Failure> {
        self.with(|database| {
            let mut change = database.begin_write()?;
            change.set_durability(if durable {
                Durability::Immediate
            } else {
                Durability::None
            })?;
            change.set_quick_repair(durable);
            {
                let mut table = change.open_table(BLOBS)?;
                for (cid, at) in blobs {
                    table.insert(&key(cid), (at.pack, at.offset, at.length))?;
                }
                change.open_table(TAIL)?.insert((), (tail.pack, tail.end))?;
            }
            Ok(change.commit()?)
        })
    }

    /// Takes out a blob whose record is damaged, durably, unless it has another record by now.
    pub(super) fn set_aside(&self, cid: &Cid, at: Location) -> Result<(), Failure> {
        self.with(|database| {
            let mut change = database.begin_write()?;
            change.set_quick_repair(true);
            {
                let mut blobs = change.open_table(BLOBS)?;
                let place = (at.pack, at.offset, at.length);
                let is_same = blobs.get(&key(cid))?.is_some_and(|row| row.value() == place);
                if is_same {
                    blobs.remove(&key(cid))?;
                    change.open_table(DAMAGED)?.insert((at.pack, at.offset), &key(cid))?;
                }
            }
            Ok(change.commit()?)
        })
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
        if let Err(error) = fs::remove_file(&self.path) {
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

/// Runs something that may panic: the database does so on some kinds of damage.
fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let reason = "it is damaged".into();
        Err(Failure { is_full: false, is_damage: true, reason })
    })
}

fn key(cid: &Cid) -> [u8; CID_BYTES] {
    cid.to_bytes().try_into().expect("our CIDs have 36 bytes")
}

fn open_database(path: &Path, cache_bytes: usize) -> Result<Database, Failure> {
    guarded(|| {
        let file = disk::open_file(path).map_err(redb::StorageError::from)?;
        let database = redb::Builder::new().set_cache_size(cache_bytes).create_file(file)?;
        // All tables exist from here on, so that reading needs no special case.
        let change = database.begin_write()?;
        change.open_table(BLOBS)?;
        change.open_table(DAMAGED)?;
        change.open_table(TAIL)?;
        change.commit()?;
        Ok(database)
    })
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = if failure.is_full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        Self::new(kind, format!("the index failed: {}", failure.reason))
    }
}
