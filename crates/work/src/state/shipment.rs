//! Agreed tasks on their way to the ledger.

use super::JobRecord;
use protocol::{Agreed, Agreements, Attempt, Height, TaskIndex, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A task that was agreed on and is in no transaction yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settlement {
    pub(crate) agreed: Agreed,
    /// The batches that hold the commitments of its sets.
    pub(crate) commits: BTreeSet<u32>,
    /// The batches that hold its reveals.
    pub(crate) reveals: BTreeSet<u32>,
    /// Whose reveals of this task may be in the transaction: executors, and those who are listed
    /// as skipped.
    pub(crate) may_speak: BTreeSet<Attempt>,
    /// The ledger refused it together with others: it is offered alone, so that one task spoils no
    /// other.
    pub(crate) alone: bool,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ShipmentState {
    /// It is mentioned again at this time.
    Sent(Time),
    Included(Height),
    Refused(String),
}

/// One transaction: the batches by their numbers, because most are part of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shipment {
    pub(crate) commits: BTreeSet<u32>,
    pub(crate) reveals: BTreeSet<u32>,
    pub(crate) tasks: Vec<Settlement>,
    pub(crate) state: ShipmentState,
    /// When it was first offered.
    #[serde(default)]
    pub(crate) sent: Time,
}

impl Shipment {
    /// The tasks that it settles.
    pub(crate) fn named(&self) -> Vec<TaskIndex> {
        self.tasks.iter().map(|settlement| settlement.agreed.task).collect()
    }

    /// The ledger has it: what was needed to put it together is forgotten.
    pub(crate) fn include(&mut self, height: Height) {
        self.state = ShipmentState::Included(height);
        for settlement in &mut self.tasks {
            settlement.commits.clear();
            settlement.reveals.clear();
            settlement.may_speak.clear();
        }
    }

    /// The content of the transaction; always the same.
    pub(crate) fn agreements(&self, record: &JobRecord) -> Agreements {
        let commits = self.commits.iter().map(|number| record.commits.get(*number).clone());
        let reveals = self.reveals.iter().map(|number| record.reveals.get(*number).clone());
        let mut commits: Vec<_> = commits.collect();
        let mut reveals: Vec<_> = reveals.collect();
        commits.sort_by_key(|batch| (batch.statement.payload.root, batch.statement.by));
        reveals.sort_by_key(|batch| (batch.statement.payload.root, batch.statement.by));
        Agreements {
            order: record.order.clone(),
            drawn: record.draw.as_ref().expect("who agrees was drawn").height,
            commits,
            reveals,
            tasks: self.tasks.iter().map(|settlement| settlement.agreed.clone()).collect(),
        }
    }
}
