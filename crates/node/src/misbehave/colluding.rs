//! Claims what every other node that colludes claims, without having spoken to it.

use super::lie::{self, Liar};
use crate::worker::{Conduct, Execution, Executor, Replica};
use protocol::{NoResult, Outcome, port::Answer};

/// What all of them make their lies of.
const OURS: &[u8] = b"colluding";

pub(super) struct Colluding(pub(super) Liar);

impl Conduct for Colluding {
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(async move {
            let honest = executor.outcome(replica).await?;
            if lie::is_chosen(&replica.job, replica.task, OURS) {
                self.0.tell(honest, OURS).await
            } else {
                Ok(honest)
            }
        })
    }

    fn ruling(&self, honest: Outcome) -> Outcome {
        if lie::is_chosen(&honest.job, honest.task, OURS) {
            lie::wrong(honest, OURS).0
        } else {
            honest
        }
    }
}
