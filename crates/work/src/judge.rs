//! Comparison: what to do about a task, given what its replicas have said.

use crate::{
    Work,
    state::{JobRecord, Shown},
    turn::Turn,
};
use protocol::{Attempt, JobId, OutcomeDigest, TaskIndex, Unsettled, set_digest};
use std::collections::BTreeSet;

/// The next thing to do about a task.
enum Verdict {
    /// Nothing, until somebody speaks.
    Wait,
    /// All have committed: show the set to those who have not seen one.
    Show,
    /// All have revealed the same.
    Agree,
    /// They have not: ask more.
    Widen,
    /// There is no more to ask.
    End(Unsettled),
}

impl Work {
    /// Carries a task on as far as it goes by itself.
    pub(crate) fn advance(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        self.place(job, task, turn);
        loop {
            let Some(record) = self.jobs.get_mut(&job) else { return };
            match verdict(record, task) {
                Verdict::Wait => return,
                Verdict::Show => return self.show(job, task, turn),
                Verdict::Agree => return self.agree(job, task, turn),
                Verdict::End(why) => return self.unsettle(job, task, why, turn),
                Verdict::Widen => {
                    if let Some((race, _)) = record.race_mut(task) {
                        race.dissent = true;
                    }
                    self.place(job, task, turn);
                }
            }
        }
    }

    /// Shows all live commitments to the replicas that have not seen a set. Whoever has seen one
    /// has answered it, or will: nobody is shown two.
    fn show(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(race) = record.race(task) else { return };
        let attempts = race.live();
        let members = record.members(task, &attempts, &mut BTreeSet::new());
        let digest = set_digest(&job, task, &members);
        let unseen: Vec<Attempt> = attempts
            .iter()
            .copied()
            .filter(|attempt| race.replica(*attempt).shown.is_none())
            .collect();
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

fn verdict(record: &JobRecord, task: TaskIndex) -> Verdict {
    let Some(race) = record.race(task) else { return Verdict::Wait };
    let live = race.live();
    if !race.waiting.is_empty() {
        return Verdict::Wait;
    }
    // With dissent, those who are left decide nothing more: whoever can be had is enough.
    if live.len() < record.goal(race) && !race.dissent {
        let end = Verdict::End(Unsettled::NoCandidates);
        return if race.hopeless { end } else { Verdict::Wait };
    }
    let replicas = || live.iter().map(|attempt| race.replica(*attempt));
    if replicas().any(|replica| replica.commit.is_none()) {
        return Verdict::Wait;
    }
    if replicas().any(|replica| replica.shown.is_none()) {
        return Verdict::Show;
    }
    let revealed = replicas().map(|replica| replica.reveal.map(|(_, reveal)| reveal.outcome));
    let Some(outcomes) = revealed.collect::<Option<BTreeSet<OutcomeDigest>>>() else {
        return Verdict::Wait;
    };
    let verification = record.order.payload.verification;
    // An outcome that somebody disputed waits for a verdict of the validators; until there are
    // verdicts it is not agreed on, whatever the majority.
    match (outcomes.len(), race.dissent) {
        (1, false) => Verdict::Agree,
        (_, false) if verification.n > verification.k => Verdict::Widen,
        _ => Verdict::End(Unsettled::Dissent),
    }
}
