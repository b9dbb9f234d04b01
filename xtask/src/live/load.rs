//! What people would do all day: sweeps of several owners, single tasks, directories in and out.

use super::chance::Chance;
use crate::bench::process;
use anyhow::{Context as _, bail, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long one command may take, faults and all.
const LIMIT: Duration = Duration::from_secs(300);
/// Tasks of a sweep.
const TASKS: u64 = 200;
/// Files of a directory, and bytes of each.
const FILES: u64 = 20;
const FILE_BYTES: std::ops::Range<u64> = 1..200_000;
/// Failures of which the whole text is kept.
const TOLD: usize = 200;

/// A way to spend the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Habit {
    /// Many tasks, two of three owners.
    Sweep,
    /// One task, any owner.
    Single,
    /// A directory goes in at one node and comes out at another one.
    Files,
}

/// What happened so far.
#[derive(Default)]
pub(super) struct Score {
    /// Tasks with a result.
    pub(super) tasks: AtomicU64,
    /// Bytes of directories that came out as they went in.
    pub(super) bytes: AtomicU64,
    /// The day is over.
    pub(super) over: AtomicBool,
    counts: Mutex<BTreeMap<(Habit, bool), u64>>,
    failures: Mutex<Vec<String>>,
}

impl Score {
    /// How often each habit went well, and did not.
    pub(super) fn counts(&self) -> BTreeMap<(Habit, bool), u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was said when something did not go well.
    pub(super) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, habit: Habit, done: &anyhow::Result<()>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((habit, done.is_ok())).or_default() += 1;
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = done
            && failures.len() < TOLD
        {
            failures.push(format!("{habit:?}: {error:#}"));
        }
    }
}

/// Somebody with habits.
pub(super) struct Person<'a> {
    pub(super) polity: &'a Path,
    /// Directories of the nodes that are spoken to.
    pub(super) homes: &'a [PathBuf],
    pub(super) program: &'a Path,
    /// A directory of its own.
    pub(super) dir: PathBuf,
    pub(super) chance: Chance,
    pub(super) score: &'a Score,
}

impl Person<'_> {
    /// Does the same thing again and again until the day is over.
    pub(super) fn live(mut self, habit: Habit) {
        while !self.score.over.load(Ordering::Relaxed) {
            let done = match habit {
                Habit::Sweep => self.run(TASKS, "2of3"),
                Habit::Single => self.run(1, "single"),
                Habit::Files => self.files(),
            };
            self.score.note(habit, &done);
        }
    }

    fn home(&mut self) -> PathBuf {
        let at = self.chance.within(0..self.homes.len() as u64);
        self.homes[at as usize].clone()
    }

    fn command(&self, home: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.polity);
        command.args(args).arg("--data").arg(home);
        command
    }

    fn run(&mut self, tasks: u64, verification: &str) -> anyhow::Result<()> {
        let (home, out) = (self.home(), self.dir.join("out"));
        let mut command = self.command(&home, &["run"]);
        command.arg(self.program).args(["--fresh", "--verify", verification, "--wait", "agreed"]);
        command.args(["--array", &tasks.to_string()]).arg("-o").arg(&out);
        let ran = process::run(&self.dir, &mut command, LIMIT);
        clear(&out)?;
        ran?;
        self.score.tasks.fetch_add(tasks, Ordering::Relaxed);
        Ok(())
    }

    fn files(&mut self) -> anyhow::Result<()> {
        let (from, to) = (self.home(), self.home());
        let (dir, out) = (self.dir.join("in"), self.dir.join("back"));
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let mut files = BTreeMap::new();
        for number in 0..FILES {
            let count = self.chance.within(FILE_BYTES);
            let bytes = self.chance.bytes(count as usize);
            let path = format!("{number}.bin");
            fs::write(dir.join(&path), &bytes)?;
            files.insert(path, bytes);
        }
        let back = self.there_and_back((&from, &to), (&dir, &out), &files);
        clear(&out)?;
        clear(&dir)?;
        back
    }

    fn there_and_back(
        &self,
        (from, to): (&Path, &Path),
        (dir, out): (&Path, &Path),
        files: &BTreeMap<String, Vec<u8>>,
    ) -> anyhow::Result<()> {
        let mut put = self.command(from, &["put"]);
        let root = process::run(&self.dir, put.arg(dir), LIMIT)?.stdout.trim().to_string();
        let mut get = self.command(to, &["get", &root]);
        let got = process::run(&self.dir, get.arg("-o").arg(out), LIMIT);
        process::run(&self.dir, &mut self.command(from, &["unpin", &root]), LIMIT)?;
        got?;
        for (path, bytes) in files {
            let found = fs::read(out.join(path)).with_context(|| path.clone())?;
            ensure!(found == *bytes, "{path} of {root} came back as something else");
            self.score.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Removes a directory that may be there.
fn clear(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            bail!("{}: {error}", dir.display())
        }
        _ => Ok(()),
    }
}
