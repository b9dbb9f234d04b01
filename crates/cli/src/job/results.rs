//! The output directory of a job.

use super::{
    content::Content,
    fetch,
    layout::{self, OURS, Placed, RECEIPT},
};
use crate::{exit::Exit, failure::Failure, machine, text};
use api::NodeApi;
use protocol::{JobId, Outcome, TaskTable};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Room without which nothing is begun.
const ROOM_BYTES: u64 = 4 << 20;

/// Where results go.
#[derive(Debug)]
pub(crate) struct Results {
    dir: PathBuf,
    table: TaskTable,
    /// Bytes that one task may write.
    limit_bytes: u64,
}

/// Checks that a directory is empty or can be made, and that there is room.
pub(crate) fn check_empty(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let shown = dir.display();
                return Err(Failure::usage(format!("{shown} is not empty"))
                    .next("name another directory with -o DIR, or empty this one"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::file(dir, &error)),
    }
    check_room(dir)
}

fn check_room(dir: &Path) -> Result<(), Failure> {
    let free = machine::free_bytes(dir)?;
    if free < ROOM_BYTES {
        let (shown, free) = (dir.display(), text::size(free));
        return Err(Failure::usage(format!("no room for results in {shown}: {free} free"))
            .next("free some space, or name another directory with -o DIR"));
    }
    Ok(())
}

/// The directory of a job if none is named: `polity-PROGRAM-SHORTID`, here.
pub(crate) fn usual_dir(program: &str, job: &JobId) -> PathBuf {
    PathBuf::from(format!("polity-{program}-{}", text::short(job)))
}

impl Results {
    /// Makes the directory ready. It must be empty, or have results of the same job.
    pub(crate) fn open(
        dir: PathBuf,
        job: &JobId,
        table: TaskTable,
        limit_bytes: u64,
    ) -> Result<Self, Failure> {
        let mark = dir.join(OURS).join("job");
        let text = format!("{job}\n");
        match fs::read_to_string(&mark) {
            Ok(other) if other == text => check_room(&dir)?,
            _ => {
                check_empty(&dir)?;
                make_dir(&dir.join(OURS))?;
                fs::write(&mark, &text).map_err(|e| Failure::file(&mark, &e))?;
            }
        }
        let drafts = dir.join(OURS).join("draft");
        // What an interrupted run left half written is of no use.
        match fs::remove_dir_all(&drafts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file(&drafts, &error));
            }
            _ => make_dir(&drafts)?,
        }
        Ok(Self { dir, table, limit_bytes })
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The table of the job.
    pub(crate) fn table(&self) -> &TaskTable {
        &self.table
    }

    /// Writes what a task gave. Files that are there already and right are left alone; a file is
    /// there whole or not at all.
    pub(crate) async fn write(
        &self,
        node: &impl NodeApi,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        outcome.check().map_err(|e| Failure::new(Exit::Unverified, e.to_string()))?;
        for (number, file) in layout::files(&self.table, outcome).into_iter().enumerate() {
            let name = format!("{}-{number}", outcome.task);
            self.write_one(node, &file, &name).await?;
        }
        Ok(())
    }

    async fn write_one(
        &self,
        node: &impl NodeApi,
        file: &Placed,
        name: &str,
    ) -> Result<(), Failure> {
        let path = self.dir.join(&file.path);
        if path.is_file() && self.is_right(file)? {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let draft = self.dir.join(OURS).join("draft").join(name);
        fetch::to_file(node, file.cid, self.limit_bytes, &draft).await?;
        fs::rename(&draft, &path).map_err(|error| Failure::file(&path, &error))
    }

    fn is_right(&self, file: &Placed) -> Result<bool, Failure> {
        let path = self.dir.join(&file.path);
        let named = Content::File(path.clone()).name();
        named.map(|named| named.root.cid == file.cid).map_err(|e| Failure::file(&path, &e))
    }

    /// Keeps the receipt and clears up.
    pub(crate) fn keep_receipt(&self, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.dir.join(RECEIPT);
        let draft = self.dir.join(OURS).join("draft").join(RECEIPT);
        fs::write(&draft, bytes).map_err(|error| Failure::file(&draft, &error))?;
        fs::rename(&draft, &path).map_err(|error| Failure::file(&path, &error))?;
        self.clear()?;
        Ok(path)
    }

    /// Removes what is only needed while results are written.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        let drafts = self.dir.join(OURS).join("draft");
        fs::remove_dir_all(&drafts).map_err(|error| Failure::file(&drafts, &error))
    }

    /// Takes an empty directory back, because nothing was ordered.
    pub(crate) fn abandon(self) {
        // Whatever cannot be removed has something in it, or says so itself.
        let ours = self.dir.join(OURS);
        let _ = fs::remove_dir_all(ours.join("draft"));
        let _ = fs::remove_file(ours.join("job"));
        let _ = fs::remove_dir(ours);
        let _ = fs::remove_dir(self.dir);
    }
}

fn make_dir(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    fn job(name: &[u8]) -> JobId {
        JobId(Cid::of(Codec::DagCbor, name))
    }

    fn open(dir: &Path, name: &[u8]) -> Result<Results, Failure> {
        let table = TaskTable { args: Vec::new(), tasks: Vec::new() };
        Results::open(dir.into(), &job(name), table, 1 << 20)
    }

    #[test]
    fn a_directory_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check_empty(dir.path()), Ok(()));
        assert_eq!(check_empty(&dir.path().join("new")), Ok(()));
        fs::write(dir.path().join("x"), "x").unwrap();
        assert!(check_empty(dir.path()).unwrap_err().message.contains("not empty"));
        assert!(check_empty(&dir.path().join("x")).is_err(), "a file");
    }

    #[test]
    fn results_of_one_job_can_be_completed_and_no_others_mixed_in() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        open(&out, b"one").unwrap();
        fs::write(out.join("17.csv"), "x").unwrap();
        open(&out, b"one").unwrap();
        assert!(open(&out, b"two").unwrap_err().message.contains("not empty"));
    }

    #[test]
    fn an_order_that_was_refused_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        open(&out, b"one").unwrap().abandon();
        assert!(!out.exists());
        let results = open(&out, b"one").unwrap();
        fs::write(out.join("theirs"), "x").unwrap();
        results.abandon();
        assert!(out.join("theirs").exists());
    }
}
