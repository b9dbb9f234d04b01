//! A validator's part in disputes: it runs the task again and signs what it found.

use super::Rerun;
use crate::chain::ChainError;
use identity::Signed;
use ledger::DisputeRecord;
use protocol::{Dispute, NoResult, Ruling, Tx, Verdicts};

/// Rulings that wait for further ones before they are signed.
const TOGETHER: usize = 16;

impl Rerun {
    /// Rules on every open dispute on which this validator has not ruled.
    pub(super) async fn rule(&mut self) -> Result<(), ChainError> {
        let ledger = self.parts.chain.ledger();
        if !ledger.validators().contains(&self.me) {
            return Ok(());
        }
        let waits = |record: &&DisputeRecord| {
            record.is_open() && !record.rulings.iter().any(|(validator, _)| *validator == self.me)
        };
        let mut records: Vec<_> = ledger.disputes().filter(waits).cloned().collect();
        records.sort_by_key(|record| (record.opened, record.job, record.task));
        let mut ready = Vec::new();
        for record in records {
            let place = (record.job, record.task);
            if self.ruled.contains(&place) || !self.is_due(&place) {
                continue;
            }
            if let Some(ruling) = self.ruling(&record).await? {
                ready.push(ruling);
                self.ruled.insert(place);
            }
            if ready.len() >= TOGETHER {
                self.sign(std::mem::take(&mut ready)).await;
            }
        }
        self.sign(ready).await;
        Ok(())
    }

    /// What this validator says about one dispute; nothing yet if it is to be tried again.
    async fn ruling(&mut self, record: &DisputeRecord) -> Result<Option<Ruling>, ChainError> {
        let (job, task) = (record.job, record.task);
        let ruling = |outcome| Some(Ruling { job, task, outcome });
        let filings = self.parts.chain.filings(record).await?;
        let Some(Signed { payload: Dispute { order, .. }, .. }) = filings.first() else {
            tracing::error!(%job, %task, "the journal does not hold the dispute");
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

    async fn sign(&mut self, rulings: Vec<Ruling>) {
        if rulings.is_empty() {
            return;
        }
        let verdicts = Verdicts::sign(rulings, self.parts.chain.network(), &self.parts.key);
        self.offers.add(Tx::Verdict(Box::new(verdicts)));
        self.offers.put(&self.parts).await;
    }
}
