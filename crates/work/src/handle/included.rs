//! The ledger accepted a transaction.

use crate::{
    Work,
    state::{ShipmentState, Timer},
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
        shipment.include(height);
        let tasks = shipment.named();
        record.make_final(&tasks, height, turn.now);
        turn.event(job, JobEvent::Final { tasks, height });
        turn.touched.insert(job);
        self.drop_superseded(job, turn);
    }
}
