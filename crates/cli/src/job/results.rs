//! The output directory of a run.

use super::{
    content::Content,
    fetch,
    layout::{self, OURS, Placed, RECEIPT, RECEIPTS},
    manifest::{self, Manifest},
};
use crate::{exit::Exit, failure::Failure, machine, text};
use api::NodeApi;
use bytes::Bytes;
use identity::Digest;
use objects::{Cid, Codec};
use protocol::{JobId, Outcome};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Room without which nothing is begun.
const ROOM_BYTES: u64 = 4 << 20;

/// Where results go.
#[derive(Debug)]
pub(crate) struct Results {
    dir: PathBuf,
    manifest: Manifest,
    /// Bytes that one task may write.
    limit_bytes: u64,
    /// Whether there was nothing in the directory before.
    new: bool,
    /// Drafts so far: every one has a name of its own.
    drafts: AtomicU64,
}

/// What a task of the run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// What the task is called in the run.
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// Checks that a directory is empty, or can be made, or has results of the same run, and that there
/// is room.
pub(crate) fn check(dir: &Path, run: &Digest) -> Result<(), Failure> {
    match Manifest::read(dir) {
        Ok(Some(manifest)) if manifest.run == *run => check_room(dir),
        _ => check_empty(dir),
    }
}

fn check_empty(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let shown = dir.display();
                return Err(Failure::usage(format!("{shown} has something else in it"))
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
pub(crate) fn usual_dir(program: &str, id: impl ToString) -> PathBuf {
    PathBuf::from(format!("polity-{program}-{}", text::short(id)))
}

/// The job whose results a directory has or waits for, if it says so.
pub(crate) fn job_of(dir: &Path) -> Option<JobId> {
    fs::read_to_string(dir.join(OURS).join("job")).ok()?.trim().parse().ok()
}

impl Results {
    /// Makes the directory ready for a run, which must be what is in it if anything is.
    pub(crate) fn open(
        dir: PathBuf,
        manifest: Manifest,
        limit_bytes: u64,
    ) -> Result<Self, Failure> {
        check(&dir, &manifest.run)?;
        Self::enter(dir, manifest, limit_bytes)
    }

    /// The directory of a job that was ordered before: it has what was begun there, or nothing.
    pub(crate) fn of_job(
        dir: PathBuf,
        job: &JobId,
        otherwise: Manifest,
        limit_bytes: u64,
    ) -> Result<Self, Failure> {
        if job_of(&dir).as_ref() != Some(job) {
            let results = Self::open(dir, otherwise, limit_bytes)?;
            results.mark(job)?;
            return Ok(results);
        }
        check_room(&dir)?;
        let begun = Manifest::read(&dir)?.unwrap_or(otherwise);
        Self::enter(dir, begun, limit_bytes)
    }

    fn enter(dir: PathBuf, manifest: Manifest, limit_bytes: u64) -> Result<Self, Failure> {
        let ours = dir.join(OURS);
        let new = !ours.exists();
        let drafts = ours.join("draft");
        // What an interrupted run left half written is of no use.
        match fs::remove_dir_all(&drafts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file(&drafts, &error));
            }
            _ => make_dir(&drafts)?,
        }
        manifest.write(&dir)?;
        Ok(Self { dir, manifest, limit_bytes, new, drafts: AtomicU64::new(0) })
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it is of.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Says which job the results come from that are not known yet.
    pub(crate) fn mark(&self, job: &JobId) -> Result<(), Failure> {
        let mark = self.dir.join(OURS).join("job");
        fs::write(&mark, format!("{job}\n")).map_err(|error| Failure::file(&mark, &error))
    }

    /// Keeps receipts of what is known, and no others.
    pub(crate) fn keep_known<'a>(
        &self,
        receipts: impl Iterator<Item = (&'a JobId, &'a Bytes)>,
    ) -> Result<(), Failure> {
        let dir = self.dir.join(OURS).join(RECEIPTS);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file(&dir, &error));
            }
            _ => {}
        }
        for (job, bytes) in receipts {
            make_dir(&dir)?;
            let path = self.known_receipt(job);
            fs::write(&path, bytes).map_err(|error| Failure::file(&path, &error))?;
        }
        Ok(())
    }

    /// Where the receipt of a job is that was known before.
    pub(crate) fn known_receipt(&self, job: &JobId) -> PathBuf {
        known_receipt(&self.dir, job)
    }

    /// The files of what a task gave.
    fn files(&self, done: &Done) -> Vec<Placed> {
        layout::files_of(&done.name, self.manifest.alone(), &done.outcome)
    }

    /// The file of one output of a task, or of its stdout.
    pub(crate) fn file(&self, done: &Done, output: Option<&str>) -> Option<PathBuf> {
        let wanted = match output {
            Some(path) => done.outcome.outputs.iter().position(|output| output.path == path)?,
            None => return Some(self.dir.join(layout::printed("stdout", &done.name))),
        };
        // Outputs come first, in their order.
        self.files(done).get(wanted).map(|file| self.dir.join(&file.path))
    }

    /// Writes what tasks gave. Files that are there already and right are left alone; a file is
    /// there whole or not at all. Gives the tasks of which something is missing, and why.
    pub(crate) async fn write(
        &self,
        node: &impl NodeApi,
        share: &[Done],
    ) -> Vec<(String, Failure)> {
        let mut missing = Vec::new();
        let mut files = Vec::new();
        for (place, done) in share.iter().enumerate() {
            if let Err(error) = done.outcome.check() {
                let failure = Failure::new(Exit::Unverified, error.to_string());
                missing.push((done.name.clone(), failure));
                continue;
            }
            for file in self.files(done) {
                match self.is_there(&file) {
                    Ok(true) => {}
                    Ok(false) => files.push((place, file)),
                    Err(failure) => missing.push((done.name.clone(), failure)),
                }
            }
        }
        let small = files.iter().map(|(_, file)| file.cid).filter(|cid| cid.codec() == Codec::Raw);
        // Whatever is not among them is asked for by itself.
        let blocks = fetch::together(node, small.collect()).await;
        for (place, file) in files {
            if let Err(failure) = self.write_one(node, &file, &blocks).await {
                missing.push((share[place].name.clone(), failure));
            }
        }
        missing
    }

    async fn write_one(
        &self,
        node: &impl NodeApi,
        file: &Placed,
        blocks: &HashMap<Cid, Bytes>,
    ) -> Result<(), Failure> {
        let path = self.dir.join(&file.path);
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = self.dir.join(OURS).join("draft").join(number.to_string());
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

    /// Makes everything durable and clears up.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        machine::sync(&self.dir)?;
        self.clear()
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
        if self.new {
            let _ = fs::remove_dir_all(ours.join(RECEIPTS));
            let _ = fs::remove_file(manifest::path(&self.dir));
            let _ = fs::remove_dir(ours);
            let _ = fs::remove_dir(self.dir);
        }
    }
}

