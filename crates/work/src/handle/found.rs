//! The ledger holds agreements that this home does not remember, because it goes on from a state that
//! is older. They count. What their tasks gave is not on the ledger, so they are run again, and are
//! not offered a second time.

use crate::{
    Work,
    state::{Fate, Found, ShipmentState, Timer},
    turn::Turn,
};
use identity::Digest;
use protocol::{Agreements, Height, JobEvent, JobId, TaskIndex, Tx};

impl Work {
    pub(crate) fn on_found(&mut self, agreements: Agreements, height: Height, turn: &mut Turn<'_>) {
        let job = agreements.order.payload.id();
        let tx = Tx::Agree(Box::new(agreements.clone())).digest();
        let Some(record) = self.jobs.get_mut(&job) else {
            self.counts.late += 1;
            return;
        };
        if record.shipments.contains_key(&tx) {
            return self.on_included(job, tx, height, turn);
        }
        // A receipt that may be written already stays as it is.
        if record.found.contains_key(&tx) || record.store.is_some() {
            self.counts.repeated += 1;
            return;
        }
        record.found.insert(tx, Found { agreements, height, adopted: false });
        self.withdraw_found(job, turn);
        turn.touched.insert(job);
    }

    /// Offers nothing any more that the ledger has. What was offered together with it is offered
    /// again without.
    fn withdraw_found(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let has = |record: &crate::JobRecord, tx: &Digest| {
            let shipment = &record.shipments[tx];
            matches!(shipment.state, ShipmentState::Sent(_))
                && shipment.named().iter().any(|task| record.is_found(*task))
        };
        let sent: Vec<Digest> =
            record.shipments.keys().filter(|tx| has(record, tx)).copied().collect();
        for tx in sent {
            let Some(shipment) = record.shipments.get_mut(&tx) else { continue };
            let reason = "the ledger has its tasks in another transaction".into();
            let state = std::mem::replace(&mut shipment.state, ShipmentState::Refused(reason));
            let tasks = shipment.tasks.clone();
            if let ShipmentState::Sent(again) = state {
                self.timers.remove(again, Timer::Publish(job, tx));
                record.in_flight -= 1;
            }
            record.agreed.extend(tasks.into_iter().map(|settled| (settled.agreed.task, settled)));
        }
        let found: Vec<TaskIndex> =
            record.agreed.keys().filter(|task| record.is_found(**task)).copied().collect();
        for task in found {
            record.agreed.remove(&task);
        }
        turn.touched.insert(job);
    }

    /// Takes agreements over that were found, once it is known what their tasks gave.
    pub(crate) fn settle_found(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get(&job) else { return };
        let open = record.found.iter().filter(|(_, found)| !found.adopted);
        let fates: Vec<_> = open.map(|(tx, found)| (*tx, record.fate_of(found))).collect();
        for (tx, fate) in fates {
            match fate {
                Fate::Waits => {}
                Fate::Adopt => self.adopt(job, tx, turn),
                Fate::GiveUp => {
                    let Some(record) = self.jobs.get_mut(&job) else { return };
                    let Some(found) = record.found.remove(&tx) else { continue };
                    let tasks: Vec<_> =
                        found.agreements.tasks.iter().map(|agreed| agreed.task).collect();
                    self.disown(job, &tasks, turn);
                }
            }
        }
    }

    fn adopt(&mut self, job: JobId, tx: Digest, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(found) = record.found.get_mut(&tx) else { return };
        found.adopted = true;
        let height = found.height;
        let tasks: Vec<_> = found.agreements.tasks.iter().map(|agreed| agreed.task).collect();
        record.make_final(&tasks, height, turn.now);
        turn.event(job, JobEvent::Final { tasks, height });
    }
}
