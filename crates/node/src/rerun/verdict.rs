//! A validator's part in disputes: it runs the task again and signs what it found.

use super::{Place, Rerun};
use crate::chain::ChainError;
use identity::Signed;
use ledger::DisputeRecord;
use protocol::{Dispute, NoResult, Ruling, Time, Tx, Verdicts};

/// Rulings under one signature, at most.
const TOGETHER: usize = 16;
/// How long a ruling waits for further ones.
const TOGETHER_MS: u64 = 500;

/// Rulings that are not signed yet.
#[derive(Default)]
pub(super) struct Ready {
    rulings: Vec<Ruling>,
    /// When the first of them was ready.
    since: Time,
}

impl Rerun {
    /// Rules on the oldest open dispute on which this validator has not ruled. False if there is
    /// none that can be ruled on now.
    pub(super) async fn rule(&mut self) -> Result<bool, ChainError> {
        let next = self.next_dispute();
        let found = next.is_some();
        if let Some(record) = next
            && let Some(ruling) = self.ruling(&record).await?
        {
            let place = (record.job, record.task);
            self.ruled.insert(place);
            self.tries.remove(&place);
            if self.ready.rulings.is_empty() {
                self.ready.since = self.parts.clock.now();
            }
            self.ready.rulings.push(ruling);
        }
        let waited_ms = self.parts.clock.now().since_ms(self.ready.since);
        if !found || self.ready.rulings.len() >= TOGETHER || waited_ms >= TOGETHER_MS {
            self.sign();
        }
        Ok(found)
    }

    fn next_dispute(&self) -> Option<DisputeRecord> {
        let ledger = self.parts.chain.ledger();
        if !ledger.validators().contains(&self.me) {
            return None;
        }
        let waits = |record: &&DisputeRecord| {
            let place: Place = (record.job, record.task);
            record.is_open()
                && !record.rulings.iter().any(|(validator, _)| *validator == self.me)
                && !self.ruled.contains(&place)
                && self.is_due(&place)
        };
        let waiting = ledger.disputes().filter(waits);
        waiting.min_by_key(|record| (record.opened, record.job, record.task)).cloned()
    }

    /// What this validator says about one dispute; nothing yet if it is to be tried again.
    async fn ruling(&mut self, record: &DisputeRecord) -> Result<Option<Ruling>, ChainError> {
        let (job, task) = (record.job, record.task);
        let ruling = |outcome| Some(Ruling { job, task, outcome });
        let filings = self.parts.chain.filings(record).await?;
        let Some(Signed { payload: Dispute { order, .. }, .. }) = filings.first() else {
            tracing::error!(%job, %task, "the journal does not hold the dispute");
            self.postpone((job, task));
            return Ok(None);
        };
        let claimants = record.claims.iter().map(|(node, _)| *node);
        let first = [record.home, record.filed_by].into_iter().chain(claimants);
        let sources = self.sources(first);
        match self.parts.executor.rerun(order, task, &sources).await {
            Ok(outcome) => {
                let outcome = self.parts.conduct.ruling(outcome).digest();
                tracing::info!(%job, %task, %outcome, "ran a disputed task again");
                Ok(ruling(Some(outcome)))
            }
            // Another moment does not give it another engine or another program.
            Err(reason @ (NoResult::OtherEngine | NoResult::BadProgram | NoResult::Refused)) => {
                tracing::info!(%job, %task, ?reason, "a disputed task cannot be run here");
                Ok(ruling(None))
            }
            Err(reason) => {
                let third_ms = self.parts.chain.ledger().params().verdict_ms / 3;
                let left_ms = record.deadline.since_ms(self.parts.clock.now());
                if left_ms < third_ms {
                    tracing::info!(%job, %task, ?reason, "a disputed task could not be run");
                    return Ok(ruling(None));
                }
                tracing::debug!(%job, %task, ?reason, "a disputed task is tried again later");
                self.postpone((job, task));
                Ok(None)
            }
        }
    }

    /// Signs what is ready. It is offered with everything else.
    fn sign(&mut self) {
        let rulings = std::mem::take(&mut self.ready.rulings);
        if !rulings.is_empty() {
            let about = rulings.iter().map(|ruling| (ruling.job, ruling.task)).collect();
            let verdicts = Verdicts::sign(rulings, self.parts.chain.network(), &self.parts.key);
            self.offers.add(about, Tx::Verdict(Box::new(verdicts)));
        }
    }
}
