//! The outbox: agreed tasks are grouped into transactions, which are mentioned again and again
//! until the ledger has answered for them.
//!
//! While a transaction of a job waits for the ledger, and for a moment after it was sent, further
//! agreed tasks gather for the next one, so that many tasks share the batches and the block: each
//! block costs every node some writes to disk, however much is in it.

use crate::{
    Effect, Work,
    state::{JobRecord, Settlement, Shipment, ShipmentState, TaskState, Timer},
    turn::Turn,
};
use identity::canonical;
use protocol::{Attempt, JobEvent, JobId, TaskIndex, Tx, Unsettled};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a transaction beside order, batches and tasks, at most.
const FRAME_BYTES: usize = 256;

/// One replica of one task.
type Place = (TaskIndex, Attempt);

/// What one more task means for a transaction.
enum Fit {
    Yes,
    /// Its batches cannot stand beside those that are in already.
    Conflict,
    TooLarge,
}

/// A transaction that is being put together.
struct Packing<'a> {
    record: &'a JobRecord,
    commits: BTreeSet<u32>,
    reveals: BTreeSet<u32>,
    tasks: Vec<Settlement>,
    committed: BTreeSet<Place>,
    revealed: BTreeSet<Place>,
    may_speak: BTreeMap<TaskIndex, &'a BTreeSet<Attempt>>,
    size_bytes: usize,
}

impl Work {
    /// Puts agreed tasks into transactions, if there is reason to.
    pub(crate) fn publish(&mut self, job: JobId, turn: &mut Turn<'_>) {
        self.settle_found(job, turn);
        loop {
            let Some(record) = self.jobs.get(&job) else { return };
            let open = record.progress.waiting + record.progress.running;
            let ready = record.agreed.len();
            if ready == 0 || record.in_flight >= self.config.outbox {
                return;
            }
            let full = ready >= self.config.batch_tasks || open == 0;
            if !full && record.in_flight > 0 {
                return;
            }
            if !full && record.gathers > turn.now {
                self.timers.set(record.gathers, Timer::Gather(job));
                return;
            }
            let (shipment, too_large) = pack(record, self.config.batch_tasks, self.config.tx_bytes);
            for task in too_large {
                self.disown(job, &[task], turn);
            }
            if let Some(shipment) = shipment {
                self.send(job, shipment, turn);
            }
        }
    }

    fn send(&mut self, job: JobId, mut shipment: Shipment, turn: &mut Turn<'_>) {
        let again = turn.now.after_ms(self.config.republish_ms);
        shipment.state = ShipmentState::Sent(again);
        shipment.sent = turn.now;
        let Some(record) = self.jobs.get_mut(&job) else { return };
        self.timers.remove(record.gathers, Timer::Gather(job));
        record.gathers = turn.now.after_ms(self.config.gather_ms);
        for task in shipment.named() {
            record.agreed.remove(&task);
        }
        let agreements = Box::new(shipment.agreements(record));
        let tx = Tx::Agree(agreements.clone()).digest();
        record.shipments.insert(tx, shipment);
        record.in_flight += 1;
        self.timers.set(again, Timer::Publish(job, tx));
        turn.effect(Effect::Publish(agreements));
    }

    /// Mentions a transaction that still waits for the ledger once more.
    pub(crate) fn publish_again(&mut self, job: JobId, tx: identity::Digest, turn: &mut Turn<'_>) {
        let again = turn.now.after_ms(self.config.republish_ms);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(shipment) = record.shipments.get_mut(&tx) else { return };
        let ShipmentState::Sent(at) = &mut shipment.state else { return };
        self.timers.remove(*at, Timer::Publish(job, tx));
        *at = again;
        self.timers.set(again, Timer::Publish(job, tx));
        let Some(shipment) = record.shipments.get(&tx) else { return };
        turn.effect(Effect::Publish(Box::new(shipment.agreements(record))));
    }

    /// The ledger refused a transaction of several tasks: each is offered again by itself.
    pub(crate) fn part(&mut self, job: JobId, tasks: Vec<Settlement>, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        for settlement in tasks {
            let task = settlement.agreed.task;
            record.agreed.insert(task, Settlement { alone: true, ..settlement });
        }
        turn.touched.insert(job);
    }

    /// Nobody waits any more for transactions of which every task is final by another one.
    pub(crate) fn drop_superseded(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let is_final = |task: &TaskIndex| {
            let state = record.tasks.get(*task).map(|entry| &entry.state);
            matches!(state, Some(TaskState::Final { .. }))
        };
        record.agreed.retain(|task, _| !is_final(task));
        for (tx, shipment) in &mut record.shipments {
            let ShipmentState::Sent(again) = shipment.state else { continue };
            if shipment.named().iter().all(is_final) {
                self.timers.remove(again, Timer::Publish(job, *tx));
                shipment.state = ShipmentState::Refused("its tasks are final already".into());
                record.in_flight -= 1;
                turn.touched.insert(job);
            }
        }
    }

