//! The evidence file: what convinces a stranger that a node lied, without asking anybody.

use crate::{
    Admission, Cause, Contradiction, Dispute, Error, Genesis, JobId, OutcomeDigest, TaskIndex,
    TaskTable, Verdicts, Warning, dispute::verdicts_of, file, file::Damage, limits,
};
use identity::{NetworkId, PublicKey, Signed};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MAGIC: &[u8; 8] = b"POLITYE1";

/// Why an evidence file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not an evidence file, or cut short, or changed.
    #[error("not a whole evidence file: {0}")]
    Damaged(&'static str),
    /// The genesis inside is not the pinned one.
    #[error("the evidence is of network {found}, not of the pinned {pinned}")]
    OtherNetwork {
        /// What the reader pins.
        pinned: NetworkId,
        /// What the file says.
        found: NetworkId,
    },
    /// The accused has no voucher in the file.
    #[error("nothing in the file says whose {0} is")]
    Unvouched(PublicKey),
    /// Disputes of several tasks, or none.
    #[error("the disputes in the file are not about one task")]
    Tasks,
    /// The task table is not the job's.
    #[error("the task table is not the one that the job was signed with")]
    Table,
    /// No quorum of validators found the same.
    #[error("no quorum of the validators found the same")]
    NoVerdict,
    /// The verdict refutes nobody.
    #[error("the verdict refutes nobody in the file")]
    NobodyRefuted,
    /// A contradiction that only a validator can be guilty of.
    #[error("{0} is no validator")]
    NoValidator(PublicKey),
    /// A part does not hold.
    #[error("{0}")]
    Part(#[from] Error),
}

/// A dispute about one task with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// The job's tasks: what is to be run again.
    pub table: TaskTable,
    /// Who claims what, as it was filed.
    pub disputes: Vec<Signed<Dispute>>,
    /// What validators found.
    pub verdicts: Vec<Signed<Verdicts>>,
}

/// What proves that somebody lied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// Two statements by one key.
    Contradiction(Box<Contradiction>),
    /// Different outcomes by different keys, and a verdict.
    Verdict(Box<Decided>),
}

/// An evidence file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The network's genesis document; never trusted by itself.
    pub genesis: Genesis,
    /// Admissions of those it names that the genesis does not, sorted by key.
    pub vouchers: Vec<Signed<Admission>>,
    /// The proof.
    pub proof: Proof,
}

/// A node that is proven to have lied, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accused {
    /// The node.
    pub node: PublicKey,
    /// Its owner.
    pub owner: PublicKey,
    /// What it did.
    pub cause: Cause,
    /// The outcome that it claimed, if a verdict refutes it.
    pub claimed: Option<OutcomeDigest>,
}

/// What a verified evidence file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceReport {
    /// The network.
    pub network: NetworkId,
    /// Everybody who is proven to have lied.
    pub accused: Vec<Accused>,
    /// The disputed task and the outcome that the validators found, if there is a verdict.
    pub verdict: Option<(JobId, TaskIndex, OutcomeDigest)>,
    /// Those who claimed what the validators found: node and owner.
    pub confirmed: Vec<(PublicKey, PublicKey)>,
    /// What is less than a reader may think.
    pub warnings: Vec<Warning>,
}

impl Evidence {
    /// Whether bytes begin like an evidence file.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// The file: magic, canonical bytes, SHA-256 of both.
    pub fn encode(&self) -> Vec<u8> {
        file::encode(MAGIC, self)
    }

