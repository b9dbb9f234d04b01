//! Where the files of a job go below its output directory. `run` writes and `verify` reads by the
//! same rule, which depends on the names of the tasks and one outcome at a time:
//!
//! - A run of one task: `PATH`, for every output.
//! - A task with exactly one output, named as the task: `TASK`.
//! - Every other output: `TASK/PATH`.
//! - What would begin with one of our own names goes to `.polity/out/…` instead.
//! - Stdout and stderr, unless empty: `.polity/stdout/TASK`, `.polity/stderr/TASK`.
//!
//! The receipt is `receipt.polity`. What was known before has its receipts in `.polity/receipts`;
//! `.polity/run` says which tasks they are about (see [`super::manifest`]).

use objects::{Cid, Codec};
use protocol::{Outcome, TaskTable};
use std::path::{Path, PathBuf};

/// The receipt below the output directory.
pub(crate) const RECEIPT: &str = "receipt.polity";
/// Evidence of a lie about the job, if a person put some there.
pub(crate) const EVIDENCE: &str = "evidence.polity";
/// What is ours below the output directory.
pub(crate) const OURS: &str = ".polity";

/// Receipts of what was known before, below what is ours.
pub(crate) const RECEIPTS: &str = "receipts";

/// A file that a task gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Where it goes, below the output directory.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) cid: Cid,
}

/// Whether a name at the top of the output directory is ours.
pub(crate) fn is_reserved(name: &str) -> bool {
    name == RECEIPT || name == OURS
}

/// The files of one outcome of a job that is the whole run. The outcome's paths and the table's
/// names were checked before.
pub(crate) fn files(table: &TaskTable, outcome: &Outcome) -> Vec<Placed> {
    let Some(name) = table.name(outcome.task.0 as usize) else { return Vec::new() };
    files_of(&name, table.len() == 1, outcome)
}

/// The files of one outcome of the task of that name, which may be alone in its run.
pub(crate) fn files_of(name: &str, alone: bool, outcome: &Outcome) -> Vec<Placed> {
    let flat = matches!(outcome.outputs.as_slice(), [only] if only.path == name);
    let mut files: Vec<_> = outcome
        .outputs
        .iter()
        .map(|output| {
            let below = if alone || flat {
                PathBuf::from(&output.path)
            } else {
                Path::new(name).join(&output.path)
            };
            Placed { path: off_ours(below), cid: output.cid }
        })
        .collect();
    let nothing = Cid::of(Codec::Raw, b"");
    for (dir, cid) in [("stdout", outcome.stdout), ("stderr", outcome.stderr)] {
        if cid != nothing {
            files.push(Placed { path: printed(dir, name), cid });
        }
    }
    files
}

/// Where what a task wrote to `stdout` or `stderr` goes.
pub(crate) fn printed(stream: &str, name: &str) -> PathBuf {
    Path::new(OURS).join(stream).join(name)
}

fn off_ours(path: PathBuf) -> PathBuf {
    let first = path.components().next().and_then(|first| first.as_os_str().to_str());
    if first.is_some_and(is_reserved) { Path::new(OURS).join("out").join(path) } else { path }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use identity::Digest;
    use protocol::{End, JobId, Output, TaskIndex, TaskSpec};

    /// A table of tasks with these names, and nothing else.
    pub(crate) fn table(names: &[&str]) -> TaskTable {
        let task = |name: &&str| TaskSpec {
            name: (*name).into(),
            inputs: Vec::new(),
            stdin: None,
            params: Vec::new(),
        };
        TaskTable::of(Vec::new(), names.iter().map(task).collect())
    }

    fn outcome(task: u32, paths: &[&str], stdout: &[u8]) -> Outcome {
        let cid = Cid::of(Codec::Raw, b"x");
        let output = |path: &&str| Output { path: (*path).into(), cid, size_bytes: 1 };
        Outcome {
            job: JobId(cid),
            task: TaskIndex(task),
            end: End::Exit(0),
            fuel: 1,
            fingerprint: Digest([1; 32]),
            outputs: paths.iter().map(output).collect(),
            stdout: Cid::of(Codec::Raw, stdout),
            stderr: Cid::of(Codec::Raw, b""),
        }
    }

    fn paths(table: &TaskTable, outcome: &Outcome) -> Vec<String> {
        let files = files(table, outcome);
        files.into_iter().map(|file| file.path.to_str().unwrap().into()).collect()
    }

    #[test]
    fn one_task_writes_at_the_top() {
        let table = table(&["a.csv"]);
        assert_eq!(paths(&table, &outcome(0, &["x/y", "z"], b"")), ["x/y", "z"]);
    }

    #[test]
    fn one_file_named_as_its_task_is_flat_and_others_have_a_directory() {
        let table = table(&["a.csv", "b.csv", "c.csv"]);
        assert_eq!(paths(&table, &outcome(0, &["a.csv"], b"")), ["a.csv"]);
        assert_eq!(paths(&table, &outcome(1, &["a.csv"], b"")), ["b.csv/a.csv"]);
        assert_eq!(paths(&table, &outcome(2, &["c.csv", "d"], b"")), ["c.csv/c.csv", "c.csv/d"]);
    }

    #[test]
    fn nothing_takes_the_place_of_the_receipt() {
        let alone = table(&["a"]);
        assert_eq!(
            paths(&alone, &outcome(0, &[".polity/stdout/a", "receipt.polity"], b"")),
            [".polity/out/.polity/stdout/a", ".polity/out/receipt.polity"]
        );
        let sweep = table(&["receipt.polity", "b"]);
        assert_eq!(
            paths(&sweep, &outcome(0, &["receipt.polity"], b"")),
            [".polity/out/receipt.polity"]
        );
    }

    #[test]
    fn what_was_printed_is_kept_unless_it_is_nothing() {
        let table = table(&["a", "b"]);
        assert_eq!(paths(&table, &outcome(1, &[], b"hello")), [".polity/stdout/b"]);
        assert_eq!(paths(&table, &outcome(9, &["x"], b"hello")), [""; 0], "no such task");
    }
}
