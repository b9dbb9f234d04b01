//! Disputes and verdicts: different outcomes of one task by different keys, and what the
//! validators found by running the task again.
//!
//! A dispute proves nobody guilty, whatever the majority. Validators run the task again, outside
//! the voting path and within the job's fuel, and sign what they found. Equal findings of a quorum
//! are the verdict, and refute whoever claimed another outcome: the same trust as in the ledger.

use crate::{
    Certificate, CommitQuote, Error, Height, Job, JobId, OutcomeDigest, RevealQuote, TaskIndex,
    commitment_of, limits,
};
use identity::{Digest, NetworkId, PublicKey, Sign, Signed};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the dispute about a task: there is one for each task at most.
pub fn dispute_name(job: &JobId, task: TaskIndex) -> Digest {
    Digest::of("polity dispute", &[&job.0.to_bytes(), &task.0.to_be_bytes()])
}

/// A node's outcome of a replica: its commitment, and the reveal that opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The commitment.
    pub commit: CommitQuote,
    /// What opens it.
    pub reveal: RevealQuote,
}

impl Claim {
    /// Who claims.
    pub fn node(&self) -> PublicKey {
        self.commit.by()
    }

    /// Checks both statements, that they are of one key about one replica of this task, and that
    /// the reveal opens the commitment.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(
        &self,
        job: &JobId,
        task: TaskIndex,
        network: NetworkId,
    ) -> Result<OutcomeDigest, Error> {
        let Self { commit, reveal } = self;
        commit.check(network)?;
        reveal.check(network)?;
        let same = commit.by() == reveal.by()
            && commit.job() == *job
            && reveal.job() == *job
            && commit.leaf.task == task
            && reveal.leaf.task == task
            && commit.leaf.attempt == reveal.leaf.attempt;
        if !same {
            return Err(Error::invalid("claim", "its statements are about different replicas"));
        }
        if commitment_of(&commit.by(), &reveal.leaf.salt, &reveal.leaf.outcome)
            != commit.leaf.hidden
        {
            return Err(Error::invalid("claim", "the reveal does not open the commitment"));
        }
        Ok(reveal.leaf.outcome)
    }
}

/// What a node found that ran a final task again because the draw of the audit named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// What it gave.
    pub outcome: OutcomeDigest,
}

impl Sign for Audit {
    const DOMAIN: &'static str = "audit";
}

/// Different outcomes of one task by different keys. Signed by the node that files it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    /// The job, signed by its submitter.
    pub order: Signed<Job>,
    /// Height of the block whose beacon drew the executors.
    pub drawn: Height,
    /// The task.
    pub task: TaskIndex,
    /// What executors claim, sorted by node, all different.
    pub claims: Vec<Claim>,
    /// What auditors claim, sorted by node, all different.
    pub audits: Vec<Signed<Audit>>,
}

impl Sign for Dispute {
    const DOMAIN: &'static str = "dispute";
}

/// What the nodes of a dispute claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Executors and their outcomes.
    pub executors: BTreeMap<PublicKey, OutcomeDigest>,
    /// Auditors and their outcomes.
    pub auditors: BTreeMap<PublicKey, OutcomeDigest>,
}

impl Claimed {
    /// Everybody's outcome. Who claims twice, as executor and as auditor, is named by both.
    pub fn all(&self) -> impl Iterator<Item = (PublicKey, OutcomeDigest)> + '_ {
        self.executors.iter().chain(&self.auditors).map(|(node, outcome)| (*node, *outcome))
    }
}

impl Dispute {
    /// Checks everything that can be seen without the ledger's state: signatures, openings, that
    /// the claims are about this task and that they differ.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(dispute: &Signed<Self>, network: NetworkId) -> Result<Claimed, Error> {
        dispute.check(network)?;
        dispute.payload.check_claims(network)
    }

    /// The same without the signature of who files it.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_claims(&self, network: NetworkId) -> Result<Claimed, Error> {
        let wrong = |reason: &str| Err(Error::invalid("dispute", reason));
        Job::check(&self.order, network)?;
        if self.task.0 >= self.order.payload.tasks {
            return wrong("the job has no such task");
        }
        let many = usize::from(limits::REPLICAS);
        if self.claims.len() > many || self.audits.len() > many {
            return wrong("more claims than a task can have");
        }
        let nodes: Vec<_> = self.claims.iter().map(Claim::node).collect();
        let auditors: Vec<_> = self.audits.iter().map(|audit| audit.by).collect();
        if !is_sorted(&nodes) || !is_sorted(&auditors) {
            return wrong("claims repeat, or are out of order");
        }
        let id = self.order.payload.id();
        let mut claimed = Claimed::default();
        for claim in &self.claims {
            let outcome = claim.check(&id, self.task, network)?;
            claimed.executors.insert(claim.node(), outcome);
        }
        for audit in &self.audits {
            audit.check(network)?;
            if audit.payload.job != id || audit.payload.task != self.task {
                return wrong("an audit is about another task");
            }
            claimed.auditors.insert(audit.by, audit.payload.outcome);
        }
        let different: BTreeSet<_> = claimed.all().map(|(_, outcome)| outcome).collect();
        if different.len() < 2 { wrong("nobody disagrees") } else { Ok(claimed) }
    }
}

