//! A home writes the receipt of a finished job, and a stranger verifies it.

use super::{Event, World};
use identity::Signed;
use objects::{Cid, Codec};
use protocol::{Body, JobId, Part, Receipt, Report, Ruled, Tx, Unsettled, Verdicts};
use work::JobRecord;

impl World {
    /// Builds the receipt, sends it through its bytes, verifies it, and stores it. What a lying
    /// home forges must not verify.
    pub(super) fn write_receipt(&mut self, home: usize, job: JobId) {
        let node = &self.nodes[home];
        let Some(record) = node.home.as_ref().and_then(|home| home.work.job(&job)) else { return };
        let table = self.jobs.get(&job).expect("it was submitted").table.clone();
        let mut parts: Vec<Part> = record
            .included()
            .into_iter()
            .map(|included| self.chain.prove(&self.polity, included.agreements, &included.tx))
            .collect();
        parts.sort_by_key(|part| (part.header.height, part.inclusion.index));
        let ruled = record.ruled();
        let body = Body {
            genesis: self.polity.genesis.clone(),
            order: record.order().clone(),
            table,
            vouchers: Vec::new(),
            outcomes: record.outcomes().cloned().collect(),
            parts,
            unsettled: record.unsettled(),
            dissent: record.dissent(),
            verdicts: self.verdicts_on(&job, &ruled),
            ruled,
        };
        let network = self.polity.network();
        let written = Receipt::seal(body, network, &node.key);
        let read = Receipt::decode(&written.encode()).expect("a receipt can be read");
        let report = match read.verify(Some(network)) {
            Ok(report) => report,
            Err(error) => panic!("the receipt does not verify: {error}"),
        };
        self.check_record(home, &job, record, &report);
        let forged = match node.liar() {
            Some(liar) => liar.forges(&node.hand(), &read),
            None => Vec::new(),
        };
        for receipt in forged {
            assert!(receipt.verify(Some(network)).is_err(), "a forged receipt verifies");
            self.tally.count("forged receipts refused");
        }
        let stored = Cid::of(Codec::Raw, &read.encode());
        if let Some(home) = &mut self.nodes[home].home {
            home.written.insert(job, (read, report));
        }
        self.after(1, Event::Stored { home, job, receipt: stored });
    }

    /// The rulings about these tasks, as validators signed them.
    fn verdicts_on(&self, job: &JobId, ruled: &[Ruled]) -> Vec<Signed<Verdicts>> {
        let about = |verdicts: &Signed<Verdicts>| {
            ruled.iter().any(|ruled| verdicts.payload.on(job, ruled.task).is_some())
        };
        let txs = self.chain.blocks().iter().flat_map(|made| &made.block.txs);
        txs.filter_map(|tx| match tx {
            Tx::Verdict(verdicts) if about(verdicts) => Some((**verdicts).clone()),
            _ => None,
        })
        .collect()
    }

    /// A job has ended, and its receipt is kept.
    pub(super) fn ended(&mut self, home: usize, job: JobId, written: (Receipt, Report)) {
        self.tally.count("jobs ended");
        if let Some(submitted) = self.waiting.remove(&job) {
            self.check_bound(&job, submitted);
        }
        debug_assert_eq!(self.jobs.get(&job).map(|ordered| ordered.plan.home), Some(home));
        self.receipts.push(written);
    }

    /// What must hold of every finished job.
    fn check_record(&self, home: usize, job: &JobId, record: &JobRecord, report: &Report) {
        for outcome in record.outcomes() {
            let settled = self.settled.get(&(*job, outcome.task));
            let same = settled.is_some_and(|settled| settled.outcome == outcome.digest());
            assert!(same, "final is what the ledger has");
        }
        for (node, _) in report.refuted.values().flatten() {
            let place = self.polity.place(node).expect("executors are nodes");
            assert!(!self.nodes[place].is_honest(), "a receipt names n{place}, which is honest");
        }
        let honest = self.setting.is_honest();
        let plan = &self.jobs.get(job).expect("it was submitted").plan;
        let parties = self.nodes.len();
        for (task, why) in record.unsettled() {
            let final_too = self.settled.contains_key(&(*job, task));
            assert!(!final_too || !self.nodes[home].is_honest(), "unsettled is not on the ledger");
            let few = parties < usize::from(plan.verification.k);
            let excused = match why {
                Unsettled::Cancelled => plan.cancel_ms.is_some(),
                Unsettled::Dissent => plan.cancel_ms.is_some() && !honest,
                Unsettled::NoCandidates => few || !honest,
                // Whoever is lost again and again looks like a task that nobody can run.
                Unsettled::Poison => !honest || self.setting.loses(),
                Unsettled::Refuted | Unsettled::RefusedByLedger => !honest,
                Unsettled::Expired => !self.has_enough(job),
                Unsettled::Undecided | Unsettled::After(_) => false,
            };
            assert!(
                excused || !self.nodes[home].is_honest(),
                "task {task} is unsettled without a reason: {why:?}"
            );
        }
    }
}
