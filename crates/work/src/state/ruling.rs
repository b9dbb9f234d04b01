//! What the replicas of a task claim, and what the validators found about it.

use super::JobRecord;
use protocol::{Attempt, Claim, OutcomeDigest, Ruled, TaskIndex, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where a claim stands: the replica, and the batches of its commitment and of its reveal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    attempt: Attempt,
    commit: u32,
    reveal: u32,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ruling {
    pub(crate) outcome: OutcomeDigest,
    /// The claims that there were when the task ended.
    pub(crate) claims: Vec<Place>,
    /// Somebody claimed something else after the verdict: the ledger may not have heard of it.
    pub(crate) late: bool,
}

impl JobRecord {
    /// Where the claims of a running task stand: as many as a dispute can hold, and of every
    /// outcome one at least, the latest first.
    fn places(&self, task: TaskIndex) -> Vec<Place> {
        let Some(race) = self.race(task) else { return Vec::new() };
        let mut all: Vec<_> = (0..)
            .map(Attempt)
            .zip(&race.replicas)
            .filter_map(|(attempt, replica)| {
                let ((commit, _), (reveal, leaf)) = (replica.commit?, replica.reveal?);
                Some((leaf.outcome, Place { attempt, commit, reveal }))
            })
            .collect();
        all.sort_by_key(|(_, place)| std::cmp::Reverse(place.reveal));
        let mut seen = BTreeSet::new();
        let (first, further): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(outcome, _)| seen.insert(*outcome));
        let most = usize::from(limits::REPLICAS);
        first.into_iter().chain(further).take(most).map(|(_, place)| place).collect()
    }

    /// What is claimed about a task that runs, or has ended with a verdict, sorted by node.
    pub(crate) fn claims(&self, task: TaskIndex) -> Vec<Claim> {
        let places = match (self.race(task), self.rulings.get(&task)) {
            (None, Some(ruling)) => ruling.claims.clone(),
            _ => self.places(task),
        };
        let quoted = |place: &Place| {
            let commit = self.commits.get(place.commit).quote(task, place.attempt)?;
            let reveal = self.reveals.get(place.reveal).quote(task, place.attempt)?;
            Some(Claim { commit, reveal })
        };
        let mut claims: Vec<_> = places.iter().filter_map(quoted).collect();
        claims.sort_by_key(Claim::node);
        claims
    }

    /// Keeps where the claims of a task stand that is about to end, if there is a verdict on it.
    pub(crate) fn keep_claims(&mut self, task: TaskIndex) {
        if self.rulings.contains_key(&task) {
            let claims = self.places(task);
            self.rulings.entry(task).and_modify(|ruling| ruling.claims = claims);
        }
    }

    /// What the validators found about a task, if they decided.
    pub fn ruling(&self, task: TaskIndex) -> Option<OutcomeDigest> {
        self.rulings.get(&task).map(|ruling| ruling.outcome)
    }

    /// Whether what was agreed on about a task rests on a verdict instead of on enough replicas.
    pub fn is_decided(&self, task: TaskIndex) -> bool {
        let decided = |agreed: &protocol::Agreed| agreed.task == task && agreed.decided;
        let shipped = self.shipments.values().flat_map(|shipment| &shipment.tasks);
        let found = self.found.values().flat_map(|found| &found.agreements.tasks);
        let ours = shipped.chain(self.agreed.values()).map(|settlement| &settlement.agreed);
        self.rulings.contains_key(&task) && ours.chain(found).any(decided)
    }

    /// Tasks that wait for a ruling, sorted.
    pub fn disputed(&self) -> Vec<TaskIndex> {
        self.disputes.keys().copied().collect()
    }

    /// Tasks with a verdict that refutes somebody, sorted, with all that is claimed about them: for
    /// the receipt.
    pub fn ruled(&self) -> Vec<Ruled> {
        let of_task = |(task, ruling): (&TaskIndex, &Ruling)| {
            let outcome = ruling.outcome;
            let claims = self.claims(*task);
            let refuted = claims.iter().any(|claim| claim.reveal.leaf.outcome != outcome);
            refuted.then_some(Ruled { task: *task, outcome, claims })
        };
        self.rulings.iter().filter_map(of_task).collect()
    }

    /// What the ledger said to disputes that it refused, sorted by task.
    pub fn dispute_refusals(&self) -> impl Iterator<Item = (TaskIndex, &str)> {
        self.dispute_refusals.iter().map(|(task, reason)| (*task, reason.as_str()))
    }
}
