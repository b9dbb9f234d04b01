//! The few places where a node could lie, and what an honest one does there.

use super::{Execution, Executor, Replica};
use protocol::{Commitment, NoResult, Outcome, Reveal, port::Answer};

/// What a node does where it could lie. The default is honest.
pub(crate) trait Conduct: Send + Sync + 'static {
    /// Gives the outcome of a replica, to be committed to; or says why there is none.
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(executor.outcome(replica))
    }

    /// Whether it answers for the replicas that it takes.
    fn answers(&self) -> bool {
        true
    }

    /// What it commits to once more after it committed to these.
    fn commits_again(&self, _said: &[Commitment]) -> Option<Vec<Commitment>> {
        None
    }

    /// What it reveals of a replica that opens so.
    fn reveals(&self, opening: Reveal, outcome: Outcome) -> (Reveal, Outcome) {
        (opening, outcome)
    }

    /// What it says that a disputed or audited task gave.
    fn ruling(&self, honest: Outcome) -> Outcome {
        honest
    }
}

/// Does as the rules say.
pub(crate) struct Honest;

impl Conduct for Honest {}
