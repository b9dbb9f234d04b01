//! What is told of a task to whoever asks why it is where it is.

use crate::{
    ReplicaStatus, Work,
    lease::lease_end,
    state::{JobRecord, Replica, ShipmentState, attempt_of},
};
use identity::PublicKey;
use protocol::{Attempt, JobId, NoResult, TaskIndex, Time};

/// One replica of a task that is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaView {
    /// Which one.
    pub attempt: Attempt,
    /// The node.
    pub node: PublicKey,
    /// How far it is.
    pub status: ReplicaStatus,
    /// When it was last asked, or shown a set.
    pub since: Time,
    /// When it counts as lost, if nothing is heard of its node until then.
    pub due: Option<Time>,
    /// Why it has no result, if its node said so.
    pub no_result: Option<NoResult>,
}

/// What a task that is worked on waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskView {
    /// Its replicas, in the order of their attempts.
    pub replicas: Vec<ReplicaView>,
    /// Nodes whose turn it is, and that have no room now or were here a moment ago.
    pub awaited: Vec<PublicKey>,
    /// When nodes that were passed over are asked again.
    pub retry: Option<Time>,
}

impl Work {
    /// What a task waits for; nothing unless it is worked on.
    pub fn view(&self, job: &JobId, task: TaskIndex) -> Option<TaskView> {
        let record = self.job(job)?;
        let race = record.race(task)?;
        let assigned = record.tasks.assigned(task);
        let replicas = assigned.iter().zip(&race.replicas).enumerate();
        let replicas = replicas.map(|(at, (seat, replica))| {
            let node = record.node(*seat);
            ReplicaView {
                attempt: attempt_of(at),
                node,
                status: ReplicaStatus::of(replica),
                since: replica.started,
                due: replica.due.map(|due| self.lease_end_of(record, replica, &node).max(due)),
                no_result: replica.no_result,
            }
        });
        let awaited = race.waiting.iter().map(|seat| record.node(*seat));
        Some(TaskView {
            replicas: replicas.collect(),
            awaited: awaited.collect(),
            retry: race.retry,
        })
    }

    fn lease_end_of(&self, record: &JobRecord, replica: &Replica, node: &PublicKey) -> Time {
        let lease_ms = self.lease_ms(record, node);
        lease_end(&self.config, lease_ms, replica, self.fleet.last_signs(node))
    }
}

impl JobRecord {
    /// Since when agreements of this job wait for the ledger: the oldest of them.
    pub fn offered(&self) -> Option<Time> {
        let waiting = self.shipments.values();
        let waiting = waiting.filter(|s| matches!(s.state, ShipmentState::Sent(_)));
        waiting.map(|shipment| shipment.sent).min()
    }
}
