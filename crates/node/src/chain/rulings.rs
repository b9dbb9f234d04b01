//! What the chain holds about disputes: who filed what, what validators signed, who vouched.

use super::{Chain, ChainError};
use identity::{PublicKey, Signed};
use ledger::{DisputeRecord, DisputeStatus};
use protocol::{Admission, Dispute, Height, Tx, Verdicts};
use std::collections::{BTreeMap, BTreeSet};

impl Chain {
    /// What was filed about a task, in the order of the ledger.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn filings(
        &self,
        record: &DisputeRecord,
    ) -> Result<Vec<Signed<Dispute>>, ChainError> {
        let mut filings = Vec::new();
        for (digest, height) in &record.txs {
            let Some((block, _)) = self.block(*height).await? else { continue };
            let filed = block.txs.into_iter().find(|tx| tx.digest() == *digest);
            if let Some(Tx::Dispute(dispute)) = filed {
                filings.push(*dispute);
            }
        }
        Ok(filings)
    }

    /// Verdicts on these disputes, of each validator at most one on a task: those that found what
    /// was decided, and if `all` is said those that found something else too.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn verdicts_on(
        &self,
        records: &[DisputeRecord],
        all: bool,
    ) -> Result<Vec<Signed<Verdicts>>, ChainError> {
        let decided: Vec<_> = records
            .iter()
            .filter_map(|record| match record.status {
                DisputeStatus::Decided { outcome, height } => Some((record, outcome, height)),
                DisputeStatus::Open | DisputeStatus::Undecided { .. } => None,
            })
            .collect();
        let Some(first) = decided.iter().map(|(record, ..)| record.opened).min() else {
            return Ok(Vec::new());
        };
        let last = decided.iter().map(|(_, _, height)| *height).max().unwrap_or(first);
        let mut said = BTreeSet::new();
        let mut verdicts = Vec::new();
        let mut height = first;
        while height <= last {
            let Some((block, _)) = self.block(height).await? else { break };
            for tx in block.txs {
                let Tx::Verdict(verdict) = tx else { continue };
                let new = decided.iter().filter(|(record, outcome, _)| {
                    let ruling = verdict.payload.on(&record.job, record.task);
                    let found = ruling.and_then(|ruling| ruling.outcome);
                    found.is_some_and(|found| all || found == *outcome)
                        && said.insert((verdict.by, record.job, record.task))
                });
                if new.count() > 0 {
                    verdicts.push(*verdict);
                }
            }
            height = height.next();
        }
        Ok(verdicts)
    }

    /// Admissions of these nodes, and of one node of each of these owners, that the genesis does
    /// not name, sorted by key.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn vouchers(
        &self,
        nodes: &BTreeSet<PublicKey>,
        owners: &[PublicKey],
    ) -> Result<Vec<Signed<Admission>>, ChainError> {
        let ledger = self.ledger();
        let mut nodes = nodes.clone();
        for owner in owners {
            // Any node says that its owner is one; the first is as good as others.
            let theirs = ledger.roster().nodes().filter(|(_, record)| record.owner == *owner);
            let first = theirs.min_by_key(|(node, record)| (record.since, **node));
            nodes.extend(first.map(|(node, _)| *node));
        }
        let mut found = BTreeMap::new();
        for node in nodes {
            let since = ledger.roster().node(&node).map_or(Height(0), |record| record.since);
            let Some((block, _)) = self.block(since).await? else { continue };
            for tx in block.txs {
                match tx {
                    Tx::Admit(admission) if admission.payload.voucher.payload.node == node => {
                        found.insert(admission.by, *admission);
                    }
                    _ => {}
                }
            }
        }
        Ok(found.into_values().collect())
    }
}
