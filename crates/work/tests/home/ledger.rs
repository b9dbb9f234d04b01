//! A ledger that checks what a ledger checks, and remembers; with validators that rule on disputes.

use crate::worker::outcome_of;
use identity::{Digest, NetworkId, PublicKey};
use protocol::{
    Agreements, Dispute, Height, JobId, OutcomeDigest, Roster, Settled, TaskIndex, Time, Tx,
    draw::{self, SkipReason},
    limits,
};
use std::collections::{BTreeMap, BTreeSet};
use work::Input;

/// What the validators do about disputes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validators {
    /// They rule at once, and find what an honest worker does.
    Prompt,
    /// They have not ruled yet.
    Slow,
    /// They cannot decide.
    Unable,
    /// The ledger takes no dispute of this home's.
    Refusing,
}

/// A dispute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) claims: BTreeMap<PublicKey, OutcomeDigest>,
    /// What was ruled, once it was.
    pub(crate) ruling: Option<Option<OutcomeDigest>>,
    /// How often it was filed.
    pub(crate) filed: usize,
}

/// What was accepted.
pub(crate) struct Ledger {
    pub(crate) network: NetworkId,
    pub(crate) height: Height,
    pub(crate) validators: Validators,
    /// The latest.
    pub(crate) roster: Roster,
    /// Beacon and roster that drew each job.
    pub(crate) draws: BTreeMap<JobId, (Height, Digest, Roster)>,
    pub(crate) finals: BTreeMap<(JobId, TaskIndex), Settled>,
    pub(crate) accepted: BTreeMap<Digest, Height>,
    pub(crate) cases: BTreeMap<(JobId, TaskIndex), Case>,
    pub(crate) largest_bytes: usize,
}

impl Ledger {
    pub(crate) fn new(network: NetworkId, roster: Roster) -> Self {
        Self {
            network,
            height: Height(10),
            validators: Validators::Prompt,
            roster,
            draws: BTreeMap::new(),
            finals: BTreeMap::new(),
            accepted: BTreeMap::new(),
            cases: BTreeMap::new(),
            largest_bytes: 0,
        }
    }

    /// Remembers what draws a job; what was said first counts.
    pub(crate) fn draw(&mut self, job: JobId, beacon: Digest) -> (Height, Digest, Roster) {
        let drawn = (self.height.next(), beacon, self.roster.clone());
        self.draws.entry(job).or_insert(drawn).clone()
    }

    /// Takes a dispute, which must hold; gives what the home is told.
    pub(crate) fn dispute(&mut self, dispute: &Dispute) -> Vec<Input> {
        let claimed = dispute.check_claims(self.network).expect("a dispute holds");
        let (job, task) = (dispute.order.payload.id(), dispute.task);
        let (drawn, beacon, roster) = &self.draws[&job];
        assert_eq!(dispute.drawn, *drawn);
        let candidates = draw::candidates(beacon, &job, task, roster);
        assert!(claimed.executors.keys().all(|node| candidates.iter().any(|c| c.node == *node)));
        if self.validators == Validators::Refusing && !self.cases.contains_key(&(job, task)) {
            return vec![Input::DisputeRefused { job, task, reason: "too much fuel".into() }];
        }
        let case = self.cases.entry((job, task)).or_default();
        case.filed += 1;
        for (node, outcome) in claimed.executors {
            case.claims.entry(node).or_insert(outcome);
        }
        if case.ruling.is_none() {
            case.ruling = match self.validators {
                Validators::Prompt => Some(Some(outcome_of(job, task, 0).digest())),
                Validators::Unable => Some(None),
                Validators::Slow | Validators::Refusing => None,
            };
        }
        let Some(outcome) = case.ruling else { return vec![] };
        let mut said = vec![];
        if let Some(outcome) = outcome {
            let lied = case.claims.iter().filter(|(_, claim)| **claim != outcome);
            let liars: Vec<_> = lied.map(|(node, _)| *node).collect();
            said.extend(liars.iter().filter_map(|node| self.bar(node)));
        }
        said.push(Input::Ruled { job, task, outcome });
        said
    }

