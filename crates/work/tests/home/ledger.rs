//! A ledger that checks what a ledger checks, and remembers.

use identity::{Digest, NetworkId};
use protocol::{Agreements, Height, JobId, OutcomeDigest, Roster, TaskIndex, Tx, draw, limits};
use std::collections::{BTreeMap, BTreeSet};

/// What was accepted.
pub(crate) struct Ledger {
    pub(crate) network: NetworkId,
    pub(crate) height: Height,
    pub(crate) finals: BTreeMap<(JobId, TaskIndex), OutcomeDigest>,
    pub(crate) accepted: BTreeMap<Digest, Height>,
    pub(crate) largest_bytes: usize,
}

impl Ledger {
    pub(crate) fn new(network: NetworkId) -> Self {
        Self {
            network,
            height: Height(10),
            finals: BTreeMap::new(),
            accepted: BTreeMap::new(),
            largest_bytes: 0,
        }
    }

    /// Orders a transaction; true if it was not there before. A home never publishes one that does
    /// not hold.
    pub(crate) fn order(
        &mut self,
        agreements: &Agreements,
        roster: &Roster,
        beacon: &Digest,
    ) -> bool {
        let tx = Tx::Agree(Box::new(agreements.clone()));
        if self.accepted.contains_key(&tx.digest()) {
            return false;
        }
        let size_bytes = tx.encode().len();
        self.largest_bytes = self.largest_bytes.max(size_bytes);
        assert!(size_bytes <= limits::TX_BYTES, "{size_bytes} bytes");
        let job = agreements.order.payload.id();
        let settled = agreements.check(self.network).expect("agreements hold");
        for task in settled {
            let candidates = draw::candidates(beacon, &job, task.task, roster);
            assert!(
                draw::is_fair(&candidates, &task.skipped, &task.executors),
                "task {}: {:?} of {candidates:?}, skipped {:?}",
                task.task,
                task.executors,
                task.skipped
            );
            let parties: BTreeSet<_> =
                task.executors.iter().map(|node| roster.party_of_node(node).unwrap()).collect();
            assert_eq!(parties.len(), usize::from(agreements.order.payload.verification.k));
            let before = self.finals.insert((job, task.task), task.outcome);
            assert_eq!(before, None, "a task is agreed on once");
        }
        let sorted = |roots: Vec<Digest>| roots.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(sorted(agreements.commits.iter().map(|b| b.statement.payload.root).collect()));
        assert!(sorted(agreements.reveals.iter().map(|b| b.statement.payload.root).collect()));
        self.height = self.height.next();
        self.accepted.insert(tx.digest(), self.height);
        true
    }
}
