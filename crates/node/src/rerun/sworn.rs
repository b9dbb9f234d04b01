//! An executor's own dispute: something else became final than what this node committed to.

use super::Rerun;
use crate::{chain::ChainError, quotes};
use identity::Signed;
use protocol::{Agreements, Dispute, TaskIndex, Tx, limits};

impl Rerun {
    /// Reads the final blocks that it has not read, and compares them with what this node said.
    pub(super) async fn compare(&mut self) -> Result<(), ChainError> {
        let last = self.parts.chain.ledger().tip().height;
        while self.read < last && !self.offers.is_full() {
            let next = self.read.next();
            let Some((block, _)) = self.parts.chain.block(next).await? else { break };
            for tx in block.txs {
                if let Tx::Agree(agreements) = tx {
                    self.compare_with(&agreements);
                }
            }
            self.parts.sworn.prune(block.header.time);
            self.read = next;
        }
        Ok(())
    }

    fn compare_with(&mut self, agreements: &Agreements) {
        let job = agreements.order.payload.id();
        for agreed in &agreements.tasks {
            let Some(oath) = self.parts.sworn.take(&(job, agreed.task)) else { continue };
            if oath.outcome == agreed.outcome {
                continue;
            }
            let known = self
                .parts
                .chain
                .ledger()
                .dispute(&job, agreed.task)
                .is_some_and(|record| record.claims.iter().any(|(node, _)| *node == self.me));
            if known {
                continue;
            }
            tracing::warn!(%job, task = %agreed.task, "another outcome became final than this node's");
            if let Some(tx) = self.object(agreements, agreed.task, &oath) {
                self.offers.add(vec![(job, agreed.task)], tx);
            }
        }
    }

    /// This node's claim beside those of the executors.
    fn object(
        &self,
        agreements: &Agreements,
        task: TaskIndex,
        oath: &crate::worker::Oath,
    ) -> Option<Tx> {
        let (network, key) = (self.parts.chain.network(), &self.parts.key);
        let order = agreements.order.clone();
        let own = oath.claim((order.payload.id(), task), network, key)?;
        let mut claims = quotes::claims_in(agreements, task);
        claims.retain(|claim| claim.node() != self.me);
        claims.truncate(usize::from(limits::REPLICAS) - 1);
        claims.push(own);
        claims.sort_by_key(protocol::Claim::node);
        let drawn = agreements.drawn;
        let dispute = Dispute { order, drawn, task, claims, audits: Vec::new() };
        Some(Tx::Dispute(Box::new(Signed::new(dispute, network, key))))
    }
}
