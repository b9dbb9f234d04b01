//! The end of a task: agreed on, or not.

use crate::{
    Effect, Left, Work,
    state::{JobRecord, LEFT_TASKS, Race, Seat, Settlement, TaskRecord, TaskState, Timer},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{Agreed, Height, JobEvent, JobId, TaskIndex, Time, Unsettled, draw::Skip};
use std::collections::BTreeSet;

/// Tasks in a row that end at once, from which on they share an event.
const RANGE_TASKS: u32 = 64;

impl JobRecord {
    /// The ledger holds these tasks. What it holds counts more than what a home once heard of it.
    pub(crate) fn make_final(&mut self, tasks: &[TaskIndex], height: Height, now: Time) {
        self.times.settled = Some(now);
        for task in tasks {
            let Some(entry) = self.tasks.get_mut(*task) else { continue };
            let (outcome, executors) = match std::mem::replace(&mut entry.state, TaskState::Waiting)
            {
                TaskState::Agreed { outcome, executors } => {
                    self.progress.agreed -= 1;
                    (outcome, executors)
                }
                TaskState::Disowned { outcome, executors } => {
                    self.progress.unsettled -= 1;
                    (outcome, executors)
                }
                other => {
                    entry.state = other;
                    continue;
                }
            };
            self.progress.settled += 1;
            entry.state = TaskState::Final { outcome, executors, height };
        }
    }
}

impl Work {
    /// All replicas that count have revealed the same outcome.
    pub(crate) fn agree(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        self.pass_over_barred(job, task, turn);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(settlement) = settlement_of(record, task) else { return };
        let Some(race) = self.take_race(job, task, turn) else { return };
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(outcome) = race.outcomes.get(&settlement.agreed.outcome).cloned() else { return };
        let assigned = record.tasks.assigned(task);
        let executors: Vec<Seat> =
            race.live().iter().map(|attempt| assigned[usize::from(attempt.0)]).collect();
        let nodes: Vec<PublicKey> = executors.iter().map(|seat| record.node(*seat)).collect();
        let state = TaskState::Agreed { outcome: Box::new(outcome.clone()), executors };
        let Some(entry) = record.tasks.get_mut(task) else { return };
        entry.state = state;
        entry.times.agreed = Some(turn.now);
        record.times.agreed = Some(turn.now);
        record.progress.agreed += 1;
        // The ledger may have it already; then it is known now what it gave.
        if !record.is_found(task) {
            record.agreed.insert(task, settlement);
        }
        let ran = race.live().into_iter().filter_map(|attempt| race.replica(attempt).took_ms);
        self.learn_speeds(&nodes, outcome.fuel, ran.collect());
        turn.event(job, JobEvent::Agreed { outcome: outcome.clone(), executors: nodes.clone() });
        turn.effect(Effect::Keep { job, outcome, from: nodes });
    }

    /// The task ends without agreement. If it ends while its replicas disagree and nobody has ruled
    /// on that, it is said so: that shows, the rest is the home's word.
    pub(crate) fn unsettle(
        &mut self,
        job: JobId,
        task: TaskIndex,
        why: Unsettled,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get(&job) else { return };
        if record.race(task).is_none() {
            return;
        }
        let disputed = record.disputes.contains_key(&task) && why != Unsettled::Undecided;
        let why = if disputed { Unsettled::Dissent } else { why };
        let Some(race) = self.take_race(job, task, turn) else { return };
        let Some(record) = self.jobs.get_mut(&job) else { return };
        if record.left.len() < LEFT_TASKS {
            let left = Left::of(record, task, &race, record.tasks.assigned(task));
            record.left.push(left);
        }
        record.outcome_bytes = record.outcome_bytes.saturating_sub(race.outcome_bytes);
        let said = race.replicas.iter().filter_map(|replica| replica.reveal);
        let reveals = said.map(|(batch, _)| batch).collect();
        let Some(entry) = record.tasks.get_mut(task) else { return };
        entry.state = TaskState::Unsettled { why: why.clone(), reveals };
        record.progress.unsettled += 1;
        turn.touched.insert(job);
        turn.event(job, JobEvent::Unsettled { task, why });
    }

    /// Ends every task that was not agreed on.
    pub(crate) fn unsettle_all(&mut self, job: JobId, why: &Unsettled, turn: &mut Turn<'_>) {
        self.stop_ordering(job);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        record.held.clear();
        let open = |(task, row): (TaskIndex, &TaskRecord)| {
            matches!(row.state, TaskState::Open(_)).then_some(task)
        };
        let tasks: Vec<_> = record.tasks.rows().filter_map(open).collect();
        for task in tasks {
            self.unsettle(job, task, why.clone(), turn);
        }
        self.unsettle_rest(job, why, turn);
        turn.touched.insert(job);
    }

    /// Ends all tasks that nobody was asked for yet.
    fn unsettle_rest(&mut self, job: JobId, why: &Unsettled, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let from = TaskIndex(record.next);
        let count = record.tasks.end_rest(from, why.clone());
        record.next = record.order.payload.tasks;
        record.progress.waiting = 0;
        record.progress.unsettled += count;
        if count >= RANGE_TASKS {
            turn.event(job, JobEvent::UnsettledRange { from, count, why: why.clone() });
            return;
        }
        for task in (from.0..from.0 + count).map(TaskIndex) {
            turn.event(job, JobEvent::Unsettled { task, why: why.clone() });
        }
    }

    /// Takes the replicas of a task apart: nobody holds, waits for or is timed for it any more, and
    /// everybody who was asked is told so. The replicas keep what they were when it ended.
    fn take_race(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) -> Option<Box<Race>> {
        self.end_dispute(job, task);
        let record = self.jobs.get_mut(&job)?;
        record.keep_claims(task);
        let entry = record.tasks.get_mut(task)?;
        if !matches!(entry.state, TaskState::Open(_)) {
            return None;
        }
        let TaskState::Open(mut race) = std::mem::replace(&mut entry.state, TaskState::Waiting)
        else {
            return None;
        };
        let assigned = entry.assigned.clone();
        record.progress.running -= 1;
        for (seat, replica) in assigned.iter().zip(&mut race.replicas) {
            let node = record.node(*seat);
            self.fleet.release(&node, (job, task), replica.commit.is_some());
            turn.freed.insert(node);
            turn.close((node, job), task);
            if let Some(due) = replica.due.take()
                && let Some(attempt) = record.attempt(task, *seat)
            {
                self.timers.remove(due, Timer::Lease(job, task, attempt));
            }
        }
        for seat in &race.waiting {
            self.fleet.dequeue(&record.node(*seat), (job, task));
        }
        if let Some(due) = race.retry.take() {
            self.timers.remove(due, Timer::Retry(job, task));
        }
        if let Some(due) = race.watch.take() {
            self.timers.remove(due, Timer::Straggler(job, task));
        }
        record.loose.remove(&task);
        self.short.remove(&(job, task));
        turn.hungry.append(&mut self.capped);
        if record.draw.as_ref().is_none_or(|draw| draw.barred.is_none()) {
            turn.hungry.insert(job);
        }
        turn.touched.insert(job);
        Some(race)
    }
}

/// What goes on the ledger for a task of which all live replicas agree.
fn settlement_of(record: &JobRecord, task: TaskIndex) -> Option<Settlement> {
    let race = record.race(task)?;
    let assigned = record.tasks.assigned(task);
    let executors = race.live();
    let mut reveals = BTreeSet::new();
    let mut shown = BTreeSet::new();
    let mut outcome = None;
    for attempt in &executors {
        let (batch, reveal) = race.replica(*attempt).reveal?;
        reveals.insert(batch);
        shown.insert(race.replica(*attempt).shown?);
        outcome = Some(reveal.outcome);
    }
    let mut commits = BTreeSet::new();
    let mut sets = Vec::new();
    for number in shown {
        let attempts = &race.sets[number as usize].attempts;
        record.members(task, attempts, &mut commits);
        sets.push(attempts.clone());
    }
    let seats: BTreeSet<_> = executors.iter().map(|at| assigned[usize::from(at.0)]).collect();
    let first = race.first.filter(|seat| seats.contains(seat));
    let drawn = |seat: &Seat| seats.contains(seat) && first != Some(*seat);
    let end = race.walk.iter().rposition(drawn);
    // Beside the first one nobody may have been drawn.
    let before = match end {
        Some(end) => &race.walk[..end],
        None if first.is_some() => &[],
        None => return None,
    };
    // Who ranks after the last executor was asked in vain as well, but was not passed over.
    let mut skips: Vec<_> =
        before.iter().filter_map(|seat| Some((*seat, *race.skips.get(seat)?))).collect();
    skips.sort_unstable();
    let listed: BTreeSet<_> = skips.iter().map(|(seat, _)| *seat).collect();
    let may_speak = assigned
        .iter()
        .enumerate()
        .filter(|(_, seat)| seats.contains(seat) || listed.contains(seat))
        .map(|(at, _)| crate::state::attempt_of(at))
        .collect();
    let skipped =
        skips.into_iter().map(|(seat, reason)| Skip { node: record.node(seat), reason }).collect();
    let enough = executors.len() >= usize::from(record.order.payload.verification.k);
    let decided = record.verdict(task, race).is_some()
        && !(enough && is_next(record, &race.walk[..end.map_or(0, |end| end + 1)], race, &seats));
    let first = first.filter(|_| !decided).map(|seat| record.node(seat));
    let agreed = Agreed { task, outcome: outcome?, sets, skipped, decided, first };
    Some(Settlement { agreed, commits, reveals, may_speak, alone: false })
}

/// Whether these seats are what the walk gives: nobody between them was passed over in silence.
fn is_next(record: &JobRecord, walk: &[Seat], race: &Race, seats: &BTreeSet<Seat>) -> bool {
    let first = race.first.filter(|seat| seats.contains(seat));
    let mut parties: BTreeSet<_> = first.into_iter().map(|seat| record.party(seat)).collect();
    walk.iter().all(|seat| {
        let chosen = seats.contains(seat) && parties.insert(record.party(*seat));
        chosen || race.skips.contains_key(seat) || parties.contains(&record.party(*seat))
    })
}
