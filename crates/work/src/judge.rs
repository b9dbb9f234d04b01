//! Comparison: what to do about a task, given what its replicas have said.

use crate::{
    Work,
    state::{JobRecord, Shown},
    turn::Turn,
};
use protocol::{Attempt, JobId, TaskIndex, Unsettled, set_digest};
use std::collections::BTreeSet;

/// The next thing to do about a task.
enum Next {
    /// Nothing, until somebody speaks.
    Wait,
    /// All have committed: show the set to those who have not seen one.
    Show,
    /// All that count have revealed the same.
    Agree,
    /// Too few are left after a verdict, but others who were passed over revealed what it found.
    Recall,
    /// There is no more to ask.
    End(Unsettled),
}

impl Work {
    /// Carries a task on as far as it goes by itself.
    pub(crate) fn advance(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        if self.is_poison(&job, task) {
            return self.unsettle(job, task, Unsettled::Poison, turn);
        }
        self.place(job, task, turn);
        loop {
            let Some(record) = self.jobs.get(&job) else { return };
            match next(record, task) {
                Next::Wait => return,
                Next::Show => return self.show(job, task, turn),
                Next::Agree => return self.agree(job, task, turn),
                Next::End(why) => return self.unsettle(job, task, why, turn),
                Next::Recall => self.recall(job, task),
            }
        }
    }

    /// Whether so many nodes lost a task, or had no result, that it is asked of nobody else.
    /// If enough others are at it all the same, they may end it.
    fn is_poison(&self, job: &JobId, task: TaskIndex) -> bool {
        let Some(record) = self.jobs.get(job) else { return false };
        let Some(race) = record.race(task) else { return false };
        let enough = race.failures() >= self.config.poison.max(1) as usize;
        enough && !race.dissent && race.live().len() < record.goal(task, race)
    }

    /// Shows commitments to the replicas that have not seen a set. Whoever has seen one has
    /// answered it, or will: nobody is shown two. If a verdict has left too few replicas for a set,
    /// it holds the commitments of those who were passed over as well.
    fn show(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(race) = record.race(task) else { return };
        let live = race.live();
        let enough = live.len() >= usize::from(record.order.payload.verification.k);
        let attempts = if enough { live.clone() } else { race.committed() };
        let members = record.members(task, &attempts, &mut BTreeSet::new());
        let digest = set_digest(&job, task, &members);
        let unseen: Vec<Attempt> =
            live.into_iter().filter(|attempt| race.replica(*attempt).shown.is_none()).collect();
        let Some((race, assigned)) = record.race_mut(task) else { return };
        let number = u32::try_from(race.sets.len()).expect("no more sets than candidates");
        race.sets.push(Shown { digest, attempts });
        let mut seats = Vec::new();
        for attempt in &unseen {
            race.replica_mut(*attempt).shown = Some(number);
            seats.push(assigned[usize::from(attempt.0)]);
        }
        for seat in seats {
            turn.show((record.node(seat), job), task);
        }
        for attempt in unseen {
            self.arm_reveal((job, task), attempt, turn);
        }
    }
}

fn next(record: &JobRecord, task: TaskIndex) -> Next {
    let Some(race) = record.race(task) else { return Next::Wait };
    let live = race.live();
    if !race.waiting.is_empty() {
        return Next::Wait;
    }
    // With dissent, replicas decide nothing more: whoever can be had is enough.
    if live.len() < record.goal(task, race) && !race.dissent {
        return if race.hopeless { Next::End(Unsettled::NoCandidates) } else { Next::Wait };
    }
    let replicas = || live.iter().map(|attempt| race.replica(*attempt));
    if replicas().any(|replica| replica.commit.is_none()) {
        return Next::Wait;
    }
    if replicas().any(|replica| replica.shown.is_none()) {
        return Next::Show;
    }
    // An outcome that somebody disputes waits for the verdict, whatever the majority.
    let undecided = race.dissent && record.ruling(task).is_none();
    if undecided || replicas().any(|replica| replica.reveal.is_none()) {
        return Next::Wait;
    }
    let few = live.len() < usize::from(record.order.payload.verification.k);
    if few && !record.recallable(task).is_empty() {
        return Next::Recall;
    }
    if live.is_empty() { Next::End(Unsettled::Refuted) } else { Next::Agree }
}
