//! Claims a wrong outcome of about a third of its replicas, and rules as it claims.

use super::lie::{self, Liar};
use crate::worker::{Conduct, Execution, Executor, Replica};
use protocol::{NoResult, Outcome, port::Answer};

pub(super) struct WrongResult(pub(super) Liar);

impl Conduct for WrongResult {
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(async move {
            let honest = executor.outcome(replica).await?;
            if lie::is_chosen(&replica.job, replica.task, self.0.own()) {
                self.0.tell(honest, self.0.own()).await
            } else {
                Ok(honest)
            }
        })
    }

    fn ruling(&self, honest: Outcome) -> Outcome {
        if lie::is_chosen(&honest.job, honest.task, self.0.own()) {
            lie::wrong(honest, self.0.own()).0
        } else {
            honest
        }
    }
}
