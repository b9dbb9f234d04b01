//! Pack files: blobs one after the other, each with its CID and a checksum.

use crate::{
    Error, disk,
    frame::{FILE_HEAD_BYTES, FileHead, Framing, HEAD_BYTES},
    lock::lock,
};
use bytes::Bytes;
use objects::Cid;
use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// Names the kind of the file in its head.
const KIND: &[u8; 8] = b"plt-pack";
/// The version of packs that is written here.
const VERSION: u32 = 1;
/// Bytes of a CID in a record.
pub(super) const CID_BYTES: usize = 36;
/// Packs that are kept open for reading.
const OPEN_PACKS: usize = 64;

/// Where a blob is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Location {
    /// Number of the pack.
    pub(super) pack: u32,
    /// Where its record begins, in bytes.
    pub(super) offset: u64,
    /// Bytes of the blob.
    pub(super) length: u32,
}

/// The end of the last pack: where the next record goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tail {
    pub(super) pack: u32,
    pub(super) end: u64,
}

impl Tail {
    /// The beginning of a pack.
    pub(super) fn start_of(pack: u32) -> Self {
        Self { pack, end: FILE_HEAD_BYTES }
    }
}

/// All packs of a store.
#[derive(Debug)]
pub(super) struct Packs {
    dir: PathBuf,
    framing: Framing,
    /// Packs opened lately, the latest last.
    open: Mutex<VecDeque<(u32, Arc<File>)>>,
}

impl Packs {
    pub(super) fn open(dir: &Path, max_blob_bytes: usize) -> Result<Self, Error> {
        disk::make_dir(dir).map_err(Error::io(dir))?;
        // A larger limit may have been in force when a record was written.
        let limit_bytes = (max_blob_bytes as u64).max(1 << 30) + CID_BYTES as u64;
        // Records need no salt: whatever is found in a pack is checked against its CID.
        let framing = Framing::new(0, limit_bytes);
        Ok(Self { dir: dir.to_path_buf(), framing, open: Mutex::default() })
    }

    /// The numbers of all packs, in order.
    pub(super) fn numbers(&self) -> Result<Vec<u32>, Error> {
        let io = Error::io(&self.dir);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(&io)? {
            let name = entry.map_err(&io)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".pack"));
            numbers.extend(number.and_then(|digits| digits.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes an empty pack, durably.
    pub(super) fn create(&self, number: u32) -> io::Result<Tail> {
        let path = self.path(number);
        let file = disk::new_file(&path)?;
        if let Err(error) = write_head(&file, number).and_then(|()| disk::sync_dir(&self.dir)) {
            // Without its head it would be in the way of the next try.
            fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(Tail::start_of(number))
    }

    /// Refuses a pack of a newer version. A head that a crash left unwritten is written, and a
    /// damaged one is only told: no record needs it.
    pub(super) fn check_head(&self, number: u32) -> Result<(), Error> {
        let path = self.path(number);
        let file = self.file(number).map_err(Error::io(&path))?;
        match FileHead::read(&file, KIND).map_err(Error::io(&path))? {
            Some(head) if head.version > VERSION => {
                Err(Error::Newer { path, found: head.version, known: VERSION })
            }
            Some(_) => Ok(()),
            None if self.length(number).map_err(Error::io(&path))? <= FILE_HEAD_BYTES => {
                write_head(&file, number).map_err(Error::io(&path))
            }
            None => {
                tracing::warn!(
                    pack = number,
                    "the head of a pack is damaged; its records are read"
                );
                Ok(())
            }
        }
    }

    /// Appends the record of a blob to `out`.
    pub(super) fn put(&self, out: &mut Vec<u8>, cid: &Cid, bytes: &[u8]) {
        self.framing.put(out, &[&cid.to_bytes(), bytes]);
    }

    /// Bytes of the record of a blob.
    pub(super) fn record_bytes(blob_bytes: usize) -> u64 {
        HEAD_BYTES + (CID_BYTES + blob_bytes) as u64
    }

    /// Writes records at the tail and syncs them.
    pub(super) fn write(&self, tail: Tail, records: &[u8]) -> io::Result<()> {
        let file = self.file(tail.pack)?;
        file.write_all_at(records, tail.end)?;
        file.sync_data()
    }

    /// Cuts a pack off, durably.
    pub(super) fn cut(&self, tail: Tail) -> io::Result<()> {
        let file = self.file(tail.pack)?;
        file.set_len(tail.end)?;
        file.sync_data()
    }

    /// Bytes of a pack file.
    pub(super) fn length(&self, number: u32) -> io::Result<u64> {
        Ok(self.file(number)?.metadata()?.len())
    }

    /// The record at a place; `None` if no whole, right record is there.
    pub(super) fn record(&self, pack: u32, offset: u64) -> io::Result<Option<(Cid, Bytes)>> {
        let Some(mut body) = self.framing.read(&*self.file(pack)?, offset)? else {
            return Ok(None);
        };
        if body.len() < CID_BYTES {
            return Ok(None);
        }
        let cid = Cid::try_from(body.split_to(CID_BYTES).as_ref());
        Ok(cid.ok().map(|cid| (cid, body)))
    }

    /// Reads a blob; `None` if what is there is not this blob any more.
    pub(super) fn blob(&self, cid: &Cid, at: Location) -> io::Result<Option<Bytes>> {
        let found = match self.record(at.pack, at.offset) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => other?,
        };
        Ok(found.filter(|(name, bytes)| name == cid && cid.check(bytes).is_ok()).map(|(_, b)| b))
    }

    /// The first whole record from `from` on.
    pub(super) fn find_record(&self, pack: u32, from: u64) -> io::Result<Option<u64>> {
        self.framing.find(&*self.file(pack)?, from)
    }

    /// The directory of the packs.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        let mut open = lock(&self.open);
        if let Some(at) = open.iter().position(|(pack, _)| *pack == number) {
            let entry = open.remove(at).expect("it was found there");
            open.push_back(entry.clone());
            return Ok(entry.1);
        }
        let file = File::options().read(true).write(true).open(self.path(number))?;
        let file = Arc::new(file);
        if open.len() == OPEN_PACKS {
            open.pop_front();
        }
        open.push_back((number, file.clone()));
        Ok(file)
    }

    /// The file of a pack.
    pub(super) fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:08}.pack"))
    }
}

fn write_head(file: &File, number: u32) -> io::Result<()> {
    let head = FileHead { version: VERSION, salt: 0, number: u64::from(number) };
    file.write_all_at(&head.encode(KIND), 0)?;
    file.sync_all()
}
