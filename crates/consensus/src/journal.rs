//! The marker beside the engine's journals: whether this key ever voted with them.
//!
//! A validator that lost its journal could vote for a second block in a view it voted in before. So
//! the first vote is preceded by a durable mark, and a start that finds the mark but not the votes
//! is refused.

use crate::Error;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

const MARKER: &str = "journal";
const CREATED: &str = "created\n";
const VOTED: &str = "voted\n";
/// Partition of the engine in which it keeps its votes.
pub(crate) const VOTES: &str = "votes";

/// Makes an empty journal in `dir`, durably, or leaves the one that is there.
///
/// # Errors
/// [`Error::Journal`].
pub fn create_journal(dir: &Path) -> Result<(), Error> {
    let path = dir.join(MARKER);
    let attempt = || {
        if path.try_exists()? {
            return Ok(());
        }
        fs::create_dir_all(dir)?;
        write_marker(dir, CREATED)
    };
    attempt().map_err(|source| Error::Journal { path: path.clone(), source })
}

/// Whether the journal in `dir` is whole as far as can be told: it was created here, and if this
/// key voted, the votes are there.
///
/// # Errors
/// [`Error::Journal`] if the directory cannot be read.
pub fn journal_exists(dir: &Path) -> Result<bool, Error> {
    let whole = || {
        Ok(match read_marker(dir)?.as_deref() {
            None => false,
            Some(VOTED) => has_votes(dir)?,
            Some(_) => true,
        })
    };
    whole().map_err(|source| Error::Journal { path: dir.to_path_buf(), source })
}

/// Where the engine keeps its files.
pub(crate) fn engine_dir(dir: &Path) -> PathBuf {
    dir.join("engine")
}

/// Checks or makes the journal before a start.
pub(crate) fn prepare(dir: &Path, required: bool) -> Result<(), Error> {
    let missing = || Error::JournalMissing { dir: dir.to_path_buf() };
    let io = |source| Error::Journal { path: dir.to_path_buf(), source };
    let marked = read_marker(dir).map_err(io)?.is_some();
    if marked || required {
        return if journal_exists(dir)? { Ok(()) } else { Err(missing()) };
    }
    if has_votes(dir).map_err(io)? {
        // Votes without a marker: somebody removed it. They are all there is, so use them.
        return write_marker(dir, VOTED).map_err(io);
    }
    create_journal(dir)
}

/// Says, durably and once, that this key votes with these journals.
#[derive(Debug)]
pub(crate) struct FirstVote {
    dir: PathBuf,
    said: AtomicBool,
}

impl FirstVote {
    pub(crate) fn new(dir: &Path) -> Self {
        let said = matches!(read_marker(dir), Ok(Some(text)) if text == VOTED);
        Self { dir: dir.to_path_buf(), said: AtomicBool::new(said) }
    }

    /// Must return before a vote leaves this machine.
    ///
    /// # Panics
    /// If the mark cannot be written: then nothing may be said at all.
    pub(crate) fn before_vote(&self) {
        if self.said.load(Ordering::Acquire) {
            return;
        }
        write_marker(&self.dir, VOTED)
            .unwrap_or_else(|e| panic!("cannot mark {} as voted: {e}", self.dir.display()));
        self.said.store(true, Ordering::Release);
    }
}

fn read_marker(dir: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(dir.join(MARKER)) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Replaces the marker so that either text survives a power loss, never none.
fn write_marker(dir: &Path, text: &str) -> io::Result<()> {
    let draft = dir.join("journal.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(MARKER))?;
    File::open(dir)?.sync_all()
}

/// Whether the engine's journal of votes has content.
fn has_votes(dir: &Path) -> io::Result<bool> {
    let files = match fs::read_dir(engine_dir(dir).join(VOTES)) {
        Ok(files) => files,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    for file in files {
        if file?.metadata()?.len() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(dir: &Path) {
        let votes = engine_dir(dir).join(VOTES);
        fs::create_dir_all(&votes).unwrap();
        fs::write(votes.join("00"), b"a vote").unwrap();
    }

    #[test]
    fn a_journal_that_never_voted_may_be_empty_and_one_that_voted_may_not() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert!(!journal_exists(dir).unwrap());
        create_journal(dir).unwrap();
        assert!(journal_exists(dir).unwrap());
        prepare(dir, true).expect("created, never voted");
        FirstVote::new(dir).before_vote();
        assert!(matches!(prepare(dir, false), Err(Error::JournalMissing { .. })));
        vote(dir);
        prepare(dir, true).expect("voted, and the votes are there");
        fs::remove_dir_all(engine_dir(dir)).unwrap();
        assert!(!journal_exists(dir).unwrap());
        assert!(matches!(prepare(dir, false), Err(Error::JournalMissing { .. })));
    }

    #[test]
    fn a_required_journal_must_be_there_and_says_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let refused = prepare(dir.path(), true).unwrap_err().to_string();
        assert!(refused.contains("polity invite --mine"), "{refused}");
        prepare(dir.path(), false).expect("a first start makes one");
        prepare(dir.path(), true).expect("and then it is there");
    }
}
