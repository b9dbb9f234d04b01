//! Disputes: replicas revealed different outcomes, and the validators are asked which one is right.
//!
//! A majority refutes nobody. While a dispute is open, further replicas are asked as well: whoever
//! reveals what the validators find is part of the agreement.

use crate::{
    Effect, Work,
    state::{JobRecord, Seat, Timer},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{Dispute, JobEvent, JobId, OutcomeDigest, TaskIndex, draw::SkipReason};
use std::collections::BTreeSet;

impl Work {
    /// A replica has revealed: sees whether it contradicts others, or the verdict.
    pub(crate) fn compare(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let ruled = record.ruling(task);
        let Some((race, _)) = record.race_mut(task) else { return };
        let mut outcomes = race.said();
        outcomes.extend(ruled);
        if outcomes.len() < 2 {
            return;
        }
        let first = !std::mem::replace(&mut race.dissent, true);
        if first {
            turn.event(job, JobEvent::Disputed { task });
        }
        let Some(outcome) = ruled else { return self.dispute(job, task, turn) };
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let liars = record.liars(task, outcome);
        if first {
            turn.event(job, ruled_event(record, task, outcome, &liars));
        }
        // The ledger refutes whoever claims otherwise after the verdict as soon as it hears of it.
        if !liars.is_empty()
            && let Some(dispute) = record.dispute(task)
        {
            record.rulings.entry(task).and_modify(|ruling| ruling.late = true);
            turn.effect(Effect::Dispute(Box::new(dispute)));
        }
        self.refute((job, task), &liars, turn);
    }

    /// Has the dispute about a task ordered, with all claims that there are, and mentions it again
    /// later.
    pub(crate) fn dispute(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let again = turn.now.after_ms(self.config.republish_ms);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(dispute) = record.dispute(task) else { return };
        if let Some(before) = record.disputes.insert(task, again) {
            self.timers.remove(before, Timer::Dispute(job, task));
        }
        self.timers.set(again, Timer::Dispute(job, task));
        turn.effect(Effect::Dispute(Box::new(dispute)));
    }

    /// Nobody waits for a ruling on this task any more. False if nobody did.
    pub(crate) fn end_dispute(&mut self, job: JobId, task: TaskIndex) -> bool {
        let Some(record) = self.jobs.get_mut(&job) else { return false };
        let Some(again) = record.disputes.remove(&task) else { return false };
        self.timers.remove(again, Timer::Dispute(job, task));
        true
    }

    /// The validators decided a dispute of this home's.
    pub(crate) fn decide(
        &mut self,
        (job, task): (JobId, TaskIndex),
        outcome: OutcomeDigest,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let liars = record.liars(task, outcome);
        turn.event(job, ruled_event(record, task, outcome, &liars));
        // Some may have claimed while the verdict was under way: the ledger does not know of them.
        if !liars.is_empty()
            && let Some(dispute) = record.dispute(task)
        {
            record.rulings.entry(task).and_modify(|ruling| ruling.late = true);
            turn.effect(Effect::Dispute(Box::new(dispute)));
        }
        self.refute((job, task), &liars, turn);
        self.advance(job, task, turn);
    }

    /// Passes over whoever claims what a verdict refutes, and asks nobody new.
    fn refute(&mut self, (job, task): (JobId, TaskIndex), liars: &[Seat], turn: &mut Turn<'_>) {
        for seat in liars {
            if let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(task)) {
                race.skips.remove(seat);
            }
            self.skip((job, task), *seat, SkipReason::Refuted, turn);
        }
        let Some(record) = self.jobs.get(&job) else { return };
        let Some(race) = record.race(task) else { return };
        let waiting: Vec<_> = race.waiting.iter().map(|seat| (*seat, record.node(*seat))).collect();
        for (seat, node) in waiting {
            let up = self.fleet.is_up(&node);
            let reason = if up { SkipReason::Busy } else { SkipReason::Offline };
            self.skip((job, task), seat, reason, turn);
        }
    }

    /// Counts replicas again that were passed over and have revealed what the verdict found, unless
    /// their party has one that counts.
    pub(crate) fn recall(&mut self, job: JobId, task: TaskIndex) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        for seat in record.recallable(task) {
            let Some(attempt) = record.attempt(task, seat) else { continue };
            let Some((race, _)) = record.race_mut(task) else { return };
            race.skips.remove(&seat);
            race.replica_mut(attempt).live = true;
        }
    }

    /// Those whose turn it was, and whom the ledger bars by now, were passed over for that.
    pub(crate) fn pass_over_barred(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get(&job) else { return };
        let Some(race) = record.race(task) else { return };
        let seats = record.live_seats(task);
        let Some(end) = race.walk.iter().rposition(|seat| seats.contains(seat)) else { return };
        let barred = |seat: &&Seat| {
            !seats.contains(seat)
                && !race.skips.contains_key(seat)
                && self.barred.contains(&record.node(**seat))
        };
        let passed: Vec<_> = race.walk[..end].iter().filter(barred).copied().collect();
        for seat in passed {
            self.skip((job, task), seat, SkipReason::Sanctioned, turn);
        }
    }
}

