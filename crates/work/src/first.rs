//! The first replica of a task, where it goes by score.
//!
//! A task of one replica that loses it is loose: it goes to the best node that has room and was not
//! passed over. One of several replicas that loses its first is drawn altogether from then on, or
//! what was drawn beside the first would not be what the walk gives.

use crate::{
    Work,
    state::{Race, Readiness, Seat, Timer},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{JobId, TaskIndex};
use std::collections::BTreeSet;

/// How much longer than expected a replica may take before it is seen to.
const LONG: u64 = 4;
/// What is not long, however short it should have been, in milliseconds.
const SHORT_MS: u64 = 2_000;

impl Race {
    /// A seat is passed over: if it was the first one, somebody else is, or will be.
    pub(crate) fn pass_on(&mut self, seat: Seat, attempt: Option<usize>) {
        if self.copy == Some(seat) {
            self.copy = None;
        }
        if self.first != Some(seat) {
            return;
        }
        let others = self.replicas.iter().enumerate();
        let others = others.filter(|(at, replica)| replica.live && Some(*at) != attempt).count();
        self.first = self.copy.take();
        self.loose = self.first.is_none() && self.walk.is_empty() && others == 0;
    }
}

impl Work {
    /// Whether the first replica of a task is to be given again.
    pub(crate) fn is_loose(&self, job: &JobId, task: TaskIndex) -> bool {
        self.jobs.get(job).and_then(|r| r.race(task)).is_some_and(|race| race.loose)
    }

    /// The first replica of a task waits for a node with room.
    pub(crate) fn set_loose(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        if let Some(record) = self.jobs.get_mut(&job)
            && record.loose.insert(task)
        {
            turn.hungry.insert(job);
        }
    }

    /// Somebody cannot be asked any more: sees for every task that waits for a node with room
    /// whether there is still one that it can wait for.
    pub(crate) fn review_loose(&mut self, turn: &mut Turn<'_>) {
        let loose = |(job, record): (&JobId, &crate::JobRecord)| {
            let job = *job;
            record.loose.iter().map(move |task| (job, *task)).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.jobs.iter().flat_map(loose).collect();
        for (job, task) in all {
            self.advance(job, task, turn);
        }
    }

    /// Whether there is anybody who could be given the first replica, now or once it has room.
    pub(crate) fn has_candidate(&self, job: &JobId, task: TaskIndex) -> bool {
        let Some(record) = self.jobs.get(job) else { return false };
        let Some(race) = record.race(task) else { return false };
        let may = |seat: &Seat| {
            let node = record.node(*seat);
            !race.skips.contains_key(seat)
                && self.fleet.is_up(&node)
                && matches!(self.fleet.readiness(&node), Readiness::Free | Readiness::Wait)
                && self.is_eligible(record, &node)
        };
        record.candidates().iter().any(may)
    }

    /// The party of the first replica, if it counts.
    pub(crate) fn party_of_first(&self, job: &JobId, task: TaskIndex) -> BTreeSet<PublicKey> {
        let Some(record) = self.jobs.get(job) else { return BTreeSet::new() };
        let first = record.race(task).and_then(|race| race.first);
        first.map(|seat| record.party(seat)).into_iter().collect()
    }

    /// It will be seen to whether the only replica of a task takes long, if it is known what is.
    pub(crate) fn watch(
        &mut self,
        (job, task): (JobId, TaskIndex),
        node: &PublicKey,
        turn: &Turn<'_>,
    ) {
        let Some(record) = self.jobs.get(&job) else { return };
        let alone = record.order.payload.verification.k == 1;
        let Some(expected_ms) = self.expected_ms(record, node).filter(|_| alone) else { return };
        let due = turn.now.after_ms(expected_ms.saturating_mul(LONG).max(SHORT_MS));
        self.watch_until(job, task, due);
    }

    fn watch_until(&mut self, job: JobId, task: TaskIndex, due: protocol::Time) {
        let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) else {
            return;
        };
        if let Some(before) = race.watch.replace(due) {
            self.timers.remove(before, Timer::Straggler(job, task));
        }
        self.timers.set(due, Timer::Straggler(job, task));
    }

    /// The only replica of a task takes long: another node gets a copy of it, if one has room.
    pub(crate) fn on_straggler(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let paused = record.paused;
        let Some((race, _)) = record.race_mut(task) else { return };
        race.watch = None;
        let live = race.live();
        let [attempt] = live[..] else { return };
        let waits = race.replica(attempt).commit.is_none() && race.copy.is_none();
        if !waits || paused || race.first.is_none() {
            return;
        }
        let Some(seat) = self.best_for_copy(&job, task) else {
            return self.watch_until(job, task, turn.now.after_ms(SHORT_MS));
        };
        if let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) {
            race.copy = Some(seat);
        }
        self.counts.copies += 1;
        self.start((job, task), seat, turn);
    }

    fn best_for_copy(&self, job: &JobId, task: TaskIndex) -> Option<Seat> {
        let record = self.jobs.get(job)?;
        let race = record.race(task)?;
        let scale = self.scale(record);
        let free = |node: &&PublicKey| {
            self.readiness_of(record, node) == Readiness::Free && self.is_eligible(record, node)
        };
        let seats = self.fleet.with_slots().filter(free).filter_map(|node| {
            let seat = record.seat(node)?;
            let fresh = race.first != Some(seat) && !race.skips.contains_key(&seat);
            let key = (self.score(record, node, &scale).total, std::cmp::Reverse(*node));
            fresh.then_some((key, seat))
        });
        seats.max().map(|(_, seat)| seat)
    }

    /// A replica that has a copy has committed, or the copy has: the other one is not needed.
    pub(crate) fn end_copy(
        &mut self,
        (job, task): (JobId, TaskIndex),
        by: Seat,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(race) = record.race(task) else { return };
        let (Some(first), Some(copy)) = (race.first, race.copy) else { return };
        let other = match by {
            _ if by == first => copy,
            _ if by == copy => first,
            _ => return,
        };
        let (node, attempt) = (record.node(other), record.attempt(task, other));
        let Some((race, _)) = record.race_mut(task) else { return };
        race.first = Some(by);
        race.copy = None;
        if by == copy {
            self.counts.copies_paid += 1;
        }
        let Some(attempt) = attempt else { return };
        let replica = race.replica_mut(attempt);
        replica.live = false;
        let committed = replica.commit.is_some();
        if let Some(due) = replica.due.take() {
            self.timers.remove(due, Timer::Lease(job, task, attempt));
        }
        self.fleet.release(&node, (job, task), committed);
        turn.freed.insert(node);
        turn.close((node, job), task);
    }
}
