//! What is told of a job: how far its tasks and replicas are, and what came of them.

use crate::state::{
    JobRecord, Replica, Seat, Shipment, ShipmentState, TaskRecord, TaskState, attempt_of,
};
use identity::{Digest, PublicKey};
use protocol::{
    Agreements, Attempt, Contradiction, Height, Outcome, RevealBatch, TaskIndex, Unsettled, draw,
};
use std::collections::BTreeSet;

/// How far a task is, for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus<'a> {
    /// Nobody was asked yet.
    Waiting,
    /// Replicas are asked for or at work.
    Running {
        /// Replicas that are asked for or at work, or have answered.
        replicas: usize,
        /// Replicas that have committed.
        committed: usize,
        /// Replicas that have revealed.
        revealed: usize,
        /// There are too few candidates that can be asked now.
        short: bool,
    },
    /// Enough replicas agree; the ledger has not accepted it yet.
    Agreed(&'a Outcome),
    /// The ledger accepted it.
    Final(&'a Outcome, Height),
    /// It ended without agreement.
    Unsettled(&'a Unsettled),
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaStatus {
    /// It was asked for and has not answered.
    Assigned,
    /// It has committed.
    Committed,
    /// It has revealed.
    Revealed,
    /// It was passed over since.
    Lost,
}

impl ReplicaStatus {
    pub(crate) fn of(replica: &Replica) -> Self {
        match (replica.live, replica.reveal, replica.commit) {
            (false, ..) => Self::Lost,
            (true, Some(_), _) => Self::Revealed,
            (true, None, Some(_)) => Self::Committed,
            (true, None, None) => Self::Assigned,
        }
    }
}

/// Agreements that the ledger accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// What was agreed on.
    pub agreements: Agreements,
    /// The transaction.
    pub tx: Digest,
    /// The block.
    pub height: Height,
}

impl JobRecord {
    /// How far a task is; `None` if there is no such task.
    pub fn status(&self, task: TaskIndex) -> Option<TaskStatus<'_>> {
        let Some(record) = self.tasks.get(task) else {
            let ended = self.tasks.why(task).map(TaskStatus::Unsettled);
            return self.tasks.has(task).then(|| ended.unwrap_or(TaskStatus::Waiting));
        };
        Some(match &record.state {
            TaskState::Waiting => TaskStatus::Waiting,
            TaskState::Open(race) => {
                let live = race.live();
                let having = |what: fn(&Replica) -> bool| {
                    live.iter().filter(|attempt| what(race.replica(**attempt))).count()
                };
                TaskStatus::Running {
                    replicas: race.chosen(),
                    committed: having(|replica| replica.commit.is_some()),
                    revealed: having(|replica| replica.reveal.is_some()),
                    short: race.short,
                }
            }
            TaskState::Agreed { outcome, .. } => TaskStatus::Agreed(outcome),
            TaskState::Final { outcome, height, .. } => TaskStatus::Final(outcome, *height),
            TaskState::Unsettled { why, .. } => TaskStatus::Unsettled(why),
            TaskState::Disowned { .. } => TaskStatus::Unsettled(&Unsettled::RefusedByLedger),
        })
    }

    /// Candidates of a running task that were passed over so far, sorted by node.
    pub fn skips(&self, task: TaskIndex) -> Vec<draw::Skip> {
        match self.tasks.get(task).map(|record| &record.state) {
            Some(TaskState::Open(race)) => race
                .skips
                .iter()
                .map(|(seat, reason)| draw::Skip { node: self.node(*seat), reason: *reason })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The replicas of a task in the order of their attempts; once it was agreed on, those that
    /// agree.
    pub fn replicas(&self, task: TaskIndex) -> Vec<(Attempt, PublicKey, ReplicaStatus)> {
        let Some(record) = self.tasks.get(task) else { return Vec::new() };
        let agreed = self.executor_seats(task);
        let status = |attempt: Attempt, seat: &Seat| match &record.state {
            TaskState::Open(race) => Some(ReplicaStatus::of(race.replica(attempt))),
            _ => agreed.contains(seat).then_some(ReplicaStatus::Revealed),
        };
        let replica = |(at, seat): (usize, &Seat)| {
            let attempt = attempt_of(at);
            Some((attempt, self.node(*seat), status(attempt, seat)?))
        };
        record.assigned.iter().enumerate().filter_map(replica).collect()
    }

    /// The nodes that agree on a task, in the order of their attempts; none before they do.
    pub fn executors(&self, task: TaskIndex) -> Vec<PublicKey> {
        self.executor_seats(task).iter().map(|seat| self.node(*seat)).collect()
    }

    fn executor_seats(&self, task: TaskIndex) -> &[Seat] {
        match self.tasks.get(task).map(|record| &record.state) {
            Some(
                TaskState::Agreed { executors, .. }
                | TaskState::Final { executors, .. }
                | TaskState::Disowned { executors, .. },
            ) => executors,
            _ => &[],
        }
    }

    /// What the final tasks gave, sorted by task.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.tasks.rows().filter_map(|(_, record)| match &record.state {
            TaskState::Final { outcome, .. } => Some(&**outcome),
            _ => None,
        })
    }

    /// The agreements that the ledger accepted, sorted by height and transaction.
    pub fn included(&self) -> Vec<Included> {
        let included = |(tx, shipment): (&Digest, &Shipment)| match shipment.state {
            ShipmentState::Included(height) => {
                Some(Included { agreements: shipment.agreements(self), tx: *tx, height })
            }
            ShipmentState::Sent(_) | ShipmentState::Refused(_) => None,
        };
        let shipped = self.shipments.iter().filter_map(included);
        let mut all: Vec<_> = shipped.chain(self.adopted()).collect();
        all.sort_by_key(|included| (included.height, included.tx));
        all
    }

    /// Tasks that ended without agreement, sorted.
    pub fn unsettled(&self) -> Vec<(TaskIndex, Unsettled)> {
        let ended = |(task, record): (TaskIndex, &TaskRecord)| match &record.state {
            TaskState::Unsettled { why, .. } => Some((task, why.clone())),
            TaskState::Disowned { .. } => Some((task, Unsettled::RefusedByLedger)),
            _ => None,
        };
        let range = |(from, count, why): (TaskIndex, u32, &Unsettled)| {
            let why = why.clone();
            (from.0..from.0 + count).map(move |task| (TaskIndex(task), why.clone()))
        };
        let mut all: Vec<_> = self.tasks.rows().filter_map(ended).collect();
        all.extend(self.tasks.ranges().flat_map(range));
        all.sort_by_key(|(task, _)| *task);
        all
    }

    /// Tasks that ended before anybody was asked, in ranges: the first, how many, and why.
    pub fn never_begun(&self) -> impl Iterator<Item = (TaskIndex, u32, &Unsettled)> {
        self.tasks.ranges()
    }

    /// The tasks that somebody was asked for, sorted.
    pub fn begun(&self) -> impl Iterator<Item = TaskIndex> {
        self.tasks.rows().map(|(task, _)| task)
    }

    /// The signed reveals of tasks whose replicas disagree and on which there is no verdict, each
    /// batch once.
    pub fn dissent(&self) -> Vec<RevealBatch> {
        let mut numbers = BTreeSet::new();
        for (_, record) in self.tasks.rows() {
            if let TaskState::Unsettled { why, reveals } = &record.state
                && matches!(why, Unsettled::Dissent | Unsettled::Undecided)
            {
                numbers.extend(reveals);
            }
        }
        numbers.into_iter().map(|number| self.reveals.get(number).clone()).collect()
    }

    /// Pairs of statements of one node that cannot both be true, one for each node.
    pub fn contradictions(&self) -> &[Contradiction] {
        &self.contradictions
    }

    /// What the ledger said to transactions that it refused.
    pub fn refusals(&self) -> impl Iterator<Item = (&Digest, &str)> {
        self.shipments.iter().filter_map(|(tx, shipment)| match &shipment.state {
            ShipmentState::Refused(reason) => Some((tx, reason.as_str())),
            _ => None,
        })
    }
}