fn is_sorted(nodes: &[PublicKey]) -> bool {
    nodes.windows(2).all(|pair| pair[0] < pair[1])
}

/// What a validator found by running a disputed task again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RulingTuple", into = "RulingTuple")]
pub struct Ruling {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// What it gave; nothing if it could not be run, for instance for lack of inputs.
    pub outcome: Option<OutcomeDigest>,
}

type RulingTuple = (JobId, TaskIndex, Option<OutcomeDigest>);

impl From<RulingTuple> for Ruling {
    fn from((job, task, outcome): RulingTuple) -> Self {
        Self { job, task, outcome }
    }
}

impl From<Ruling> for RulingTuple {
    fn from(r: Ruling) -> Self {
        (r.job, r.task, r.outcome)
    }
}

/// Rulings of one validator under one signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdicts {
    /// The rulings, sorted by job and task, all different.
    pub rulings: Vec<Ruling>,
}

impl Sign for Verdicts {
    const DOMAIN: &'static str = "verdicts";
}

impl Verdicts {
    /// Signs rulings. They are sorted here.
    pub fn sign(
        mut rulings: Vec<Ruling>,
        network: NetworkId,
        key: &identity::SecretKey,
    ) -> Signed<Self> {
        rulings.sort_by_key(|ruling| (ruling.job, ruling.task));
        Signed::new(Self { rulings }, network, key)
    }

    /// Checks signature, bounds and order.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(verdicts: &Signed<Self>, network: NetworkId) -> Result<(), Error> {
        verdicts.check(network)?;
        let rulings = &verdicts.payload.rulings;
        let place = |ruling: &Ruling| (ruling.job, ruling.task);
        let sorted = rulings.windows(2).all(|pair| place(&pair[0]) < place(&pair[1]));
        if sorted && (1..=limits::RULINGS).contains(&rulings.len()) {
            Ok(())
        } else {
            Err(Error::invalid("verdicts", "none, too many, repeated or out of order"))
        }
    }

    /// What these verdicts say about a task.
    pub fn on(&self, job: &JobId, task: TaskIndex) -> Option<&Ruling> {
        let place = |ruling: &Ruling| (ruling.job, ruling.task);
        let found = self.rulings.binary_search_by_key(&(*job, task), place).ok()?;
        self.rulings.get(found)
    }
}

/// What a quorum of different validators found about each task of a job. The validators are the
/// caller's: pinned, never taken from where the verdicts come from.
///
/// # Errors
/// If verdicts do not hold, or are of no validator.
pub(crate) fn verdicts_of<'a>(
    verdicts: impl IntoIterator<Item = &'a Signed<Verdicts>>,
    job: &JobId,
    network: NetworkId,
    validators: &[PublicKey],
) -> Result<BTreeMap<TaskIndex, OutcomeDigest>, Error> {
    let mut found: BTreeMap<(TaskIndex, OutcomeDigest), BTreeSet<PublicKey>> = BTreeMap::new();
    for verdict in verdicts {
        Verdicts::check(verdict, network)?;
        if !validators.contains(&verdict.by) {
            return Err(Error::invalid("verdicts", "signed by no validator"));
        }
        for ruling in verdict.payload.rulings.iter().filter(|ruling| ruling.job == *job) {
            if let Some(outcome) = ruling.outcome {
                found.entry((ruling.task, outcome)).or_default().insert(verdict.by);
            }
        }
    }
    let quorum = Certificate::quorum(validators.len());
    let decided = found.into_iter().filter(|(_, signers)| signers.len() >= quorum);
    Ok(decided.map(|(place, _)| place).collect())
}
