//! What tasks give: the right outcome is a function of the job and the task alone.

use identity::Digest;
use objects::{Cid, Codec};
use protocol::{End, JobId, Outcome, OutcomeDigest, Output, TaskIndex};

/// The engine of every node.
pub(crate) fn engine() -> Digest {
    Digest::of("polity sim engine", &[])
}

/// The outcome of a task with a mark in its content; the right one has none.
pub(crate) fn outcome(job: JobId, task: TaskIndex, mark: &str) -> Outcome {
    let file = |name: &str| format!("{name} of task {task}{mark}").into_bytes();
    let cid = |name: &str| Cid::of(Codec::Raw, &file(name));
    let size_bytes = file("mean.csv").len() as u64;
    Outcome {
        job,
        task,
        end: End::Exit(0),
        fuel: 1_000 + u64::from(task.0),
        fingerprint: engine(),
        outputs: vec![Output { path: "mean.csv".into(), cid: cid("mean.csv"), size_bytes }],
        stdout: cid("stdout"),
        stderr: cid("stderr"),
    }
}

/// What an honest node finds.
pub(crate) fn right(job: JobId, task: TaskIndex) -> OutcomeDigest {
    outcome(job, task, "").digest()
}
