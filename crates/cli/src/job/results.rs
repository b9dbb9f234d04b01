//! The output directory of a job.

use super::{
    content::Content,
    fetch,
    layout::{self, OURS, Placed, RECEIPT},
};
use crate::{exit::Exit, failure::Failure, machine, text};
use api::NodeApi;
use bytes::Bytes;
use objects::{Cid, Codec};
use protocol::{JobId, Outcome, TaskIndex, TaskTable};
use std::{
    collections::HashMap,
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

    /// Writes what tasks gave. Files that are there already and right are left alone; a file is
    /// there whole or not at all. Gives the tasks of which something is missing, and why.
    pub(crate) async fn write(
        &self,
        node: &impl NodeApi,
        outcomes: &[Outcome],
    ) -> Vec<(TaskIndex, Failure)> {
        let mut missing = Vec::new();
        let mut files = Vec::new();
        for outcome in outcomes {
            if let Err(error) = outcome.check() {
                missing.push((outcome.task, Failure::new(Exit::Unverified, error.to_string())));
                continue;
            }
            for (number, file) in layout::files(&self.table, outcome).into_iter().enumerate() {
                match self.is_there(&file) {
                    Ok(true) => {}
                    Ok(false) => files.push((outcome.task, number, file)),
                    Err(failure) => missing.push((outcome.task, failure)),
                }
            }
        }
        let small = files.iter().map(|(.., file)| file.cid).filter(|cid| cid.codec() == Codec::Raw);
        // Whatever is not among them is asked for by itself.
        let blocks = fetch::together(node, small.collect()).await;
        for (task, number, file) in files {
            let name = format!("{task}-{number}");
            if let Err(failure) = self.write_one(node, &file, &name, &blocks).await {
                missing.push((task, failure));
            }
        }
        missing
    }

    async fn write_one(
        &self,
        node: &impl NodeApi,
        file: &Placed,
        name: &str,
        blocks: &HashMap<Cid, Bytes>,
    ) -> Result<(), Failure> {
        let path = self.dir.join(&file.path);
        let draft = self.dir.join(OURS).join("draft").join(name);
        match blocks.get(&file.cid) {
            Some(bytes) => fs::write(&draft, bytes).map_err(|e| Failure::file(&draft, &e))?,
            None => fetch::to_file(node, file.cid, self.limit_bytes, &draft).await?,
        }
        match fs::rename(&draft, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), make_dir)?;
                fs::rename(&draft, &path).map_err(|error| Failure::file(&path, &error))
            }
            renamed => renamed.map_err(|error| Failure::file(&path, &error)),
        }
    }

    fn is_there(&self, file: &Placed) -> Result<bool, Failure> {
        Ok(self.dir.join(&file.path).is_file() && self.is_right(file)?)
    }

    fn is_right(&self, file: &Placed) -> Result<bool, Failure> {
        let path = self.dir.join(&file.path);
        let named = Content::File(path.clone()).name();
        named.map(|named| named.root.cid == file.cid).map_err(|e| Failure::file(&path, &e))
    }

    /// Keeps the receipt and clears up. All files are durable before the receipt is there.
    pub(crate) fn keep_receipt(&self, bytes: &[u8]) -> Result<PathBuf, Failure> {
        machine::sync(&self.dir)?;
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
