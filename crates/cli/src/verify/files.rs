//! The files of a job on this disk, against what was signed.

use crate::{
    failure::Failure,
    job::{
        content::Content,
        layout::{self, EVIDENCE, OURS, Placed, RECEIPT, RECEIPTS},
        manifest,
    },
    threads::Threads,
};
use protocol::{Body, port::Crew};
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

/// Entries that are looked at to find strangers.
const ENTRIES: usize = 100_000;

/// How a file is not what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    Changed,
    Missing,
    Unreadable(String),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed => f.write_str("changed"),
            Self::Missing => f.write_str("missing"),
            Self::Unreadable(reason) => f.write_str(reason),
        }
    }
}

/// What came of looking at the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// Where they are.
    pub(crate) dir: PathBuf,
    /// How many were signed.
    pub(crate) signed: usize,
    /// Those that are not what was signed.
    pub(crate) wrong: Vec<(PathBuf, Difference)>,
    /// Files in the directory that the receipt does not know.
    pub(crate) strangers: Vec<PathBuf>,
}

impl Files {
    /// Looks at the files in `outputs`. If no directory is named it is the receipt's own, where
    /// `run` puts it, if there is anything of the job; else nothing is looked at.
    pub(crate) fn check(
        body: &Body,
        receipt: &Path,
        outputs: Option<&Path>,
    ) -> Result<Option<Self>, Failure> {
        let placed: Vec<Placed> =
            body.outcomes.iter().flat_map(|outcome| layout::files(&body.table, outcome)).collect();
        let dir = match outputs {
            Some(dir) if dir.is_dir() => dir.to_path_buf(),
            Some(dir) => {
                return Err(Failure::usage(format!("--outputs {}: no directory", dir.display()))
                    .next("fetch the results with: polity job get JOB -o DIR"));
            }
            None => {
                let beside = receipt.parent().unwrap_or(Path::new("")).to_path_buf();
                let any = placed.iter().any(|file| beside.join(&file.path).exists());
                if !any && !beside.join(OURS).exists() {
                    return Ok(None);
                }
                beside
            }
        };
        let known: BTreeSet<_> = placed.iter().map(|file| dir.join(&file.path)).collect();
        let strangers = strangers(&dir, receipt, &known);
        Ok(Some(Self { strangers, ..Self::compare(&dir, &placed) }))
    }

    /// Compares these files in a directory with what was signed; looks at no others.
    pub(super) fn compare(dir: &Path, placed: &[Placed]) -> Self {
        let crew: &dyn Crew = &Threads::of_this_machine();
        let found = crew.map(placed, |file| compare(dir, file));
        let different = found.into_iter().zip(placed).filter_map(|(difference, file)| {
            difference.map(|difference| (dir.join(&file.path), difference))
        });
        let wrong = different.collect();
        Self { dir: dir.into(), signed: placed.len(), wrong, strangers: Vec::new() }
    }

    /// Whether some file is not what was signed.
    pub(crate) fn is_wrong(&self) -> bool {
        !self.wrong.is_empty()
    }
}

fn compare(dir: &Path, file: &Placed) -> Option<Difference> {
    match Content::File(dir.join(&file.path)).name() {
        Ok(named) if named.root.cid == file.cid => None,
        Ok(_) => Some(Difference::Changed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Difference::Missing),
        Err(error) => Some(Difference::Unreadable(error.to_string())),
    }
}

/// Files below `dir` that nothing was signed about, apart from what `run` keeps for itself. What
/// cannot be listed is left out: this is a hint, and no part of the verdict.
pub(super) fn strangers(dir: &Path, receipt: &Path, known: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let ours = [
        dir.join(RECEIPT),
        dir.join(EVIDENCE),
        dir.join(OURS).join("job"),
        manifest::path(dir),
        receipt.to_path_buf(),
    ];
    let receipts = dir.join(OURS).join(RECEIPTS);
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(at) = dirs.pop() {
        let at = if at.as_os_str().is_empty() { PathBuf::from(".") } else { at };
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            seen += 1;
            if seen > ENTRIES {
                return found;
            }
            let path = entry.path();
            let path = path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && path == receipts => {}
                Ok(kind) if kind.is_dir() => dirs.push(path),
                Ok(_) if !known.contains(&path) && !ours.contains(&path) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
