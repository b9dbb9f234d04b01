//! A node has outcomes, hidden.

use crate::{
    Work,
    place::Again,
    state::{JobRecord, Seat, TaskState, Timer},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{CommitBatch, Commitment, Contradiction, JobId, TaskIndex};

/// Leaves of a batch by what is new about them.
#[derive(Default)]
struct Sorted {
    fresh: Vec<Commitment>,
    again: Vec<TaskIndex>,
    late: Vec<TaskIndex>,
    contradictory: Vec<Commitment>,
}

impl Work {
    pub(crate) fn on_committed(
        &mut self,
        node: PublicKey,
        batch: CommitBatch,
        turn: &mut Turn<'_>,
    ) {
        let job = batch.statement.payload.job;
        let Some(record) = self.jobs.get(&job) else {
            self.counts.late += 1;
            batch.leaves.iter().for_each(|leaf| turn.close((node, job), leaf.task));
            return;
        };
        let most = self.config.leaves(record.order.payload.verification.n);
        if batch.statement.by != node || !(1..=most).contains(&batch.leaves.len()) {
            self.counts.malformed += 1;
            return;
        }
        let places = batch.leaves.iter().map(|leaf| (leaf.task, leaf.attempt));
        let Some(seat) = record.seat(&node).filter(|seat| record.owns(*seat, places)) else {
            self.counts.foreign += 1;
            self.note(&node, |conduct| conduct.foreign += 1, 4);
            return;
        };
        let sorted = sort(record, &batch);
        self.counts.repeated += sorted.again.len() as u64;
        self.counts.late += sorted.late.len() as u64;
        self.counts.contradictory += sorted.contradictory.len() as u64;
        let (again, differs) = (sorted.again.len() as u64, !sorted.contradictory.is_empty());
        self.fleet.heard(&node, turn.now);
        sorted.late.iter().for_each(|task| turn.close((node, job), *task));
        // It forgot what it was shown, or never heard of it.
        sorted.again.iter().for_each(|task| self.show_again(node, job, *task, turn));
        if let Some(leaf) = sorted.contradictory.first()
            && let Some(found) = contradiction(record, leaf, &batch)
        {
            self.accuse((job, seat), found, turn);
        }
        self.note(&node, |conduct| conduct.repeated += again, 0);
        if differs {
            self.note(&node, |conduct| conduct.contradicted += 1, 8);
        }
        self.take_commitments((node, seat), job, batch, &sorted.fresh, turn);
    }

    fn take_commitments(
        &mut self,
        (node, seat): (PublicKey, Seat),
        job: JobId,
        batch: CommitBatch,
        fresh: &[Commitment],
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job).filter(|_| !fresh.is_empty()) else { return };
        let share = (fresh.len(), batch.leaves.len());
        let Some(number) = record.commits.keep(seat, batch, share) else {
            self.counts.over_bounds += 1;
            return;
        };
        record.times.first_commit.get_or_insert(turn.now);
        for leaf in fresh {
            let Some((race, _)) = record.race_mut(leaf.task) else { continue };
            let replica = race.replica_mut(leaf.attempt);
            replica.commit = Some((number, leaf.hidden));
            if let Some(due) = replica.due.take() {
                self.timers.remove(due, Timer::Lease(job, leaf.task, leaf.attempt));
            }
            if replica.live {
                self.fleet.committed(&node, (job, leaf.task));
                turn.freed.insert(node);
            }
        }
        for leaf in fresh {
            self.learn_time((job, leaf.task), (&node, seat), turn.now);
            self.end_copy((job, leaf.task), seat, turn);
            self.reconsider(job, leaf.task, Again::Spoke(node), turn);
            self.advance(job, leaf.task, turn);
        }
    }

    /// Shows a node the set that it has not answered yet once more.
    fn show_again(&self, node: PublicKey, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get(&job) else { return };
        let attempt = record.seat(&node).and_then(|seat| record.attempt(task, seat));
        let (Some(attempt), Some(race)) = (attempt, record.race(task)) else { return };
        let replica = race.replica(attempt);
        if replica.live && replica.shown.is_some() && replica.reveal.is_none() {
            turn.show((node, job), task);
        }
    }
}

fn sort(record: &JobRecord, batch: &CommitBatch) -> Sorted {
    let mut sorted = Sorted::default();
    for leaf in &batch.leaves {
        let state = record.tasks.get(leaf.task).map(|entry| &entry.state);
        let Some(TaskState::Open(race)) = state else {
            sorted.late.push(leaf.task);
            continue;
        };
        match race.replica(leaf.attempt).commit {
            None => sorted.fresh.push(*leaf),
            Some((_, hidden)) if hidden == leaf.hidden => sorted.again.push(leaf.task),
            Some(_) => sorted.contradictory.push(*leaf),
        }
    }
    sorted
}

/// The earlier commitment of a replica, and one that cannot stand beside it.
fn contradiction(
    record: &JobRecord,
    leaf: &Commitment,
    second: &CommitBatch,
) -> Option<Contradiction> {
    let (number, _) = record.race(leaf.task)?.replica(leaf.attempt).commit?;
    let first = record.commits.get(number).quote(leaf.task, leaf.attempt)?;
    let second = second.quote(leaf.task, leaf.attempt)?;
    Some(Contradiction::Commits { first, second })
}
