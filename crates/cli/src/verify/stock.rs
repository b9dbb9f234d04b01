//! Files of this machine by their content: what is needed is found whatever it is called.

use crate::{failure::Failure, job::content::Content, job::order::read_program};
use bytes::Bytes;
use objects::{Cid, Codec};
use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

/// Files that are looked at, at most.
const FILES: usize = 100_000;
/// How deep directories are entered.
const DEPTH: usize = 32;
/// The largest input.
const INPUT_BYTES: u64 = 1 << 30;

/// Something that a task needs, and what it is called in the job.
pub(super) type Wanted = (String, Cid);

/// Files by the CIDs of their content.
#[derive(Debug, Default)]
pub(super) struct Stock {
    files: BTreeMap<Cid, PathBuf>,
}

impl Stock {
    /// Names the content of a program and of all files at and below these paths.
    pub(super) fn of(program: Option<&Path>, inputs: &[PathBuf]) -> Result<Self, Failure> {
        let mut paths: Vec<PathBuf> = program.map(Path::to_path_buf).into_iter().collect();
        for path in inputs {
            collect(path, 0, &mut paths)?;
        }
        let mut files = BTreeMap::new();
        for path in paths {
            let named = Content::File(path.clone()).name();
            let named = named.map_err(|error| Failure::file(&path, &error))?;
            files.insert(named.root.cid, path);
        }
        Ok(Self { files })
    }

    /// What of this is not there.
    pub(super) fn missing(&self, wanted: impl IntoIterator<Item = Wanted>) -> Vec<Wanted> {
        let is_there = |cid: &Cid| *cid == nothing() || self.files.contains_key(cid);
        wanted.into_iter().filter(|(_, cid)| !is_there(cid)).collect()
    }

    /// An input by its name.
    pub(super) fn input(&self, cid: &Cid) -> Result<Bytes, Failure> {
        if *cid == nothing() {
            return Ok(Bytes::new());
        }
        let path = self.path(cid)?;
        let failed = |error: std::io::Error| Failure::file(path, &error);
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > INPUT_BYTES {
            return Err(Failure::usage(format!("{}: more than 1 GiB", path.display()))
                .next("run only tasks that read less again: --task NAME"));
        }
        same(cid, path, bytes.into())
    }

    /// The program by its name.
    pub(super) fn program(&self, cid: &Cid) -> Result<Bytes, Failure> {
        let path = self.path(cid)?;
        same(cid, path, read_program(path)?)
    }

    fn path(&self, cid: &Cid) -> Result<&PathBuf, Failure> {
        self.files.get(cid).ok_or_else(|| {
            Failure::usage(format!("{cid} is not there")).next("name the file with --inputs PATH")
        })
    }
}

/// The name of no bytes at all.
fn nothing() -> Cid {
    Cid::of(Codec::Raw, b"")
}

/// A file may have changed since it was named.
fn same(cid: &Cid, path: &Path, bytes: Bytes) -> Result<Bytes, Failure> {
    let changed = || {
        Failure::usage(format!("{}: it changed while it was read", path.display()))
            .next("try again when nothing writes it")
    };
    let named = Content::Bytes(bytes.clone()).name().map_err(|e| Failure::file(path, &e))?;
    if named.root.cid == *cid { Ok(bytes) } else { Err(changed()) }
}

/// The files at and below a path. Links inside directories are not followed.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    if !path.is_dir() {
        files.push(path.into());
        return Ok(());
    }
    if depth == DEPTH {
        return Err(Failure::usage(format!("{}: too many directories deep", path.display()))
            .next("name the files themselves with --inputs PATH…"));
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || kind.is_file() {
            entries.push(entry.path());
        }
        if files.len() + entries.len() > FILES {
            let shown = path.display();
            return Err(Failure::usage(format!("{shown}: more than {FILES} files"))
                .next("name the files themselves with --inputs PATH…"));
        }
    }
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, depth + 1, files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn content_is_found_whatever_it_is_called_and_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/renamed"), "one").unwrap();
        let stock = Stock::of(None, &[dir.path().into()]).unwrap();
        let (one, two) = (Cid::of(Codec::Raw, b"one"), Cid::of(Codec::Raw, b"two"));
        let wanted = [("x.csv".into(), one), ("y.csv".into(), two), ("empty".into(), nothing())];
        assert_eq!(stock.missing(wanted), [("y.csv".to_string(), two)]);
        assert_eq!(stock.input(&one).unwrap(), "one");
        assert_eq!(stock.input(&nothing()).unwrap(), "");
        fs::write(dir.path().join("a/b/renamed"), "two").unwrap();
        assert!(stock.input(&one).unwrap_err().message.contains("changed"));
        assert!(Stock::of(Some(Path::new("/none/such")), &[]).is_err());
    }
}
