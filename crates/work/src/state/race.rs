//! The replicas of one task, from the first that is asked to the last that reveals.

use super::Seat;
use identity::Digest;
use protocol::{Attempt, NoResult, Outcome, OutcomeDigest, Reveal, Time, draw::SkipReason, pairs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one node has said about one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replica {
    /// Whether it counts: it was asked, and was not passed over since.
    pub(crate) live: bool,
    /// How often it was asked.
    pub(crate) asked: u32,
    /// When it was last asked, or shown a set.
    pub(crate) started: Time,
    /// When its lease ends, while it has one.
    pub(crate) due: Option<Time>,
    /// The batch of its commitment, and the commitment.
    pub(crate) commit: Option<(u32, Digest)>,
    /// The set that it was shown, by its place in [`Race::sets`].
    pub(crate) shown: Option<u32>,
    /// The batch of its reveal, and the reveal.
    pub(crate) reveal: Option<(u32, Reveal)>,
    /// How long it took from its start to its commitment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<u64>,
    /// It was lost, or had no result.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) failed: bool,
    /// Why it has no result, if its node said so since it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_result: Option<NoResult>,
}

impl Replica {
    /// What it revealed.
    pub(crate) fn outcome(&self) -> Option<OutcomeDigest> {
        self.reveal.map(|(_, reveal)| reveal.outcome)
    }
}

/// A set of commitments that was shown to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    pub(crate) digest: Digest,
    pub(crate) attempts: Vec<Attempt>,
}

/// A task that is being worked on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Race {
    /// All candidates in the order in which they must be asked.
    pub(crate) walk: Vec<Seat>,
    /// By attempt. Those that do not count any more are kept: they may come back.
    pub(crate) replicas: Vec<Replica>,
    /// Candidates that were passed over or lost.
    #[serde(with = "pairs")]
    pub(crate) skips: BTreeMap<Seat, SkipReason>,
    /// Candidates whose turn it is, and which are waited for.
    pub(crate) waiting: BTreeSet<Seat>,
    /// The sets that were shown.
    pub(crate) sets: Vec<Shown>,
    /// Replicas gave different outcomes, or one that a verdict refutes.
    pub(crate) dissent: bool,
    /// There are too few replicas and nobody to ask now.
    pub(crate) short: bool,
    /// There are too few replicas and nobody who could ever be asked.
    pub(crate) hopeless: bool,
    /// How often candidates were asked again.
    pub(crate) rounds: u32,
    /// When they are asked again.
    pub(crate) retry: Option<Time>,
    /// What was revealed.
    #[serde(with = "pairs")]
    pub(crate) outcomes: BTreeMap<OutcomeDigest, Outcome>,
    /// Bytes of these outcomes.
    pub(crate) outcome_bytes: u64,
    /// Whom the first replica was given to by score; all others are drawn beside its party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<Seat>,
    /// The first replica was lost, and is to be given again, by score.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) loose: bool,
    /// A second copy of the only replica, which takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) copy: Option<Seat>,
    /// When it is seen whether the only replica takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) watch: Option<Time>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Race {
    /// Attempts of the replicas that count.
    pub(crate) fn live(&self) -> Vec<Attempt> {
        let live = |(at, replica): (usize, &Replica)| replica.live.then(|| attempt_of(at));
        self.replicas.iter().enumerate().filter_map(live).collect()
    }

    /// Attempts of the replicas that have committed, also of those that do not count any more.
    pub(crate) fn committed(&self) -> Vec<Attempt> {
        let committed = |(at, replica): (usize, &Replica)| replica.commit.map(|_| attempt_of(at));
        self.replicas.iter().enumerate().filter_map(committed).collect()
    }

    /// Every outcome that was revealed, also by replicas that do not count any more.
    pub(crate) fn said(&self) -> BTreeSet<OutcomeDigest> {
        self.replicas.iter().filter_map(Replica::outcome).collect()
    }

    /// Replicas that count, and candidates that are waited for.
    pub(crate) fn chosen(&self) -> usize {
        self.replicas.iter().filter(|replica| replica.live).count() + self.waiting.len()
    }

    /// Nodes on which it was lost, or that had no result.
    pub(crate) fn failures(&self) -> usize {
        self.replicas.iter().filter(|replica| replica.failed).count()
    }

    pub(crate) fn replica(&self, attempt: Attempt) -> &Replica {
        &self.replicas[usize::from(attempt.0)]
    }

    pub(crate) fn replica_mut(&mut self, attempt: Attempt) -> &mut Replica {
        &mut self.replicas[usize::from(attempt.0)]
    }
}

/// The attempt at a place of the list of replicas, which is no longer than the walk is.
pub(crate) fn attempt_of(place: usize) -> Attempt {
    Attempt(
        u16::try_from(place).expect("a walk is cut at as many candidates as there are attempts"),
    )
}
