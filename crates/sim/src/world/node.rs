//! One node: its ledger, its worker, its desk, and its home if it is one.

use super::{Nature, desk::Desk, worker::Acting, worker::Worker};
use crate::liars::{Hand, Kind, Liar};
use identity::{PublicKey, SecretKey};
use ledger::Ledger;
use protocol::{Agreements, Claim, JobId, Outcome, Receipt, Report, TaskIndex, Time};
use std::collections::{BTreeMap, BTreeSet};
use work::Work;

/// One node. Its ledger and the work of its home survive a crash, the rest does not.
pub(super) struct Node {
    pub(super) key: SecretKey,
    pub(super) owner: SecretKey,
    pub(super) nature: Nature,
    pub(super) up: bool,
    /// How often it crashed: what was begun before does not come to an end.
    pub(super) life: u32,
    pub(super) ledger: Ledger,
    pub(super) worker: Worker,
    pub(super) desk: Desk,
    pub(super) home: Option<Home>,
    /// Keys of those it lies together with, and what they passed on.
    pub(super) friends: Vec<SecretKey>,
    pub(super) leaked: BTreeMap<(JobId, TaskIndex), Outcome>,
}

/// What a home has beside its node.
pub(super) struct Home {
    pub(super) work: Work,
    pub(super) tick_at: Option<Time>,
    /// What it said is agreed on: never twice.
    pub(super) agreed: BTreeSet<(JobId, TaskIndex)>,
    /// The last receipts that it wrote, by job.
    pub(super) written: BTreeMap<JobId, (Receipt, Report)>,
}

impl Home {
    pub(super) fn new(work: Work) -> Self {
        Self { work, tick_at: None, agreed: BTreeSet::new(), written: BTreeMap::new() }
    }
}

impl Node {
    pub(super) fn public(&self) -> PublicKey {
        self.key.public()
    }

    pub(super) fn is_honest(&self) -> bool {
        self.nature.liar.is_none()
    }

    pub(super) fn liar(&self) -> Option<&'static dyn Liar> {
        self.nature.liar.map(Kind::liar)
    }

    pub(super) fn hand(&self) -> Hand<'_> {
        Hand {
            key: &self.key,
            owner: &self.owner,
            network: self.ledger.network(),
            ledger: &self.ledger,
            friends: &self.friends,
            leaked: &self.leaked,
        }
    }

    /// The node as an executor.
    pub(super) fn acting(&mut self) -> Acting<'_> {
        let liar = self.liar();
        let hand = Hand {
            key: &self.key,
            owner: &self.owner,
            network: self.ledger.network(),
            ledger: &self.ledger,
            friends: &self.friends,
            leaked: &self.leaked,
        };
        Acting { worker: &mut self.worker, hand, liar, slowness: self.nature.slowness }
    }

    pub(super) fn crash(&mut self) {
        self.up = false;
        self.life += 1;
        self.worker = Worker::default();
        self.desk = Desk::default();
        self.leaked.clear();
    }
}

/// What the executors of a task claim, as the ledger holds it.
pub(crate) fn claims_in(agreements: &Agreements, task: TaskIndex) -> Vec<Claim> {
    let Some(agreed) = agreements.tasks.iter().find(|agreed| agreed.task == task) else {
        return Vec::new();
    };
    let mut claims = Vec::new();
    for batch in &agreements.reveals {
        let by = batch.statement.by;
        let passed = agreed.skipped.iter().any(|skip| skip.node == by);
        for leaf in batch.leaves.iter().filter(|leaf| leaf.task == task && !passed) {
            let commits = agreements.commits.iter().filter(|commits| commits.statement.by == by);
            let commit = commits.filter_map(|commits| commits.quote(task, leaf.attempt)).next();
            if let (Some(commit), Some(reveal)) = (commit, batch.quote(task, leaf.attempt)) {
                claims.push(Claim { commit, reveal });
            }
        }
    }
    claims.sort_by_key(Claim::node);
    claims
}
