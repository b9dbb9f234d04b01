//! Time has passed.

use crate::{Work, lease::lease_end, place::Again, state::Timer, turn::Turn};
use identity::PublicKey;
use protocol::{Attempt, JobId, TaskIndex, Time, Unsettled, draw::SkipReason};

impl Work {
    pub(crate) fn on_tick(&mut self, turn: &mut Turn<'_>) {
        while let Some((at, timer)) = self.timers.take_due(turn.now) {
            match timer {
                Timer::Away(node) => self.on_away(node, at, turn),
                Timer::Lease(job, task, attempt) => self.on_lease((job, task), attempt, at, turn),
                Timer::Retry(job, task) => self.on_retry(job, task, turn),
                Timer::Expiry(job) => self.unsettle_all(job, &Unsettled::Expired, turn),
                Timer::Publish(job, tx) => self.publish_again(job, tx, turn),
                Timer::Gather(job) => drop(turn.touched.insert(job)),
                Timer::Store(job) => self.finish_again(job, turn),
                Timer::Order(job) => self.order(job, turn),
                Timer::Dispute(job, task) => self.dispute(job, task, turn),
                Timer::Window(node) => self.refit(node, turn),
                Timer::Reservation => self.on_reservations_end(turn),
                Timer::Straggler(job, task) => self.on_straggler(job, task, turn),
            }
        }
    }

    /// A node did not come back in time: its replicas are lost, and nobody waits for it.
    fn on_away(&mut self, node: PublicKey, until: Time, turn: &mut Turn<'_>) {
        for (job, task) in self.fleet.give_up(&node, until) {
            let Some(record) = self.jobs.get(&job) else { continue };
            let (Some(seat), Some(race)) = (record.seat(&node), record.race(task)) else {
                continue;
            };
            let waited = race.waiting.contains(&seat);
            let reason = if waited { SkipReason::Offline } else { SkipReason::Lost };
            self.skip((job, task), seat, reason, turn);
            self.advance(job, task, turn);
        }
        self.review_loose(turn);
    }

    /// The lease of a replica ends, unless its node has shown signs of life since.
    fn on_lease(
        &mut self,
        (job, task): (JobId, TaskIndex),
        attempt: Attempt,
        at: Time,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get(&job) else { return };
        let assigned = record.tasks.assigned(task);
        let Some(seat) = assigned.get(usize::from(attempt.0)).copied() else { return };
        let node = record.node(seat);
        let (heard, since) = self.fleet.last_signs(&node);
        let lease_ms = self.lease_ms(record, &node);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some((race, _)) = record.race_mut(task) else { return };
        let replica = race.replica_mut(attempt);
        if replica.due != Some(at) {
            return;
        }
        let due = lease_end(&self.config, lease_ms, replica, (heard, since));
        if due > turn.now {
            replica.due = Some(due);
            self.timers.set(due, Timer::Lease(job, task, attempt));
            return;
        }
        replica.due = None;
        let silent = heard <= replica.started && replica.commit.is_none();
        if silent {
            self.on_stall(node, turn);
        }
        self.skip((job, task), seat, SkipReason::Lost, turn);
        self.advance(job, task, turn);
    }

    /// A node does not answer although it is connected: nobody waits for it any more.
    fn on_stall(&mut self, node: PublicKey, turn: &mut Turn<'_>) {
        if let Some(conduct) = self.fleet.conduct_mut(&node) {
            conduct.silent += 1;
            conduct.did_badly(4);
        }
        for (job, task) in self.fleet.stall(&node) {
            if let Some(seat) = self.jobs.get(&job).and_then(|record| record.seat(&node)) {
                self.skip((job, task), seat, SkipReason::Busy, turn);
                self.advance(job, task, turn);
            }
        }
        self.review_loose(turn);
    }

    fn on_retry(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) else {
            return;
        };
        race.retry = None;
        race.rounds += 1;
        self.reconsider(job, task, Again::Round, turn);
    }
}