fn ruled_event(
    record: &JobRecord,
    task: TaskIndex,
    outcome: OutcomeDigest,
    liars: &[Seat],
) -> JobEvent {
    let refuted = liars.iter().map(|seat| record.node(*seat)).collect();
    JobEvent::Ruled { task, outcome: Some(outcome), refuted }
}

impl JobRecord {
    /// What the dispute about a task would say now; nothing if no two claims differ.
    pub(crate) fn dispute(&self, task: TaskIndex) -> Option<Dispute> {
        let claims = self.claims(task);
        let outcomes: BTreeSet<_> = claims.iter().map(|claim| claim.reveal.leaf.outcome).collect();
        let dispute = Dispute {
            order: self.order.clone(),
            drawn: self.drawn()?,
            task,
            claims,
            audits: Vec::new(),
        };
        (outcomes.len() > 1).then_some(dispute)
    }

    /// Replicas that revealed something else, and were not passed over for it yet, by their nodes.
    fn liars(&self, task: TaskIndex, outcome: OutcomeDigest) -> Vec<Seat> {
        let Some(race) = self.race(task) else { return Vec::new() };
        let assigned = self.tasks.assigned(task);
        let lied = assigned.iter().zip(&race.replicas).filter(|(seat, replica)| {
            replica.outcome().is_some_and(|said| said != outcome)
                && race.skips.get(seat) != Some(&SkipReason::Refuted)
        });
        let mut seats: Vec<_> = lied.map(|(seat, _)| *seat).collect();
        seats.sort_unstable();
        seats
    }

    /// Seats of replicas that do not count but have revealed what the verdict found, one of each
    /// party of which none counts.
    pub(crate) fn recallable(&self, task: TaskIndex) -> Vec<Seat> {
        let Some(race) = self.race(task) else { return Vec::new() };
        let Some(verdict) = self.verdict(task, race) else { return Vec::new() };
        let live = self.live_seats(task);
        let mut parties: BTreeSet<PublicKey> = live.iter().map(|seat| self.party(*seat)).collect();
        let assigned = self.tasks.assigned(task);
        let said = assigned
            .iter()
            .zip(&race.replicas)
            .filter(|(seat, replica)| replica.outcome() == Some(verdict) && !live.contains(seat));
        said.map(|(seat, _)| *seat).filter(|seat| parties.insert(self.party(*seat))).collect()
    }

    /// The seats of the replicas that count.
    pub(crate) fn live_seats(&self, task: TaskIndex) -> BTreeSet<Seat> {
        let Some(race) = self.race(task) else { return BTreeSet::new() };
        let assigned = self.tasks.assigned(task);
        race.live().into_iter().map(|attempt| assigned[usize::from(attempt.0)]).collect()
    }
}