/// Where the receipt of a job is that was known before, in a directory of results.
pub(crate) fn known_receipt(dir: &Path, job: &JobId) -> PathBuf {
    dir.join(OURS).join(RECEIPTS).join(format!("{job}.polity"))
}

fn make_dir(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    fn manifest(run: u8) -> Manifest {
        Manifest { run: Digest([run; 32]), tasks: 2, known: Vec::new() }
    }

    fn job(name: &[u8]) -> JobId {
        JobId(Cid::of(Codec::DagCbor, name))
    }

    fn open(dir: &Path, run: u8) -> Result<Results, Failure> {
        Results::open(dir.into(), manifest(run), 1 << 20)
    }

    #[test]
    fn a_directory_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let run = Digest([1; 32]);
        assert_eq!(check(dir.path(), &run), Ok(()));
        assert_eq!(check(&dir.path().join("new"), &run), Ok(()));
        fs::write(dir.path().join("x"), "x").unwrap();
        assert!(check(dir.path(), &run).unwrap_err().message.contains("something else"));
        assert!(check(&dir.path().join("x"), &run).is_err(), "a file");
    }

    #[test]
    fn results_of_one_run_can_be_completed_and_no_others_mixed_in() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        open(&out, 1).unwrap();
        fs::write(out.join("17.csv"), "x").unwrap();
        open(&out, 1).unwrap();
        assert!(open(&out, 2).unwrap_err().message.contains("something else"));
    }

    #[test]
    fn results_of_a_job_are_completed_as_what_they_were_begun() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        open(&out, 1).unwrap().mark(&job(b"one")).unwrap();
        assert_eq!(job_of(&out), Some(job(b"one")));
        let of_job = |name| Results::of_job(out.clone(), &job(name), manifest(2), 1 << 20);
        assert_eq!(of_job(b"one").unwrap().manifest(), &manifest(1));
        assert!(of_job(b"two").is_err());
    }

    #[test]
    fn an_order_that_was_refused_leaves_nothing_behind_and_takes_nothing_away() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let receipt = Bytes::from_static(b"receipt");
        let results = open(&out, 1).unwrap();
        results.keep_known([(&job(b"one"), &receipt)].into_iter()).unwrap();
        assert!(results.known_receipt(&job(b"one")).exists());
        results.abandon();
        assert!(!out.exists());
        let results = open(&out, 1).unwrap();
        fs::write(out.join("theirs"), "x").unwrap();
        results.abandon();
        assert!(out.join("theirs").exists());
        fs::remove_file(out.join("theirs")).unwrap();
        open(&out, 1).unwrap();
        open(&out, 1).unwrap().abandon();
        assert_eq!(Manifest::read(&out).unwrap(), Some(manifest(1)), "it was there before");
    }
}
