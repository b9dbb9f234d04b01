//! The ledger will never accept a transaction.

use crate::{
    Work,
    state::{ShipmentState, Timer},
    turn::Turn,
};
use identity::Digest;
use protocol::JobId;

impl Work {
    pub(crate) fn on_refused(
        &mut self,
        job: JobId,
        tx: Digest,
        reason: String,
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
        let ShipmentState::Sent(again) = shipment.state else {
            self.counts.repeated += 1;
            return;
        };
        self.timers.remove(again, Timer::Publish(job, tx));
        record.in_flight -= 1;
        shipment.state = ShipmentState::Refused(reason);
        let tasks = shipment.tasks.clone();
        match &tasks[..] {
            [single] => self.disown(job, &[single.agreed.task], turn),
            _ => self.part(job, tasks, turn),
        }
    }
}