    /// Reads a file. What it says is not checked yet.
    ///
    /// # Errors
    /// [`EvidenceError::Damaged`], or what does not decode.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        file::decode(MAGIC, bytes, limits::EVIDENCE_BYTES).map_err(|damage| match damage {
            Damage::Form(reason) => EvidenceError::Damaged(reason),
            Damage::Content(error) => EvidenceError::Part(error.into()),
        })
    }

    /// Verifies everything: no network, no clock, no trust in the sender.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, pinned: Option<NetworkId>) -> Result<EvidenceReport, EvidenceError> {
        let genesis = Genesis::decode(&self.genesis.encode())?;
        let network = genesis.network();
        if let Some(pinned) = pinned.filter(|pinned| *pinned != network) {
            return Err(EvidenceError::OtherNetwork { pinned, found: network });
        }
        let owners = owners_of(&genesis, &self.vouchers, network)?;
        let owner_of =
            |node: PublicKey| owners.get(&node).copied().ok_or(EvidenceError::Unvouched(node));
        let mut report = EvidenceReport {
            network,
            accused: Vec::new(),
            verdict: None,
            confirmed: Vec::new(),
            warnings: warnings_of(&genesis, pinned),
        };
        match &self.proof {
            Proof::Contradiction(contradiction) => {
                let (node, cause) = contradiction.check(network)?;
                let of_validators = matches!(cause, Cause::Votes { .. } | Cause::Verdicts { .. });
                if of_validators && !genesis.validators.contains(&node) {
                    return Err(EvidenceError::NoValidator(node));
                }
                let owner = owner_of(node)?;
                report.accused.push(Accused { node, owner, cause, claimed: None });
            }
            Proof::Verdict(decided) => {
                let (job, task, found) = decided.verdict(&genesis, network)?;
                for (node, outcome) in decided.claims(network)? {
                    let owner = owner_of(node)?;
                    if outcome == found {
                        report.confirmed.push((node, owner));
                    } else {
                        let (cause, claimed) = (Cause::Refuted { job, task }, Some(outcome));
                        report.accused.push(Accused { node, owner, cause, claimed });
                    }
                }
                for (node, outcome) in decided.dissent(&job, task, found) {
                    let owner = owner_of(node)?;
                    let known =
                        |other: &Accused| (other.node, other.claimed) == (node, Some(outcome));
                    if !report.accused.iter().any(known) {
                        let (cause, claimed) = (Cause::Refuted { job, task }, Some(outcome));
                        report.accused.push(Accused { node, owner, cause, claimed });
                    }
                }
                if report.accused.is_empty() {
                    return Err(EvidenceError::NobodyRefuted);
                }
                report.verdict = Some((job, task, found));
            }
        }
        Ok(report)
    }
}

impl Decided {
    /// What a quorum of the validators found.
    fn verdict(
        &self,
        genesis: &Genesis,
        network: NetworkId,
    ) -> Result<(JobId, TaskIndex, OutcomeDigest), EvidenceError> {
        let first = &self.disputes.first().ok_or(EvidenceError::Tasks)?.payload;
        let (order, task) = (&first.order, first.task);
        let one = |d: &Signed<Dispute>| d.payload.order == *order && d.payload.task == task;
        if !self.disputes.iter().all(one) {
            return Err(EvidenceError::Tasks);
        }
        let job = &order.payload;
        self.table.check()?;
        if self.table.cid() != job.table || self.table.len() != job.tasks as usize {
            return Err(EvidenceError::Table);
        }
        let id = job.id();
        let found = verdicts_of(&self.verdicts, &id, network, &genesis.validators)?;
        Ok((id, task, *found.get(&task).ok_or(EvidenceError::NoVerdict)?))
    }

    /// Validators that found something else than the quorum did, as they signed it.
    fn dissent(
        &self,
        job: &JobId,
        task: TaskIndex,
        found: OutcomeDigest,
    ) -> BTreeSet<(PublicKey, OutcomeDigest)> {
        let ruled = |verdict: &Signed<Verdicts>| {
            let outcome = verdict.payload.on(job, task)?.outcome?;
            (outcome != found).then_some((verdict.by, outcome))
        };
        self.verdicts.iter().filter_map(ruled).collect()
    }

    /// Everybody's claim. A node that claims several outcomes is named for each.
    fn claims(
        &self,
        network: NetworkId,
    ) -> Result<BTreeSet<(PublicKey, OutcomeDigest)>, EvidenceError> {
        let mut all = BTreeSet::new();
        for dispute in &self.disputes {
            all.extend(Dispute::check(dispute, network)?.all());
        }
        Ok(all)
    }
}

/// Node to owner, for founders and for every node that these admissions vouch for.
pub(crate) fn owners_of(
    genesis: &Genesis,
    vouchers: &[Signed<Admission>],
    network: NetworkId,
) -> Result<BTreeMap<PublicKey, PublicKey>, Error> {
    let founders = genesis.founders.iter().map(|founder| (founder.payload.node, founder.by));
    let mut owners: BTreeMap<_, _> = founders.collect();
    for voucher in vouchers {
        Admission::check(voucher, network)?;
        let said = &voucher.payload.voucher.payload;
        // The ledger admits a node once. Else whoever has a node's key could give its word another
        // owner after the fact.
        if owners.insert(said.node, said.owner).is_some() {
            let reason = format!("{} has an owner already", said.node);
            return Err(Error::invalid("voucher", reason));
        }
    }
    Ok(owners)
}

/// What every reader should know about a network.
pub(crate) fn warnings_of(genesis: &Genesis, pinned: Option<NetworkId>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if pinned.is_none() {
        warnings.push(Warning::Unpinned);
    }
    if genesis.tolerated_faults() == 0 {
        warnings.push(Warning::NoFaultTolerance);
    }
    warnings
}
