//! What every bench is given: the programs under test, directories, and how thorough to be.

use crate::{project::Project, steps::Steps};
use anyhow::{Context as _, ensure};
use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Programs and places.
pub(crate) struct World {
    /// The release binary.
    pub(crate) polity: PathBuf,
    /// Where cargo puts examples in release mode.
    pub(crate) examples: PathBuf,
    /// Where things stay from one run to the next.
    pub(crate) cache: PathBuf,
    /// For what short commands print.
    pub(crate) scratch: PathBuf,
    /// Fewer repetitions.
    pub(crate) quick: bool,
    /// A sweep whose receipt others look at, once there is one.
    pub(crate) swept: RefCell<Option<Swept>>,
    dir: TempDir,
    numbers: Cell<u64>,
    directories: Cell<u64>,
}

/// What a sweep left: the directory of its results, and the genesis that they are verified with.
pub(crate) struct Swept {
    pub(crate) out: PathBuf,
    pub(crate) genesis: PathBuf,
    pub(crate) tasks: u64,
}

impl World {
    /// Places below `dir`, which must be on a real disk.
    pub(crate) fn new(project: &Project, dir: &Path, quick: bool) -> anyhow::Result<Self> {
        let release = project.target.join("release");
        let polity = release.join("polity");
        ensure!(polity.is_file(), "{} is missing; leave out --no-build", polity.display());
        let dir = tempfile::Builder::new().prefix("polity-bench-").tempdir_in(dir);
        let dir = dir.context("a directory for the bench")?;
        let scratch = dir.path().join("scratch");
        fs::create_dir(&scratch)?;
        Ok(Self {
            polity,
            examples: release.join("examples"),
            cache: project.target.join("bench"),
            scratch,
            quick,
            swept: RefCell::new(None),
            dir,
            numbers: Cell::new(0),
            directories: Cell::new(0),
        })
    }

    /// A new directory.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.absent(name);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// A path where nothing is yet.
    pub(crate) fn absent(&self, name: &str) -> PathBuf {
        let number = self.directories.get();
        self.directories.set(number + 1);
        self.dir.path().join(format!("{name}-{number}"))
    }

    /// Numbers of trivial inputs that nobody had before.
    pub(crate) fn numbers(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.numbers.get();
        self.numbers.set(first + count);
        first..first + count
    }

    /// `full`, or `quick` if asked to be.
    pub(crate) fn either(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }

    /// A program that the bench needs and that cargo built as an example.
    pub(crate) fn example(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.examples.join(name);
        ensure!(path.is_file(), "{} is missing; leave out --no-build", path.display());
        Ok(path)
    }
}

/// Builds what the benches named need.
pub(crate) fn build(
    steps: &mut Steps,
    examples: impl Iterator<Item = (&'static str, &'static str)>,
) -> anyhow::Result<()> {
    let mut polity = steps.cargo("build --locked --release --package node --bin polity");
    steps.run("polity, release", &mut polity)?;
    for (package, example) in examples {
        let line = format!("build --locked --release --package {package} --example {example}");
        steps.run(&format!("{example}, release"), &mut steps.cargo(&line))?;
    }
    Ok(())
}
