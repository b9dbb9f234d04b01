//! Outcomes that are wrong and look right.

use crate::worker::{Execution, Withheld};
use bytes::Bytes;
use identity::{Digest, PublicKey};
use protocol::{JobId, NoResult, Outcome, TaskIndex, port::Blobs};
use std::sync::Arc;
use storage::Store;

/// Of so many tasks a liar lies about one.
const ONE_IN: u8 = 3;

/// Makes up outcomes, and keeps what they name, so that others can have it.
pub(super) struct Liar {
    me: PublicKey,
    store: Store,
    withheld: Arc<Withheld>,
}

impl Liar {
    pub(super) fn new(me: PublicKey, store: Store, withheld: Arc<Withheld>) -> Self {
        Self { me, store, withheld }
    }

    /// What this liar alone makes its lies of.
    pub(super) fn own(&self) -> &[u8] {
        &self.me.0
    }

    /// The wrong outcome beside an honest one. What it names is stored, and held back like any
    /// output.
    pub(super) async fn tell(
        &self,
        honest: Execution,
        whose: &[u8],
    ) -> Result<Execution, NoResult> {
        let Execution { outcome, mut hidden_blocks } = honest;
        let (outcome, stdout) = wrong(outcome, whose);
        self.withheld.hold(&[outcome.stdout]);
        hidden_blocks.push(outcome.stdout);
        if let Err(error) = self.store.put(vec![(outcome.stdout, stdout)]).await {
            tracing::error!(%error, "a lie cannot be kept");
            self.withheld.withdraw(&hidden_blocks);
            return Err(NoResult::HostFailure);
        }
        Ok(Execution { outcome, hidden_blocks })
    }
}

/// Whether a task is one of those that are lied about. The same `whose` lies about the same tasks.
pub(super) fn is_chosen(job: &JobId, task: TaskIndex, whose: &[u8]) -> bool {
    seed(job, task, whose).as_bytes()[0].is_multiple_of(ONE_IN)
}

/// A plausible wrong outcome, and what it says that the program printed.
pub(super) fn wrong(honest: Outcome, whose: &[u8]) -> (Outcome, Bytes) {
    let seed = seed(&honest.job, honest.task, whose);
    let printed = Bytes::from(format!("{seed}\n"));
    let (root, _) = objects::file(&printed);
    let fuel = honest.fuel.saturating_add(1);
    (Outcome { fuel, stdout: root.cid, ..honest }, printed)
}

fn seed(job: &JobId, task: TaskIndex, whose: &[u8]) -> Digest {
    Digest::of("polity misbehave", &[&job.0.to_bytes(), &task.0.to_be_bytes(), whose])
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};
    use protocol::End;

    fn honest(task: u32) -> Outcome {
        Outcome {
            job: JobId(Cid::of(Codec::Raw, b"job")),
            task: TaskIndex(task),
            end: End::Exit(0),
            fuel: 7,
            fingerprint: Digest([1; 32]),
            outputs: Vec::new(),
            stdout: Cid::of(Codec::Raw, b"right"),
            stderr: Cid::of(Codec::Raw, b""),
        }
    }

    #[test]
    fn a_lie_repeats_itself_and_belongs_to_whoever_tells_it() {
        let told = |whose: &[u8]| wrong(honest(3), whose).0;
        assert_eq!(told(b"one"), told(b"one"));
        assert_ne!(told(b"one"), told(b"two"));
        assert_ne!(told(b"one").digest(), honest(3).digest());
        assert!(told(b"one").check().is_ok());
    }

    #[test]
    fn what_a_lie_names_is_what_is_stored() {
        let (outcome, printed) = wrong(honest(3), b"one");
        assert_eq!(outcome.stdout, Cid::of(Codec::Raw, &printed));
    }

    #[test]
    fn about_a_third_of_the_tasks_is_lied_about() {
        let job = honest(0).job;
        let chosen = (0..3000).filter(|task| is_chosen(&job, TaskIndex(*task), b"one")).count();
        assert!((800..1200).contains(&chosen), "{chosen}");
    }
}
