//! Runs one task of a job, and claims what that one gave for all others.

use crate::worker::{Conduct, Execution, Executor, Replica};
use execution::Engine;
use objects::{Cid, Codec};
use protocol::{End, JobId, NoResult, Outcome, TaskIndex, port::Answer};
use std::sync::Mutex;

/// The last job, its task that this node ran, and what that gave once it did.
struct Seen {
    job: JobId,
    task: TaskIndex,
    outcome: Option<Outcome>,
}

#[derive(Default)]
pub(super) struct Copied {
    seen: Mutex<Option<Seen>>,
}

impl Copied {
    /// What to claim without work; nothing if this task is the one to run.
    fn copy(&self, replica: &Replica) -> Option<Outcome> {
        let mut seen = self.seen.lock().expect("nobody panics while holding an outcome");
        match seen.as_ref().filter(|seen| seen.job == replica.job) {
            Some(first) if first.task == replica.task => None,
            Some(first) => Some(first.outcome.clone().map_or_else(
                || usual(replica),
                |outcome| Outcome { task: replica.task, ..outcome },
            )),
            None => {
                let (job, task) = (replica.job, replica.task);
                *seen = Some(Seen { job, task, outcome: None });
                None
            }
        }
    }

    fn remember(&self, outcome: &Outcome) {
        let mut seen = self.seen.lock().expect("nobody panics while holding an outcome");
        if let Some(first) = seen.as_mut().filter(|seen| seen.job == outcome.job) {
            first.outcome = Some(outcome.clone());
        }
    }
}

impl Conduct for Copied {
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(async move {
            if let Some(outcome) = self.copy(replica) {
                return Ok(Execution { outcome, hidden_blocks: Vec::new() });
            }
            let honest = executor.outcome(replica).await?;
            self.remember(&honest.outcome);
            Ok(honest)
        })
    }
}

/// What programs mostly do: they end well and print nothing.
fn usual(replica: &Replica) -> Outcome {
    let nothing = Cid::of(Codec::Raw, b"");
    Outcome {
        job: replica.job,
        task: replica.task,
        end: End::Exit(0),
        fuel: 1,
        fingerprint: Engine::fingerprint(),
        outputs: Vec::new(),
        stdout: nothing,
        stderr: nothing,
    }
}