    /// Sanctions the owner of a node, unless it is sanctioned already.
    pub(crate) fn bar(&mut self, node: &PublicKey) -> Option<Input> {
        let owner = self.roster.node(node).expect("it is admitted").owner;
        if self.roster.owner(&owner).expect("it is admitted").barred.is_some() {
            return None;
        }
        self.roster.bar(&owner, Some(Time(u64::MAX)));
        self.height = self.height.next();
        Some(Input::Roster { height: self.height, roster: self.roster.clone() })
    }

    /// The nodes that a verdict refutes.
    pub(crate) fn refuted(&self, job: JobId, task: u32) -> BTreeSet<PublicKey> {
        let Some(case) = self.cases.get(&(job, TaskIndex(task))) else { return BTreeSet::new() };
        let Some(Some(outcome)) = case.ruling else { return BTreeSet::new() };
        case.claims.iter().filter(|(_, said)| **said != outcome).map(|(node, _)| *node).collect()
    }

    /// Orders a transaction; false if it must come again later. A home never publishes one that
    /// does not hold.
    pub(crate) fn order(&mut self, agreements: &Agreements) -> bool {
        let tx = Tx::Agree(Box::new(agreements.clone()));
        if self.accepted.contains_key(&tx.digest()) {
            return true;
        }
        let size_bytes = tx.encode().len();
        self.largest_bytes = self.largest_bytes.max(size_bytes);
        assert!(size_bytes <= limits::TX_BYTES, "{size_bytes} bytes");
        let job = agreements.order.payload.id();
        let settled = agreements.check(self.network).expect("agreements hold");
        let open = |task: &Settled| {
            self.cases.get(&(job, task.task)).is_some_and(|case| case.ruling.is_none())
        };
        if settled.iter().any(open) {
            return false;
        }
        let (drawn, beacon, roster) = self.draws[&job].clone();
        assert_eq!(agreements.drawn, drawn);
        for task in settled {
            let candidates = draw::candidates(&beacon, &job, task.task, &roster);
            self.check(&task, &candidates, usize::from(agreements.order.payload.verification.k));
            self.check_dispute(job, &task);
            let before = self.finals.insert((job, task.task), task);
            assert_eq!(before, None, "a task is agreed on once");
        }
        let sorted = |roots: Vec<Digest>| roots.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(sorted(agreements.commits.iter().map(|b| b.statement.payload.root).collect()));
        assert!(sorted(agreements.reveals.iter().map(|b| b.statement.payload.root).collect()));
        self.height = self.height.next();
        self.accepted.insert(tx.digest(), self.height);
        true
    }

    /// The executors are those of the draw.
    fn check(&self, task: &Settled, candidates: &[draw::Candidate], k: usize) {
        let is_candidate = |node: &PublicKey| candidates.iter().any(|c| c.node == *node);
        let fair = match task.first {
            _ if task.decided => task.executors.iter().all(is_candidate),
            None => draw::is_fair(candidates, &task.skipped, &task.executors),
            Some(first) => draw::is_fair_beside(&first, candidates, &task.skipped, &task.executors),
        };
        assert!(fair, "{task:?} of {candidates:?}");
        let barred = self.roster.barred_parties();
        let sanctioned = task.skipped.iter().filter(|s| s.reason == SkipReason::Sanctioned);
        for skip in sanctioned {
            let party = self.roster.party_of_node(&skip.node).expect("it is admitted");
            assert!(barred.contains(&party), "{:?} is not sanctioned", skip.node);
        }
        let party = |node| self.roster.party_of_node(node).expect("it is admitted");
        let parties: BTreeSet<_> = task.executors.iter().map(party).collect();
        assert_eq!(parties.len(), task.executors.len());
        assert!(parties.len() >= if task.decided { 1 } else { k });
    }

    /// What is disputed is agreed on only as the verdict says.
    fn check_dispute(&self, job: JobId, task: &Settled) {
        match self.cases.get(&(job, task.task)).and_then(|case| case.ruling) {
            Some(ruling) => assert_eq!(ruling, Some(task.outcome), "the verdict counts"),
            None => assert!(!task.decided, "there is no verdict"),
        }
    }
}
