//! Who could run a task, how well, and who could not and why.

use crate::{
    JobRecord, Score, Unfit, Weights, Work,
    state::{Race, Readiness},
};
use identity::PublicKey;
use protocol::{JobId, TaskIndex, draw::SkipReason};
use std::cmp::Reverse;

/// Nodes that are told of in each list, at most.
const NODES: usize = 64;

/// Why a node is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It was asked about this task, and is not asked now for this reason.
    Skipped(SkipReason),
    /// It is not what the job needs, or not now.
    Unfit(Unfit),
    /// It is not connected.
    Offline,
    /// It was here a moment ago, and is waited for.
    Returning,
    /// It stopped answering.
    Silent,
    /// It has as much to do as it may have, or too little is left of what the job reserves.
    Full,
}

/// A node that may be given the task, and what speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoredNode {
    /// The node.
    pub node: PublicKey,
    /// The factors, and their sum by the weights.
    pub score: Score,
}

/// How a task is placed, or would be now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementView {
    /// Whether the first replica goes by score; else all are drawn.
    pub scored: bool,
    /// How much each factor counts.
    pub weights: Weights,
    /// Who was given the first replica by score.
    pub first: Option<PublicKey>,
    /// Who has room for it, the best first.
    pub nodes: Vec<ScoredNode>,
    /// Who has not, by key.
    pub passed: Vec<(PublicKey, Passed)>,
    /// Nodes that are in neither list, because there are too many.
    pub others: usize,
}

impl Work {
    /// How a task is placed; nothing before the job is drawn.
    pub fn placement(&self, job: &JobId, task: TaskIndex) -> Option<PlacementView> {
        let record = self.job(job)?;
        record.draw.as_ref()?;
        let race = record.race(task);
        let scale = self.scale(record);
        let (mut nodes, mut passed) = (Vec::new(), Vec::new());
        for node in record.drawn_nodes() {
            match self.passed(record, race, node) {
                Some(why) => passed.push((*node, why)),
                None => {
                    let score = self.score(record, node, &scale);
                    nodes.push(ScoredNode { node: *node, score });
                }
            }
        }
        nodes.sort_by_key(|scored| Reverse((scored.score.total, Reverse(scored.node))));
        let others = nodes.len().saturating_sub(NODES) + passed.len().saturating_sub(NODES);
        nodes.truncate(NODES);
        passed.truncate(NODES);
        let first = race.and_then(|race| race.first).map(|seat| record.node(seat));
        let weights = self.config.weights;
        let scored = self.is_scored(record);
        Some(PlacementView { scored, weights, first, nodes, passed, others })
    }

    fn passed(&self, record: &JobRecord, race: Option<&Race>, node: &PublicKey) -> Option<Passed> {
        let skipped = race.zip(record.seat(node)).and_then(|(race, seat)| race.skips.get(&seat));
        match skipped {
            Some(SkipReason::Unfit) | None => {}
            Some(reason) => return Some(Passed::Skipped(*reason)),
        }
        if let Some(why) = self.obstacle(record, node) {
            return Some(Passed::Unfit(why));
        }
        match self.readiness_of(record, node) {
            Readiness::Free => None,
            Readiness::Wait if self.fleet.is_up(node) => Some(Passed::Full),
            Readiness::Wait => Some(Passed::Returning),
            Readiness::Stalled => Some(Passed::Silent),
            Readiness::Offline => Some(Passed::Offline),
        }
    }
}
