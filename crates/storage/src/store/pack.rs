//! Pack files: records one after the other, each with a checksum.
//!
//! Bodies hold what others sent, and a control record must not be forged by it: frames are salted
//! with a number that each pack chooses. It is in the head of the pack; should that be damaged, the
//! mark of the first frame gives it back, which is why it has 32 bits only.

use super::record::{CID_BYTES, Record};
use crate::{
    Error,
    disk::{Disk, DiskFile, Mode},
    frame::{FILE_HEAD_BYTES, FileHead, Framing, HEAD_BYTES},
    lock::lock,
};
use bytes::Bytes;
use objects::Cid;
use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// Names the kind of the file in its head.
const KIND: &[u8; 8] = b"plt-pack";
/// The version of packs that is written here. Version 1 had no control records.
pub(super) const VERSION: u32 = 2;
/// Packs that are kept open for reading.
const OPEN_PACKS: usize = 64;
/// Bytes of the record of a blob, apart from the blob.
pub(super) const OVERHEAD_BYTES: u64 = HEAD_BYTES + CID_BYTES as u64;

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
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Longest body of a record, in bytes.
    limit_bytes: u64,
    /// Packs opened lately, the latest last.
    open: Mutex<VecDeque<(u32, Arc<Pack>)>>,
}

/// An open pack.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) framing: Framing,
}

impl Pack {
    /// Bodies of records have `limit_bytes` at most.
    pub(super) fn new(file: Arc<dyn DiskFile>, limit_bytes: u64) -> io::Result<Self> {
        let framing = Framing::new(salt(&*file)?, limit_bytes);
        Ok(Self { file, framing })
    }
}

/// What tells whether a blob is still what was written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proof {
    /// Its name: for whoever uses it.
    Name,
    /// The checksum of its record, which takes a tenth of the time: for whoever is sent it, and
    /// checks it.
    Checksum,
}

