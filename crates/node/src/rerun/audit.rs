//! Audits: final tasks that the beacon named this node for.

use super::{Place, Rerun};
use crate::{chain::ChainError, quotes};
use identity::Signed;
use ledger::Duty;
use protocol::{Agreements, Audit, Dispute, Tx};

/// Times that a task without a result is tried.
const TRIES: u32 = 3;

impl Rerun {
    /// Does the duty of this node that ends first and is not done. False if there is none that can
    /// be done now.
    pub(super) async fn audit(&mut self) -> Result<bool, ChainError> {
        let Some(duty) = self.next_duty() else { return Ok(false) };
        self.audit_one(duty).await?;
        Ok(true)
    }

    fn next_duty(&self) -> Option<Duty> {
        if self.offers.is_full() {
            return None;
        }
        let (ledger, now) = (self.parts.chain.ledger(), self.parts.clock.now());
        let waits = |duty: &&Duty| {
            let place: Place = (duty.job, duty.task);
            let spent = self.tries.get(&place).is_some_and(|tries| tries.count >= TRIES);
            let mine = duty.auditors.contains(&self.me) && !duty.answered.contains(&self.me);
            let done = self.audited.contains(&place);
            mine && !done && !spent && duty.expires >= now && self.is_due(&place)
        };
        let waiting = ledger.duties().filter(waits);
        waiting.min_by_key(|duty| (duty.expires, duty.job, duty.task)).cloned()
    }

    async fn audit_one(&mut self, duty: Duty) -> Result<(), ChainError> {
        let (job, task) = (duty.job, duty.task);
        let found = self.parts.chain.find(&duty.tx).await?;
        let tx = found.and_then(|(block, index)| block.txs.into_iter().nth(index));
        let Some(Tx::Agree(agreements)) = tx else {
            tracing::error!(%job, %task, "the journal does not hold what settled the task");
            self.postpone((job, task));
            return Ok(());
        };
        let executors = agreements.reveals.iter().map(|batch| batch.statement.by);
        let sources = self.sources([agreements.order.payload.home].into_iter().chain(executors));
        let outcome = match self.parts.executor.rerun(&agreements.order, task, &sources).await {
            Ok(outcome) => outcome.digest(),
            Err(reason) => {
                tracing::debug!(%job, %task, ?reason, "a task could not be audited");
                self.postpone((job, task));
                return Ok(());
            }
        };
        self.audited.insert((job, task));
        self.tries.remove(&(job, task));
        let audit = Audit { job, task, outcome };
        let audit = Signed::new(audit, self.parts.chain.network(), &self.parts.key);
        if outcome == duty.outcome {
            tracing::info!(%job, %task, "audited: the same");
            self.offers.add(vec![(job, task)], Tx::Audit(audit));
        } else {
            tracing::warn!(%job, %task, "audited: another outcome than was agreed on");
            let dispute = self.differs(*agreements, audit);
            self.offers.add(vec![(job, task)], dispute);
        }
        Ok(())
    }

    /// The dispute of an auditor that found something else.
    fn differs(&self, agreements: Agreements, audit: Signed<Audit>) -> Tx {
        let task = audit.payload.task;
        let claims = quotes::claims_in(&agreements, task);
        let Agreements { order, drawn, .. } = agreements;
        let dispute = Dispute { order, drawn, task, claims, audits: vec![audit] };
        let signed = Signed::new(dispute, self.parts.chain.network(), &self.parts.key);
        Tx::Dispute(Box::new(signed))
    }
}
