//! Opening a journal: which segments there are, and where the last whole entry ends.

use super::{entry::Prefix, segment::Segment, table::Table, values::Values};
use crate::{
    Error, disk,
    frame::{FILE_HEAD_BYTES, HEAD_BYTES},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// An opened journal.
pub(super) struct Recovered {
    pub(super) table: Table,
    pub(super) active: Option<Active>,
}

/// The last segment, open for writing.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) file: File,
    /// The number of the next batch.
    pub(super) batch: u64,
    /// The last entry does not end its batch, so that the next one has to go elsewhere.
    pub(super) is_cut: bool,
}

/// Opens the journal in `dir`.
pub(super) fn open(dir: &Path, values: &Values) -> Result<Recovered, Error> {
    disk::make_dir(dir).map_err(Error::io(dir))?;
    let start = values.start()?;
    let mut files = list(dir)?;
    drop_beginning(dir, &mut files)?;
    let mut segments = Vec::new();
    for (at, (first, path)) in files.iter().enumerate() {
        let end = files.get(at + 1).map_or(*first, |(next, _)| *next);
        let damaged = || Error::Damaged { path: path.clone(), reason: "it has no head".into() };
        segments.push(Segment::open(path, *first..end)?.ok_or_else(damaged)?);
    }
    let first = segments.first().map_or(0, |segment| segment.range.start);
    let mut table =
        Table { dir: dir.to_path_buf(), segments, start: start.unwrap_or(first).max(first) };
    let active = match table.segments.last_mut() {
        Some(last) => Some(open_last(last)?),
        None => None,
    };
    Ok(Recovered { table, active })
}

/// The segments in `dir` in order, by the index of their first entry.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let io = Error::io(dir);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(&io)? {
        let path = entry.map_err(&io)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let first = name.and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok());
        if let Some(first) = first {
            files.push((first, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Drops a last segment whose head was never written: a crash came while it was made.
fn drop_beginning(dir: &Path, files: &mut Vec<(u64, PathBuf)>) -> Result<(), Error> {
    let Some((first, path)) = files.last() else { return Ok(()) };
    let length = fs::metadata(path).map_err(Error::io(path))?.len();
    if length <= FILE_HEAD_BYTES && Segment::open(path, *first..*first)?.is_none() {
        fs::remove_file(path).map_err(Error::io(path))?;
        disk::sync_dir(dir).map_err(Error::io(dir))?;
        files.pop();
    }
    Ok(())
}

/// Reads the last segment through, and cuts a torn end off.
fn open_last(segment: &mut Segment) -> Result<Active, Error> {
    let path = segment.path.clone();
    let io = Error::io(&path);
    let file = File::options().read(true).write(true).open(&path).map_err(&io)?;
    let length = segment.end;
    segment.end = FILE_HEAD_BYTES;
    let mut last: Option<Prefix> = None;
    while let Some((prefix, bytes)) = entry_at(segment, &file, segment.end).map_err(&io)? {
        let expected = segment.range.end;
        if prefix.index != expected {
            let reason = format!("entry {} stands where {expected} should", prefix.index);
            return Err(Error::Damaged { path: path.clone(), reason });
        }
        segment.grow(bytes);
        last = Some(prefix);
    }
    let open_batch = match last {
        Some(prefix) if !prefix.is_last => prefix.batch,
        Some(prefix) => prefix.batch + 1,
        None => 0,
    };
    if segment.end < length {
        check_torn(segment, &file, open_batch)?;
        tracing::warn!(
            segment = %path.display(),
            bytes = length - segment.end,
            "a torn end of a journal is cut off; it was never acknowledged"
        );
        file.set_len(segment.end).and_then(|()| file.sync_data()).map_err(&io)?;
    }
    let is_cut = last.is_some_and(|prefix| !prefix.is_last);
    Ok(Active { file, batch: open_batch, is_cut })
}

/// The entry at a place and the bytes of its frame.
fn entry_at(segment: &Segment, file: &File, at: u64) -> io::Result<Option<(Prefix, u64)>> {
    let Some(body) = segment.framing.read(file, at)? else { return Ok(None) };
    let bytes = HEAD_BYTES + body.len() as u64;
    Ok(Prefix::split(body).map(|(prefix, _)| (prefix, bytes)))
}

/// Makes sure that what cannot be read is of the one batch that was never acknowledged: a batch is
/// written only when the one before it is on the disk.
fn check_torn(segment: &Segment, file: &File, open_batch: u64) -> Result<(), Error> {
    let io = Error::io(&segment.path);
    let mut from = segment.end + 1;
    while let Some(at) = segment.framing.find(file, from).map_err(&io)? {
        let entry = entry_at(segment, file, at).map_err(&io)?;
        if let Some((prefix, _)) = entry.filter(|(prefix, _)| prefix.batch > open_batch) {
            let (damaged, whole) = (segment.range.end, prefix.index);
            let reason = format!("entry {damaged} cannot be read, but {whole} after it can");
            return Err(Error::Damaged { path: segment.path.clone(), reason });
        }
        from = at + 1;
    }
    Ok(())
}