impl Packs {
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        max_blob_bytes: usize,
    ) -> Result<Self, Error> {
        disk.make_dir(dir).map_err(Error::io(dir))?;
        // A larger limit may have been in force when a record was written.
        let limit_bytes = (max_blob_bytes as u64).max(1 << 30) + CID_BYTES as u64;
        Ok(Self { disk, dir: dir.to_path_buf(), limit_bytes, open: Mutex::default() })
    }

    /// The numbers of all packs, in order.
    pub(super) fn numbers(&self) -> io::Result<Vec<u32>> {
        let mut numbers: Vec<u32> = Vec::new();
        for name in self.disk.names(&self.dir)? {
            let digits = name.strip_suffix(".pack");
            numbers.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes an empty pack, durably.
    pub(super) fn create(&self, number: u32) -> io::Result<Tail> {
        let path = self.path(number);
        let file = self.disk.open(&path, Mode::New)?;
        if let Err(error) = write_head(&*file, number).and_then(|()| self.disk.sync_dir(&self.dir))
        {
            // Without its head it would be in the way of the next try.
            self.disk.remove(&path)?;
            return Err(error);
        }
        Ok(Tail::start_of(number))
    }

    /// Deletes a pack, durably. Whoever reads it at the moment can finish.
    pub(super) fn delete(&self, number: u32) -> io::Result<()> {
        self.forget(number);
        match self.disk.remove(&self.path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.disk.sync_dir(&self.dir)
    }

    /// The version of a pack, `None` if its head is damaged, which is only told: no record needs
    /// it. A pack of a newer version is refused. A head that a crash left unwritten is written.
    pub(super) fn check_head(&self, number: u32) -> Result<Option<u32>, Error> {
        let path = self.path(number);
        let pack = self.pack(number).map_err(Error::io(&path))?;
        match FileHead::read(&*pack.file, KIND).map_err(Error::io(&path))? {
            Some(head) if head.version > VERSION => {
                Err(Error::Newer { path, found: head.version, known: VERSION })
            }
            Some(head) => Ok(Some(head.version)),
            None if self.length(number).map_err(Error::io(&path))? <= FILE_HEAD_BYTES => {
                write_head(&*pack.file, number)
                    .and_then(|()| self.disk.sync_dir(&self.dir))
                    .map_err(Error::io(&path))?;
                self.forget(number);
                Ok(Some(VERSION))
            }
            None => {
                tracing::warn!(
                    pack = number,
                    "the head of a pack is damaged; its records are read"
                );
                Ok(None)
            }
        }
    }

    /// Writes records at the tail and syncs them.
    pub(super) fn write(&self, tail: Tail, parts: &[&[u8]]) -> io::Result<()> {
        let pack = self.pack(tail.pack)?;
        pack.file.write_parts_at(parts, tail.end)?;
        pack.file.sync()
    }

    /// Cuts a pack off, durably.
    pub(super) fn cut(&self, tail: Tail) -> io::Result<()> {
        let pack = self.pack(tail.pack)?;
        pack.file.set_length(tail.end)?;
        pack.file.sync()
    }

    /// Bytes of a pack file.
    pub(super) fn length(&self, number: u32) -> io::Result<u64> {
        self.pack(number)?.file.length()
    }

    /// Reads a blob; `None` if what is there is not this blob any more.
    pub(super) fn blob(&self, cid: &Cid, at: Location, proof: Proof) -> io::Result<Option<Bytes>> {
        let bytes = OVERHEAD_BYTES as usize + at.length as usize;
        let read = |pack: Arc<Pack>| Ok((pack.file.bytes_at(bytes, at.offset)?, pack.framing));
        let (record, framing) = match self.pack(at.pack).and_then(read) {
            Err(error) if is_gone(&error) => return Ok(None),
            other => other?,
        };
        let mut head = Bytes::from(record);
        let body = head.split_off(HEAD_BYTES as usize);
        let bytes = body.slice(CID_BYTES..);
        let is_right = body[..CID_BYTES] == cid.to_bytes()
            && match proof {
                Proof::Name => cid.check(&bytes).is_ok(),
                Proof::Checksum => framing.is_right(&head, &body),
            };
        Ok(is_right.then_some(bytes))
    }

    /// The record at a place, if its checksum is right, and the bytes of its frame.
    pub(super) fn record(&self, pack: u32, offset: u64) -> io::Result<Option<(Record, u64)>> {
        let pack = self.pack(pack)?;
        let Some(body) = pack.framing.read(&*pack.file, offset)? else { return Ok(None) };
        let bytes = HEAD_BYTES + body.len() as u64;
        Ok(Record::parse(body).map(|record| (record, bytes)))
    }

    /// An open pack.
    pub(super) fn pack(&self, number: u32) -> io::Result<Arc<Pack>> {
        let mut open = lock(&self.open);
        if let Some(at) = open.iter().position(|(pack, _)| *pack == number) {
            let entry = open.remove(at).expect("it was found there");
            open.push_back(entry.clone());
            return Ok(entry.1);
        }
        let file = self.disk.open(&self.path(number), Mode::Existing)?;
        let pack = Arc::new(Pack::new(file, self.limit_bytes)?);
        if open.len() == OPEN_PACKS {
            open.pop_front();
        }
        open.push_back((number, pack.clone()));
        Ok(pack)
    }

    fn forget(&self, number: u32) {
        lock(&self.open).retain(|(pack, _)| *pack != number);
    }

    /// Bytes that are free on the disk of the packs.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes(&self.dir)
    }

    /// The directory of the packs.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a pack.
    pub(super) fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:08}.pack"))
    }
}

/// The salt of the frames of a pack.
fn salt(file: &dyn DiskFile) -> io::Result<u64> {
    if let Some(head) = FileHead::read(file, KIND)? {
        return Ok(head.salt);
    }
    let mut mark = [0; 4];
    match file.read_at(&mut mark, FILE_HEAD_BYTES) {
        Ok(()) => Ok(Framing::salt_of(mark)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(error) => Err(error),
    }
}

/// Whether a file, or the end of it, is not there.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}

/// The bytes of the first pack of a store whose records have these bodies.
pub(super) fn encode(bodies: &[&[u8]], salt: u64) -> Vec<u8> {
    let head = FileHead { version: VERSION, salt, number: 0 };
    let mut out = head.encode(KIND).to_vec();
    let framing = Framing::new(salt, u64::from(u32::MAX));
    bodies.iter().for_each(|body| framing.put(&mut out, &[body]));
    out
}

fn write_head(file: &dyn DiskFile, number: u32) -> io::Result<()> {
    let salt = RandomState::new().build_hasher().finish() & u64::from(u32::MAX);
    let head = FileHead { version: VERSION, salt, number: u64::from(number) };
    file.write_at(&head.encode(KIND), 0)?;
    file.sync()
}
