//! What a directory of results is of: `.polity/run`. It says which tasks were known before, and
//! which receipts have them. Nothing in it is trusted: receipts say what is so.

use super::layout::OURS;
use crate::{data, failure::Failure};
use identity::Digest;
use protocol::{JobId, TaskIndex};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// Bytes of the file: names of as many tasks as a job may have.
const FILE_BYTES: u64 = 64 << 20;

/// What the results in a directory are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Program, arguments, inputs and seed of the whole run: see [`super::order::Plan::run`].
    pub(crate) run: Digest,
    /// How many tasks it has.
    pub(crate) tasks: usize,
    /// Tasks that no order was given for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) known: Vec<KnownIn>,
}

/// Tasks whose results another job has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownIn {
    /// The job.
    pub(crate) job: JobId,
    /// Which of its tasks, and what they are called here.
    pub(crate) tasks: Vec<(TaskIndex, String)>,
}

impl Manifest {
    /// The manifest of a directory, if it has one.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, Failure> {
        let path = path(dir);
        let bytes = match data::read_bounded(&path, FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Failure::file(&path, &error))?,
        };
        let wrong = |reason: String| Failure::usage(format!("{}: {reason}", path.display()));
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let names = manifest.known.iter().flat_map(|known| &known.tasks).map(|(_, name)| name);
        match names.into_iter().find(|name| !is_plain(name)) {
            Some(name) => Err(wrong(format!("{name:?} is no name of a task"))),
            None => Ok(Some(manifest)),
        }
    }

    /// Writes it, in place of one that may be there.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Failure> {
        let path = path(dir);
        let bytes = serde_json::to_vec(self).map_err(Failure::internal)?;
        let draft = path.with_extension("draft");
        fs::write(&draft, bytes).map_err(|error| Failure::file(&draft, &error))?;
        fs::rename(&draft, &path).map_err(|error| Failure::file(&path, &error))
    }

    /// Whether the run has one task, whose files stand at the top of the directory.
    pub(crate) fn alone(&self) -> bool {
        self.tasks == 1
    }
}

/// Where it is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(OURS).join("run")
}

/// Whether a name stays in the directory that it is joined to.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    fn manifest(name: &str) -> Manifest {
        let job = JobId(Cid::of(Codec::DagCbor, b"job"));
        let known = vec![KnownIn { job, tasks: vec![(TaskIndex(7), name.into())] }];
        Manifest { run: Digest([1; 32]), tasks: 2, known }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()), Ok(None));
        fs::create_dir(dir.path().join(OURS)).unwrap();
        manifest("x=1").write(dir.path()).unwrap();
        manifest("x=2").write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()), Ok(Some(manifest("x=2"))));
        assert_eq!(fs::read_dir(dir.path().join(OURS)).unwrap().count(), 1);
    }

    #[test]
    fn names_that_lead_out_of_the_directory_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(OURS)).unwrap();
        for name in ["..", "a/b", "/etc/passwd", "", ".", "a/"] {
            manifest(name).write(dir.path()).unwrap();
            assert!(Manifest::read(dir.path()).is_err(), "{name}");
        }
        fs::write(path(dir.path()), b"{").unwrap();
        assert!(Manifest::read(dir.path()).is_err());
    }
}
