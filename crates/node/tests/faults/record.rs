//! What the ledger says of jobs, the same on every node.

use super::society::{door::Door, until};
use identity::Digest;
use protocol::{Height, JobId, TaskIndex, Tx};
use std::collections::BTreeMap;

/// The chain of one node, read block by block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The digest of every header.
    digests: Vec<Digest>,
    /// Where each task is final.
    finals: BTreeMap<(JobId, TaskIndex), Vec<Height>>,
}

impl Record {
    /// Reads all blocks up to `last`, each of which must follow the one before it and be final.
    fn read(door: &Door, last: Height) -> Self {
        let genesis = door.block(Height(0)).block.header;
        let mut record = Self { digests: vec![genesis.digest()], ..Self::default() };
        for height in (1..=last.0).map(Height) {
            let found = door.block(height);
            let header = &found.block.header;
            assert_eq!(header.height, height);
            assert_eq!(Some(&header.parent), record.digests.last(), "block {height}");
            assert!(found.finality.is_some() && found.block.check_root().is_ok(), "block {height}");
            record.digests.push(header.digest());
            for tx in &found.block.txs {
                let Tx::Agree(agreements) = tx else { continue };
                let job = agreements.order.payload.id();
                for agreed in &agreements.tasks {
                    record.finals.entry((job, agreed.task)).or_default().push(height);
                }
            }
        }
        record
    }

    /// Reads the chains of all nodes, up to what the last of them knows now, once all do. They
    /// must be one.
    pub(crate) fn of_all(doors: &[Door]) -> Self {
        let last = doors.iter().map(Door::head).max().expect("there are nodes");
        let mut records = doors.iter().map(|door| {
            until("a node to know the last block", || (door.head() >= last).then_some(()));
            Self::read(door, last)
        });
        let first = records.next().expect("there are nodes");
        for (record, node) in records.zip(1..) {
            assert!(record == first, "node {node} tells another chain than node 0, up to {last}");
        }
        first
    }

    /// Where a task is final; more than one place is a fault.
    pub(crate) fn final_at(&self, job: JobId, task: TaskIndex) -> &[Height] {
        self.finals.get(&(job, task)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Tasks that are final more than once.
    pub(crate) fn repeated(&self) -> Vec<(JobId, TaskIndex)> {
        let twice = self.finals.iter().filter(|(_, heights)| heights.len() != 1);
        twice.map(|(place, _)| *place).collect()
    }

    /// The height up to which was read.
    pub(crate) fn blocks(&self) -> usize {
        self.digests.len() - 1
    }
}
