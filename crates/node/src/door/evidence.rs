//! Evidence files, put together from what the chain holds.

use super::{Door, internal};
use api::{ApiError, Code, evidence_id};
use bytes::Bytes;
use identity::{Digest, PublicKey};
use ledger::DisputeRecord;
use protocol::{Decided, Dispute, Evidence, Proof, TaskTable, Tx, dispute_name};
use std::collections::BTreeSet;

impl Door {
    /// The evidence file of this name.
    pub(super) async fn evidence_of(&self, id: Digest) -> Result<Bytes, ApiError> {
        let ledger = self.home.chain.ledger();
        let disputed =
            ledger.disputes().find(|record| dispute_name(&record.job, record.task) == id);
        let (proof, named) = match disputed {
            Some(record) => self.verdict(record).await?,
            None if ledger.findings().iter().any(|found| evidence_id(found) == Some(id)) => {
                self.contradiction(id).await?
            }
            None => return Err(unknown(id)),
        };
        let vouchers = self.home.chain.vouchers(&named, &[]).await.map_err(internal)?;
        let genesis = self.home.chain.genesis().clone();
        let evidence = Evidence { genesis, vouchers, proof };
        evidence.verify(Some(self.home.chain.network())).map_err(internal)?;
        Ok(evidence.encode().into())
    }

    /// The proof of a verdict, and the nodes that it names.
    async fn verdict(
        &self,
        record: &DisputeRecord,
    ) -> Result<(Proof, BTreeSet<PublicKey>), ApiError> {
        if record.outcome().is_none() {
            let message = format!("the validators did not decide about task {}", record.task);
            return Err(ApiError::new(Code::NotFinished, message)
                .next("see how it stands with: polity ledger disputes"));
        }
        let chain = &self.home.chain;
        let disputes = chain.filings(record).await.map_err(internal)?;
        let verdicts =
            chain.verdicts_on(std::slice::from_ref(record), true).await.map_err(internal)?;
        let first = disputes.first().ok_or_else(|| internal("the chain has no such dispute"))?;
        let table = self.table_of(&first.payload).await?;
        let claims = disputes.iter().flat_map(|dispute| &dispute.payload.claims);
        let audits = disputes.iter().flat_map(|dispute| &dispute.payload.audits);
        let nodes = claims.map(protocol::Claim::node).chain(audits.map(|audit| audit.by)).collect();
        Ok((Proof::Verdict(Box::new(Decided { table, disputes, verdicts })), nodes))
    }

    async fn table_of(&self, dispute: &Dispute) -> Result<TaskTable, ApiError> {
        let bytes = self.block_of_content(dispute.order.payload.table).await?;
        TaskTable::decode(&bytes).map_err(internal)
    }

    /// The proof of a contradiction, from the transaction that accuses.
    async fn contradiction(&self, tx: Digest) -> Result<(Proof, BTreeSet<PublicKey>), ApiError> {
        let found = self.home.chain.find(&tx).await.map_err(internal)?;
        let tx = found.and_then(|(block, index)| block.txs.into_iter().nth(index));
        let Some(Tx::Accuse(accusation)) = tx else { return Err(internal("it accuses nobody")) };
        let named = BTreeSet::from([accusation.payload.against]);
        Ok((Proof::Contradiction(Box::new(accusation.payload.contradiction)), named))
    }
}

fn unknown(id: Digest) -> ApiError {
    ApiError::new(Code::NotFound, format!("the ledger holds no evidence named {id}"))
        .next("see what there is with: polity ledger evidence")
}
