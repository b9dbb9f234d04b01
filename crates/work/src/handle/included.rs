//! The ledger accepted a transaction.

use crate::{
    Work,
    state::{ShipmentState, TaskState, Timer},
    turn::Turn,
};
use identity::Digest;
use protocol::{Height, JobEvent, JobId};

impl Work {
    pub(crate) fn on_included(
        &mut self,
        job: JobId,
        tx: Digest,
        height: Height,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else {
            self.counts.late += 1;
            return;
        };
        let Some(shipment) = record.shipments.get_mut(&tx) else {
            self.counts.foreign += 1;
            return;
        };
        match shipment.state {
            ShipmentState::Sent(again) => {
                self.timers.remove(again, Timer::Publish(job, tx));
                record.in_flight -= 1;
            }
            // What the ledger holds counts more than what somebody said it would not take, unless
            // the receipt may have been written already.
            ShipmentState::Refused(_) if record.store.is_none() => {}
            ShipmentState::Refused(_) | ShipmentState::Included(_) => {
                self.counts.repeated += 1;
                return;
            }
        }
        shipment.state = ShipmentState::Included(height);
        record.times.settled = Some(turn.now);
        let tasks = shipment.named();
        for task in &tasks {
            let Some(entry) = record.tasks.get_mut(*task) else { continue };
            match std::mem::replace(&mut entry.state, TaskState::Waiting) {
                TaskState::Agreed { outcome, executors } => {
                    record.progress.agreed -= 1;
                    record.progress.settled += 1;
                    entry.state = TaskState::Final { outcome, executors, height };
                }
                TaskState::Disowned { outcome, executors } => {
                    record.progress.unsettled -= 1;
                    record.progress.settled += 1;
                    entry.state = TaskState::Final { outcome, executors, height };
                }
                other => entry.state = other,
            }
        }
        turn.event(job, JobEvent::Final { tasks, height });
        turn.touched.insert(job);
        self.drop_superseded(job, turn);
    }
}
