//! Lets everybody wait for its commitments.

use crate::worker::{Conduct, Execution, Executor, Replica};
use protocol::{NoResult, port::Answer};
use std::time::Duration;

/// How long: others are done by then, and no lease is over.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Slow;

impl Conduct for Slow {
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(async move {
            let honest = executor.outcome(replica).await?;
            tokio::time::sleep(PAUSE).await;
            Ok(honest)
        })
    }
}
