//! The home writes the receipt of a finished job, and a stranger verifies it.

use super::{Event, World, name_of};
use protocol::{Body, JobId, Receipt, Unsettled, Verification};
use work::JobRecord;

impl World {
    /// Builds the receipt, sends it through its bytes, verifies it, and stores it.
    pub(super) fn write_receipt(&mut self) {
        let Some((job, table)) = self.job.clone() else { return };
        let record = self.work.job(&job).expect("a finished job is kept until it is stored");
        let parts = record.included();
        let prove = |included: work::Included| self.chain.prove(included.agreements, &included.tx);
        let body = Body {
            genesis: self.polity.genesis.clone(),
            order: record.order().clone(),
            table,
            vouchers: Vec::new(),
            outcomes: record.outcomes().cloned().collect(),
            parts: parts.into_iter().map(prove).collect(),
            unsettled: record.unsettled(),
            dissent: record.dissent(),
        };
        let network = self.polity.network();
        let written = Receipt::seal(body, network, &self.polity.nodes[0]);
        let read = Receipt::decode(&written.encode()).expect("a receipt can be read");
        let report = read.verify(Some(network)).expect("a receipt verifies");
        self.check_record(&job, record);
        let stored = name_of(&read);
        self.written = Some((read, report));
        self.after(1, Event::Stored(stored));
    }

    /// What must hold of every finished job.
    fn check_record(&self, job: &JobId, record: &JobRecord) {
        let chain_has = |task| self.chain.is_final(job, task);
        for outcome in record.outcomes() {
            assert!(chain_has(outcome.task), "final is what the ledger has");
        }
        let Verification { k, .. } = record.order().payload.verification;
        let parties = self.workers.len();
        for (task, why) in record.unsettled() {
            assert!(!chain_has(task), "what is unsettled is not on the ledger");
            let excused = match why {
                Unsettled::Dissent => self.workers.iter().any(|worker| worker.nature.lies),
                Unsettled::Cancelled => self.setting.cancel_ms.is_some(),
                Unsettled::NoCandidates => parties < usize::from(k),
                Unsettled::Expired | Unsettled::RefusedByLedger => false,
            };
            assert!(excused, "task {task} is unsettled without a reason: {why:?}");
        }
    }
}
