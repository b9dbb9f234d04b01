//! Lies only where nobody is there to compare: jobs whose tasks one node runs alone.

use super::lie::Liar;
use crate::worker::{Conduct, Execution, Executor, Replica};
use protocol::{NoResult, port::Answer};

pub(super) struct Selective(pub(super) Liar);

impl Conduct for Selective {
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(async move {
            let honest = executor.outcome(replica).await?;
            if replica.order.payload.verification.k == 1 {
                self.0.tell(honest, self.0.own()).await
            } else {
                Ok(honest)
            }
        })
    }
}
