//! What the ledger holds of a job that did not come out of this outbox: the home goes on from a state
//! that is older than what it did.

use super::{JobRecord, TaskState};
use crate::Included;
use identity::Digest;
use protocol::{Agreed, Agreements, Height, TaskIndex};
use serde::{Deserialize, Serialize};

/// Agreements that this home does not remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    pub(crate) agreements: Agreements,
    pub(crate) height: Height,
    /// What all of its tasks gave is known here again.
    pub(crate) adopted: bool,
}

/// What can be done about agreements that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Some of their tasks have not ended here.
    Waits,
    /// Everything that they say was seen here, too.
    Adopt,
    /// Something in them will not be known here.
    GiveUp,
}

impl JobRecord {
    /// Whether a transaction came out of this home's outbox.
    pub fn has_offered(&self, tx: &Digest) -> bool {
        self.shipments.contains_key(tx)
    }

    /// Agreements that were found and taken over.
    pub(crate) fn adopted(&self) -> impl Iterator<Item = Included> {
        let adopted = self.found.iter().filter(|(_, found)| found.adopted);
        adopted.map(|(tx, found)| Included {
            agreements: found.agreements.clone(),
            tx: *tx,
            height: found.height,
        })
    }

    /// Whether the ledger holds a task in agreements that were found and are not adopted yet.
    pub(crate) fn is_found(&self, task: TaskIndex) -> bool {
        let names = |found: &Found| {
            let tasks = &found.agreements.tasks;
            tasks.binary_search_by_key(&task, |agreed| agreed.task).is_ok()
        };
        self.found.values().any(|found| !found.adopted && names(found))
    }

    /// What is to become of agreements that were found.
    pub(crate) fn fate_of(&self, found: &Found) -> Fate {
        let mut fate = Fate::Adopt;
        for agreed in &found.agreements.tasks {
            match self.says_the_same(agreed) {
                None => return Fate::Waits,
                Some(true) => {}
                Some(false) => fate = Fate::GiveUp,
            }
        }
        fate
    }

    /// Whether a task gave here what the ledger says; nothing while it has not ended.
    fn says_the_same(&self, agreed: &Agreed) -> Option<bool> {
        match self.tasks.get(agreed.task).map(|record| &record.state) {
            None => self.tasks.why(agreed.task).map(|_| false),
            Some(TaskState::Waiting | TaskState::Open(_)) => None,
            Some(TaskState::Agreed { outcome, .. } | TaskState::Disowned { outcome, .. }) => {
                Some(outcome.digest() == agreed.outcome)
            }
            Some(TaskState::Final { .. } | TaskState::Unsettled { .. }) => Some(false),
        }
    }
}
