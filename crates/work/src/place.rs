//! Placement: who is asked to run a task.
//!
//! The first replica goes by score, if the config and the job allow it. All others are those that
//! the walk of the draw gives beside its party, once the skipped candidates are passed over. A candidate that is busy with our own tasks, or was here a moment
//! ago, is waited for, because it has no reason to be skipped.

use crate::{
    Work,
    state::{Readiness, Replica, Seat, Timer, attempt_of},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{Attempt, JobEvent, JobId, TaskIndex, draw::SkipReason};
use std::collections::BTreeSet;

/// Who may be asked although it was skipped, if nobody else is left.
#[derive(Clone, Copy)]
pub(crate) enum Again {
    /// Those who were offline when it was their turn, and are not now.
    Offline,
    /// All who may have changed their mind.
    Round,
    /// This node, which came back.
    Back(PublicKey),
    /// This node, which spoke although it was passed over.
    Spoke(PublicKey),
    /// Those whose sanction has ended.
    Released,
    /// This node, which may be what is needed by now.
    Fit(PublicKey),
}

impl Work {
    /// Asks candidates along the walk until the task has as many replicas as it needs.
    pub(crate) fn place(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        // Who is paused is given nobody new; it is placed when it is resumed.
        if self.jobs.get(&job).is_none_or(|record| record.paused) {
            return;
        }
        loop {
            if self.is_placed(&job, task) {
                self.set_short(job, task, false);
                return;
            }
            if self.is_loose(&job, task) {
                if self.has_candidate(&job, task) {
                    self.set_short(job, task, false);
                    return self.set_loose(job, task, turn);
                }
                if self.readmit(job, task, Again::Offline) {
                    continue;
                }
                self.set_short(job, task, true);
                return self.wait_for_candidates(job, task, turn);
            }
            self.walk(job, task, turn);
            if !self.is_placed(&job, task) && !self.readmit(job, task, Again::Offline) {
                self.set_short(job, task, true);
                return self.wait_for_candidates(job, task, turn);
            }
        }
    }

    /// Lets skipped candidates in again if the task is short, and places.
    pub(crate) fn reconsider(
        &mut self,
        job: JobId,
        task: TaskIndex,
        again: Again,
        turn: &mut Turn<'_>,
    ) {
        let short = self.jobs.get(&job).and_then(|r| r.race(task)).is_some_and(|race| race.short);
        if short && !self.jobs.get(&job).is_some_and(|record| record.paused) {
            while !self.is_placed(&job, task) && self.readmit(job, task, again) {
                if self.is_loose(&job, task) {
                    break;
                }
                self.walk(job, task, turn);
            }
            self.advance(job, task, turn);
        }
    }

    /// Passes a replica's node over for this task.
    pub(crate) fn skip(
        &mut self,
        (job, task): (JobId, TaskIndex),
        seat: Seat,
        reason: SkipReason,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let (node, attempt) = (record.node(seat), record.attempt(task, seat));
        let Some((race, _)) = record.race_mut(task) else { return };
        if race.skips.contains_key(&seat) {
            return;
        }
        race.skips.insert(seat, reason);
        race.pass_on(seat, attempt.map(|attempt| usize::from(attempt.0)));
        if race.waiting.remove(&seat) {
            self.fleet.dequeue(&node, (job, task));
        }
        if let Some(attempt) = attempt {
            let replica = race.replica_mut(attempt);
            replica.live = false;
            replica.failed |= matches!(reason, SkipReason::Lost | SkipReason::NoResult);
            self.fleet.release(&node, (job, task), replica.commit.is_some());
            turn.freed.insert(node);
            if let Some(due) = replica.due.take() {
                self.timers.remove(due, Timer::Lease(job, task, attempt));
            }
        }
        if reason == SkipReason::Lost
            && let Some(conduct) = self.fleet.conduct_mut(&node)
        {
            conduct.lost += 1;
            conduct.did_badly(2);
        }
        turn.event(job, JobEvent::Skipped { task, node, reason });
    }

    /// One walk: starts, queues or skips candidates until there are enough or no more.
    fn walk(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        if self.jobs.get(&job).and_then(|r| r.race(task)).is_some_and(|race| race.walk.is_empty()) {
            let walk = self.walk_of(&job, task);
            if let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) {
                race.walk = walk;
            }
        }
        let mut parties = self.party_of_first(&job, task);
        let mut place = 0;
        loop {
            let Some(record) = self.jobs.get(&job) else { return };
            let Some(race) = record.race(task) else { return };
            let Some(seat) = race.walk.get(place).copied() else { return };
            if parties.len() >= record.goal(task, race) {
                return;
            }
            place += 1;
            let (node, party) = (record.node(seat), record.party(seat));
            if race.skips.contains_key(&seat) || parties.contains(&party) {
                continue;
            }
            let live = record.attempt(task, seat).is_some_and(|attempt| race.replica(attempt).live);
            match self.readiness_of(record, &node) {
                _ if live => {}
                _ if self.barred.contains(&node) => {
                    self.skip((job, task), seat, SkipReason::Sanctioned, turn);
                    continue;
                }
                _ if self.unfit(record, &node).is_some() => {
                    self.skip((job, task), seat, SkipReason::Unfit, turn);
                    continue;
                }
                Readiness::Free => self.start((job, task), seat, turn),
                Readiness::Wait => self.queue((job, task), seat),
                Readiness::Stalled => {
                    self.skip((job, task), seat, SkipReason::Busy, turn);
                    continue;
                }
                Readiness::Offline => {
                    self.skip((job, task), seat, SkipReason::Offline, turn);
                    continue;
                }
            }
            parties.insert(party);
        }
    }

    fn queue(&mut self, (job, task): (JobId, TaskIndex), seat: Seat) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let node = record.node(seat);
        if let Some((race, _)) = record.race_mut(task)
            && race.waiting.insert(seat)
        {
            self.fleet.enqueue(&node, (job, task));
        }
    }

    /// Gives a replica to a node. A node that had it before gets the same attempt again, and what
    /// it said then still counts.
    pub(crate) fn start(
        &mut self,
        (job, task): (JobId, TaskIndex),
        seat: Seat,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get(&job) else { return };
        let due = turn.now.after_ms(self.lease_ms(record, &record.node(seat)));
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let (node, known, ask) = (record.node(seat), record.attempt(task, seat), record.ask());
        let Some((race, assigned)) = record.race_mut(task) else { return };
        if race.waiting.remove(&seat) {
            self.fleet.dequeue(&node, (job, task));
        }
        let attempt = known.unwrap_or_else(|| {
            assigned.push(seat);
            race.replicas.push(Replica::default());
            attempt_of(assigned.len() - 1)
        });
        let replica = race.replica_mut(attempt);
        replica.live = true;
        replica.asked = replica.asked.saturating_add(1);
        replica.started = turn.now;
        replica.no_result = None;
        replica.failed = false;
        let (committed, shown) = (replica.commit.is_some(), replica.shown.is_some());
        let revealed = replica.reveal.is_some();
        if !committed {
            replica.due = Some(due);
            self.timers.set(due, Timer::Lease(job, task, attempt));
        }
        if !revealed {
            self.fleet.hold(&node, (job, task), (ask, committed));
            turn.assign((node, job), (task, attempt));
        }
        if shown && !revealed {
            self.arm_reveal((job, task), attempt, turn);
            turn.show((node, job), task);
        }
        turn.event(job, JobEvent::Started { task, attempt, node });
    }

    /// Gives a replica that was shown a set the time to reveal.
    pub(crate) fn arm_reveal(
        &mut self,
        (job, task): (JobId, TaskIndex),
        attempt: Attempt,
        turn: &Turn<'_>,
    ) {
        let due = turn.now.after_ms(self.config.reveal_ms);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some((race, _)) = record.race_mut(task) else { return };
        let replica = race.replica_mut(attempt);
        if let Some(before) = replica.due.replace(due) {
            self.timers.remove(before, Timer::Lease(job, task, attempt));
        }
        replica.started = turn.now;
        self.timers.set(due, Timer::Lease(job, task, attempt));
    }

    /// Lets one skipped candidate in again, of a party that has no replica: the one that was asked
    /// least often, and nobody who was caught contradicting itself.
    fn readmit(&mut self, job: JobId, task: TaskIndex, again: Again) -> bool {
        let Some(record) = self.jobs.get(&job) else { return false };
        let Some(race) = record.race(task) else { return false };
        let assigned = record.tasks.assigned(task);
        let live = race.live().into_iter().map(|attempt| assigned[usize::from(attempt.0)]);
        let parties: BTreeSet<_> =
            live.chain(race.waiting.iter().copied()).map(|seat| record.party(seat)).collect();
        let rounds = self.config.rounds;
        let mut skipped: Vec<_> = if race.walk.is_empty() {
            race.skips.keys().collect()
        } else {
            race.walk.iter().filter(|seat| race.skips.contains_key(seat)).collect()
        };
        // Else somebody early in the walk who never answers would keep all others from it.
        skipped.sort_by_key(|seat| record.asked(task, **seat));
        let may = |seat: &Seat| {
            let node = record.node(*seat);
            let Some(reason) = race.skips.get(seat) else { return false };
            if self.barred.contains(&node) || record.accused.contains(seat) {
                return false;
            }
            let may = match again {
                Again::Offline => *reason == SkipReason::Offline,
                Again::Round => !is_spent(*reason, race.rounds.saturating_sub(1), rounds),
                Again::Back(other) => node == other && !is_spent(*reason, rounds, rounds),
                Again::Spoke(other) => node == other,
                Again::Released => *reason == SkipReason::Sanctioned,
                Again::Fit(other) => node == other && *reason == SkipReason::Unfit,
            };
            may && !parties.contains(&record.party(*seat)) && self.unfit(record, &node).is_none()
        };
        let may: Vec<_> = skipped.into_iter().filter(|seat| may(seat)).collect();
        let may: Vec<_> = may.into_iter().map(|seat| (*seat, record.node(*seat))).collect();
        // Only a round is reason enough to ask somebody who stopped answering.
        let found = may.into_iter().find(|(_, node)| match (again, self.fleet.readiness(node)) {
            (_, Readiness::Free | Readiness::Wait) => self.fleet.is_up(node),
            (Again::Round, Readiness::Stalled) => self.fleet.try_again(node),
            (_, Readiness::Stalled | Readiness::Offline) => false,
        });
        let Some((seat, _)) = found else { return false };
        if let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) {
            race.skips.remove(&seat);
        }
        true
    }

    /// Nobody can be asked now: sees whether anybody ever can, and when to ask again.
    fn wait_for_candidates(&mut self, job: JobId, task: TaskIndex, turn: &Turn<'_>) {
        let rounds = self.config.rounds;
        let Some(record) = self.jobs.get(&job) else { return };
        let Some(race) = record.race(task) else { return };
        let is_spent = |seat: &Seat, reason: SkipReason| {
            is_spent(reason, race.rounds, rounds)
                || self.barred.contains(&record.node(*seat))
                || record.accused.contains(seat)
        };
        let spent =
            |seat: &Seat| race.skips.get(seat).is_some_and(|reason| is_spent(seat, *reason));
        let all = if race.walk.is_empty() { record.candidates() } else { race.walk.clone() };
        let possible: BTreeSet<_> =
            all.iter().filter(|seat| !spent(seat)).map(|seat| record.party(*seat)).collect();
        let hopeless = possible.len() < usize::from(record.order.payload.verification.k);
        let worth =
            race.skips.iter().any(|(seat, reason)| asks_again(*reason) && !is_spent(seat, *reason));
        let due = turn.now.after_ms(self.config.wait_ms(&job, task, race.rounds));
        let retry = worth && !hopeless && !race.dissent && race.retry.is_none();
        let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) else {
            return;
        };
        race.hopeless = hopeless;
        if retry {
            race.retry = Some(due);
            self.timers.set(due, Timer::Retry(job, task));
        }
    }

    fn set_short(&mut self, job: JobId, task: TaskIndex, short: bool) {
        let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) else {
            return;
        };
        race.short = short;
        if short {
            self.short.insert((job, task));
            return;
        }
        race.hopeless = false;
        self.short.remove(&(job, task));
        if let Some(due) = race.retry.take() {
            self.timers.remove(due, Timer::Retry(job, task));
        }
    }

    /// Whether a task has, or waits for, as many replicas as it needs.
    fn is_placed(&self, job: &JobId, task: TaskIndex) -> bool {
        let Some(record) = self.jobs.get(job) else { return true };
        let Some(race) = record.race(task) else { return true };
        race.chosen() >= record.goal(task, race)
    }
}

/// Whether a candidate that was skipped for this reason may be asked again just because time has
/// passed.
fn asks_again(reason: SkipReason) -> bool {
    !matches!(reason, SkipReason::Offline | SkipReason::Unfit)
}

/// Whether a candidate that was skipped for this reason is not asked any more.
fn is_spent(reason: SkipReason, rounds: u32, limit: u32) -> bool {
    match reason {
        SkipReason::NoResult | SkipReason::Refused => rounds >= limit,
        SkipReason::Refuted => true,
        SkipReason::Offline
        | SkipReason::Lost
        | SkipReason::Busy
        | SkipReason::Sanctioned
        | SkipReason::Unfit => false,
    }
}