    /// The ledger does not take these agreed tasks.
    pub(crate) fn disown(&mut self, job: JobId, tasks: &[TaskIndex], turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        for task in tasks {
            record.agreed.remove(task);
            let Some(entry) = record.tasks.get_mut(*task) else { continue };
            let state = std::mem::replace(&mut entry.state, TaskState::Waiting);
            let TaskState::Agreed { outcome, executors } = state else {
                entry.state = state;
                continue;
            };
            entry.state = TaskState::Disowned { outcome, executors };
            record.progress.agreed -= 1;
            record.progress.unsettled += 1;
            let why = Unsettled::RefusedByLedger;
            turn.event(job, JobEvent::Unsettled { task: *task, why });
        }
        turn.touched.insert(job);
    }

    /// Asks for the receipt once every task has ended.
    pub(crate) fn finish(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let again = turn.now.after_ms(self.config.republish_ms);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        if record.is_finished() && record.store.is_none() {
            record.store = Some(again);
            self.timers.set(again, Timer::Store(job));
            turn.effect(Effect::Finished { job });
            self.release(job, turn);
        }
    }

    /// Asks for the receipt once more.
    pub(crate) fn finish_again(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let again = turn.now.after_ms(self.config.republish_ms);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(at) = &mut record.store else { return };
        self.timers.remove(*at, Timer::Store(job));
        *at = again;
        self.timers.set(again, Timer::Store(job));
        turn.effect(Effect::Finished { job });
    }
}

/// The next transaction of a job, and tasks that fit into none.
fn pack(
    record: &JobRecord,
    most_tasks: usize,
    most_bytes: usize,
) -> (Option<Shipment>, Vec<TaskIndex>) {
    let mut packing = Packing::new(record);
    let mut too_large = Vec::new();
    // Conflicts are rare; this bounds what a node that provokes them can cost.
    for settlement in record.agreed.values().take(most_tasks.saturating_mul(4)) {
        if settlement.alone && !packing.tasks.is_empty() {
            continue;
        }
        match packing.fit(settlement, most_bytes) {
            Fit::Yes => {}
            Fit::Conflict => continue,
            Fit::TooLarge if packing.tasks.is_empty() => too_large.push(settlement.agreed.task),
            Fit::TooLarge => break,
        }
        let alone = packing.tasks.first().is_some_and(|first| first.alone);
        if alone || packing.tasks.len() >= most_tasks {
            break;
        }
    }
    let Packing { commits, reveals, tasks, .. } = packing;
    let state = ShipmentState::Sent(protocol::Time::default());
    let sent = protocol::Time::default();
    let shipment = Shipment { commits, reveals, tasks, state, sent };
    let shipment = (!shipment.tasks.is_empty()).then_some(shipment);
    (shipment, too_large)
}

impl<'a> Packing<'a> {
    fn new(record: &'a JobRecord) -> Self {
        Self {
            record,
            commits: BTreeSet::new(),
            reveals: BTreeSet::new(),
            tasks: Vec::new(),
            committed: BTreeSet::new(),
            revealed: BTreeSet::new(),
            may_speak: BTreeMap::new(),
            size_bytes: FRAME_BYTES + canonical::encode(&record.order).len(),
        }
    }

    /// Adds a task with the batches it needs, if they can stand beside the others: no replica may
    /// speak twice, and every reveal must be of an executor or of somebody who is listed as skipped.
    fn fit(&mut self, settlement: &'a Settlement, most_bytes: usize) -> Fit {
        let record = self.record;
        let task = settlement.agreed.task;
        let mut size_bytes = self.size_bytes + canonical::encode(&settlement.agreed).len();
        let (mut committed, mut revealed) = (BTreeSet::new(), BTreeSet::new());
        for number in settlement.commits.difference(&self.commits) {
            size_bytes += record.commits.size_bytes(*number);
            for leaf in &record.commits.get(*number).leaves {
                let place = (leaf.task, leaf.attempt);
                if self.committed.contains(&place) || !committed.insert(place) {
                    return Fit::Conflict;
                }
            }
        }
        for number in settlement.reveals.difference(&self.reveals) {
            size_bytes += record.reveals.size_bytes(*number);
            for leaf in &record.reveals.get(*number).leaves {
                let place = (leaf.task, leaf.attempt);
                let may_speak = match self.may_speak.get(&leaf.task) {
                    Some(attempts) => attempts.contains(&leaf.attempt),
                    None => leaf.task != task || settlement.may_speak.contains(&leaf.attempt),
                };
                if !may_speak || self.revealed.contains(&place) || !revealed.insert(place) {
                    return Fit::Conflict;
                }
            }
        }
        let of_task = (task, Attempt(0))..=(task, Attempt(u16::MAX));
        let mut said = self.revealed.range(of_task);
        if said.any(|(_, attempt)| !settlement.may_speak.contains(attempt)) {
            return Fit::Conflict;
        }
        if size_bytes > most_bytes {
            return Fit::TooLarge;
        }
        // `append` would build the whole set again.
        self.committed.extend(committed);
        self.revealed.extend(revealed);
        self.commits.extend(&settlement.commits);
        self.reveals.extend(&settlement.reveals);
        self.tasks.push(settlement.clone());
        self.may_speak.insert(task, &settlement.may_speak);
        self.size_bytes = size_bytes;
        Fit::Yes
    }
}
