//! A node says what it has.

use crate::{
    Work,
    place::Again,
    state::{JobRecord, Seat, TaskState, Timer},
    turn::Turn,
};
use identity::{PublicKey, canonical};
use objects::{Cid, Codec};
use protocol::{
    Contradiction, JobEvent, JobId, Outcome, OutcomeDigest, Reveal, RevealBatch, commitment_of,
    draw::SkipReason,
};

/// What a leaf is worth.
enum Worth {
    /// It opens a commitment, to this outcome of so many bytes.
    Fresh(u64),
    Again,
    Late,
    /// It is not an answer to anything.
    Malformed,
    /// It opens its commitment, to something that is no outcome, or is too large to keep.
    Useless,
    /// It contradicts an earlier reveal.
    Contradictory,
    /// It does not open its commitment.
    False,
}

impl Work {
    pub(crate) fn on_revealed(
        &mut self,
        node: PublicKey,
        batch: RevealBatch,
        outcomes: Vec<Outcome>,
        turn: &mut Turn<'_>,
    ) {
        let job = batch.statement.payload.job;
        let Some(record) = self.jobs.get(&job) else {
            self.counts.late += 1;
            batch.leaves.iter().for_each(|leaf| turn.close((node, job), leaf.task));
            return;
        };
        let most = self.config.leaves(record.order.payload.verification.n);
        let whole = outcomes.len() == batch.leaves.len();
        if batch.statement.by != node || !whole || !(1..=most).contains(&batch.leaves.len()) {
            self.counts.malformed += 1;
            return;
        }
        let places = batch.leaves.iter().map(|leaf| (leaf.task, leaf.attempt));
        let Some(seat) = record.seat(&node).filter(|seat| record.owns(*seat, places)) else {
            self.counts.foreign += 1;
            self.note(&node, |conduct| conduct.foreign += 1, 4);
            return;
        };
        self.fleet.heard(&node, turn.now);
        let mut room = self.config.outcome_room(record.order.payload.tasks);
        room = room.saturating_sub(record.outcome_bytes);
        let mut fresh = Vec::new();
        let mut refused = Vec::new();
        let mut found = None;
        let leaves = batch.leaves.clone();
        for (leaf, outcome) in leaves.into_iter().zip(outcomes) {
            let Some(record) = self.jobs.get(&job) else { return };
            match worth(record, (node, job), &leaf, &outcome, room) {
                Worth::Fresh(size) => {
                    room = room.saturating_sub(size);
                    fresh.push((leaf, outcome, size));
                }
                Worth::Again => self.counts.repeated += 1,
                Worth::Late => {
                    self.counts.late += 1;
                    turn.close((node, job), leaf.task);
                }
                Worth::Malformed => self.counts.malformed += 1,
                Worth::Useless => {
                    self.counts.over_bounds += 1;
                    refused.push((leaf.task, SkipReason::NoResult));
                }
                Worth::Contradictory => {
                    self.counts.contradictory += 1;
                    found = found.or_else(|| contradiction(record, &leaf, &batch));
                }
                Worth::False => {
                    self.counts.contradictory += 1;
                    found = found.or_else(|| contradiction(record, &leaf, &batch));
                    refused.push((leaf.task, SkipReason::Lost));
                }
            }
        }
        if let Some(found) = found {
            self.accuse((job, seat), found, turn);
        }
        self.take_reveals((node, seat), job, batch, fresh, turn);
        for (task, reason) in refused {
            self.skip((job, task), seat, reason, turn);
            self.advance(job, task, turn);
        }
    }

    fn take_reveals(
        &mut self,
        (node, seat): (PublicKey, Seat),
        job: JobId,
        batch: RevealBatch,
        fresh: Vec<(Reveal, Outcome, u64)>,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job).filter(|_| !fresh.is_empty()) else { return };
        let share = (fresh.len(), batch.leaves.len());
        let Some(number) = record.reveals.keep(seat, batch, share) else {
            self.counts.over_bounds += 1;
            return;
        };
        let mut tasks = Vec::new();
        let mut speeds = Vec::new();
        for (leaf, outcome, size_bytes) in fresh {
            let (task, attempt) = (leaf.task, leaf.attempt);
            let Some((race, _)) = record.race_mut(task) else { continue };
            let replica = race.replica_mut(attempt);
            replica.reveal = Some((number, leaf));
            let live = replica.live;
            speeds.push((outcome.fuel, replica.took_ms));
            if let Some(due) = replica.due.take() {
                self.timers.remove(due, Timer::Lease(job, task, attempt));
            }
            let (first, end) = (race.outcomes.is_empty(), outcome.end);
            let new = race.outcomes.insert(leaf.outcome, outcome).is_none();
            if new {
                race.outcome_bytes += size_bytes;
                record.outcome_bytes += size_bytes;
            }
            if live {
                self.fleet.release(&node, (job, task), true);
            }
            if first {
                turn.event(job, JobEvent::Outcome { task, node, end });
            }
            tasks.push(task);
        }
        for (fuel, took_ms) in speeds {
            self.check_speed(&node, fuel, took_ms);
        }
        for task in tasks {
            self.compare(job, task, turn);
            self.reconsider(job, task, Again::Spoke(node), turn);
            self.advance(job, task, turn);
        }
    }
}

fn worth(
    record: &JobRecord,
    (node, job): (PublicKey, JobId),
    leaf: &Reveal,
    outcome: &Outcome,
    room: u64,
) -> Worth {
    let state = record.tasks.get(leaf.task).map(|entry| &entry.state);
    let Some(TaskState::Open(race)) = state else { return Worth::Late };
    let replica = race.replica(leaf.attempt);
    let Some((_, hidden)) = replica.commit else { return Worth::Malformed };
    if let Some((_, before)) = replica.reveal {
        let same = (before.outcome, before.salt) == (leaf.outcome, leaf.salt);
        return if same { Worth::Again } else { Worth::Contradictory };
    }
    if commitment_of(&node, &leaf.salt, &leaf.outcome) != hidden {
        return Worth::False;
    }
    let shown = replica.shown.map(|number| race.sets[number as usize].digest);
    if shown != Some(leaf.set) {
        return Worth::Malformed;
    }
    let bytes = canonical::encode(outcome);
    let digest = OutcomeDigest(Cid::of(Codec::DagCbor, &bytes).digest());
    if digest != leaf.outcome {
        return Worth::Malformed;
    }
    // What another engine gave is compared with nothing.
    let ours = outcome.job == job
        && outcome.task == leaf.task
        && outcome.fingerprint == record.order.payload.engine
        && outcome.check().is_ok();
    let size_bytes = if race.outcomes.contains_key(&digest) { 0 } else { bytes.len() as u64 };
    if ours && size_bytes <= room { Worth::Fresh(size_bytes) } else { Worth::Useless }
}

/// The earlier reveal of a replica, or its commitment, and a reveal that cannot stand beside it.
fn contradiction(record: &JobRecord, leaf: &Reveal, second: &RevealBatch) -> Option<Contradiction> {
    let (task, attempt) = (leaf.task, leaf.attempt);
    let said = record.race(task)?.replica(attempt);
    let second = second.quote(task, attempt)?;
    if let Some((number, _)) = said.reveal {
        let first = record.reveals.get(number).quote(task, attempt)?;
        return Some(Contradiction::Reveals { first, second });
    }
    let commit = record.commits.get(said.commit?.0).quote(task, attempt)?;
    Some(Contradiction::Opening { commit, reveal: second })
}
