//! Segment files: a run of entries each, named after the index of the first.

use super::entry::{PAYLOAD_BYTES, PREFIX_BYTES, Prefix};
use crate::{
    Error, disk,
    frame::{FILE_HEAD_BYTES, FileHead, Framing, HEAD_BYTES},
    lock::lock,
};
use bytes::Bytes;
use std::{
    collections::hash_map::RandomState,
    fs::File,
    hash::{BuildHasher, Hasher},
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

const KIND: &[u8; 8] = b"plt-jrnl";
/// The version of segments that is written here.
const VERSION: u32 = 1;
/// Bytes between two entries whose places are kept in memory.
const MARK_EVERY_BYTES: u64 = 64 << 10;

/// A segment that is not written any more, or the part of the last one that is acknowledged.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) framing: Framing,
    /// The entries in it.
    pub(super) range: Range<u64>,
    /// Bytes of the file up to the end of its last entry.
    pub(super) end: u64,
    /// Index and place of some entries, the first one always among them; empty until needed.
    marks: Mutex<Vec<(u64, u64)>>,
}

impl Segment {
    /// Makes an empty segment for entries from `first` on, durably.
    pub(super) fn create(dir: &Path, first: u64) -> io::Result<(Self, File)> {
        let path = dir.join(format!("{first:020}.log"));
        let file = disk::new_file(&path)?;
        // Entries can hold what others sent: it must not be able to look like an entry.
        let salt = RandomState::new().build_hasher().finish();
        let head = FileHead { version: VERSION, salt, number: first };
        file.write_all_at(&head.encode(KIND), 0)?;
        file.sync_all()?;
        disk::sync_dir(dir)?;
        Ok((Self::new(path, head, first..first, FILE_HEAD_BYTES), file))
    }

    fn new(path: PathBuf, head: FileHead, range: Range<u64>, end: u64) -> Self {
        let framing = Framing::new(head.salt, PREFIX_BYTES as u64 + PAYLOAD_BYTES);
        Self { path, framing, range, end, marks: Mutex::default() }
    }

    /// Opens a segment that holds `range`, as far as its neighbours say; `None` if it has no head.
    pub(super) fn open(path: &Path, range: Range<u64>) -> Result<Option<Self>, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let Some(head) = FileHead::read(&file, KIND).map_err(Error::io(path))? else {
            return Ok(None);
        };
        if head.version > VERSION {
            let path = path.to_path_buf();
            return Err(Error::Newer { path, found: head.version, known: VERSION });
        }
        if head.number != range.start {
            let reason = "its name and its head do not agree".into();
            return Err(Error::Damaged { path: path.to_path_buf(), reason });
        }
        let end = file.metadata().map_err(Error::io(path))?.len();
        Ok(Some(Self::new(path.to_path_buf(), head, range, end)))
    }

    /// Adds the entry at the end, of which so many bytes were written.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.mark(self.range.end, self.end);
        self.range.end += 1;
        self.end += bytes;
    }

    fn mark(&self, index: u64, at: u64) {
        let mut marks = lock(&self.marks);
        if marks.last().is_none_or(|(_, last)| at - last >= MARK_EVERY_BYTES) {
            marks.push((index, at));
        }
    }

    /// Forgets the entries from `index` on, the first of which is at `at`.
    pub(super) fn shrink(&mut self, index: u64, at: u64) {
        lock(&self.marks).retain(|(marked, _)| *marked < index);
        self.range.end = index;
        self.end = at;
    }

    /// Reads entries, all of which are in the segment.
    pub(super) fn read(&self, range: Range<u64>, out: &mut Vec<Bytes>) -> io::Result<()> {
        let (mut index, at) = self.nearest(range.start)?;
        let mut walk = Walk::open(self, at)?;
        while index < range.start {
            walk.skip(index)?;
            index += 1;
        }
        for index in range {
            out.push(walk.entry(index)?);
        }
        Ok(())
    }

    /// Where the entry begins.
    pub(super) fn place(&self, index: u64) -> io::Result<u64> {
        let (mut before, at) = self.nearest(index)?;
        let mut walk = Walk::open(self, at)?;
        while before < index {
            walk.skip(before)?;
            before += 1;
        }
        Ok(walk.at)
    }

    /// A marked entry at `index` or before it.
    fn nearest(&self, index: u64) -> io::Result<(u64, u64)> {
        if lock(&self.marks).is_empty() {
            let mut walk = Walk::open(self, FILE_HEAD_BYTES)?;
            for index in self.range.clone() {
                self.mark(index, walk.at);
                walk.skip(index)?;
            }
        }
        let marks = lock(&self.marks);
        let after = marks.partition_point(|(marked, _)| *marked <= index);
        Ok(after.checked_sub(1).map_or((self.range.start, FILE_HEAD_BYTES), |at| marks[at]))
    }
}

/// Goes through a segment entry by entry.
struct Walk {
    file: BufReader<File>,
    framing: Framing,
    at: u64,
}

impl Walk {
    fn open(segment: &Segment, at: u64) -> io::Result<Self> {
        let mut file =
            BufReader::with_capacity(MARK_EVERY_BYTES as usize, File::open(&segment.path)?);
        file.seek(SeekFrom::Start(at))?;
        Ok(Self { file, framing: segment.framing, at })
    }

    /// The head of the frame at hand and the length of its body.
    fn head(&mut self, index: u64) -> io::Result<([u8; HEAD_BYTES as usize], u64)> {
        let mut head = [0; HEAD_BYTES as usize];
        self.file.read_exact(&mut head)?;
        let length = self.framing.length(&head).ok_or_else(|| damaged(index))?;
        self.at += HEAD_BYTES + length;
        Ok((head, length))
    }

    fn skip(&mut self, index: u64) -> io::Result<()> {
        let (_, length) = self.head(index)?;
        self.file.seek_relative(length as i64)
    }

    fn entry(&mut self, index: u64) -> io::Result<Bytes> {
        let (head, length) = self.head(index)?;
        let mut body = vec![0; length as usize];
        self.file.read_exact(&mut body)?;
        let is_right = self.framing.is_right(&head, &body);
        match Prefix::split(body.into()) {
            Some((prefix, payload)) if is_right && prefix.index == index => Ok(payload),
            _ => Err(damaged(index)),
        }
    }
}

fn damaged(index: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("entry {index} is damaged"))
}
