//! The receipt of a job: one file with everything a stranger needs.
//!
//! The genesis inside is never trusted by itself: [`Receipt::verify`] compares its name with one
//! that the reader pins. Three things are reported apart: that these nodes of these owners signed,
//! that the ledger accepted it at some height, and (by whoever has the files) that bytes match.

use crate::{
    Admission, Agreements, Claim, Distinct, Error, Finality, Genesis, Header, Height, Job, JobId,
    Outcome, OutcomeDigest, Placement, RevealBatch, Settled, TaskIndex, TaskTable, Verdicts,
    dispute::verdicts_of,
    evidence::{owners_of, warnings_of},
    file,
    file::Damage,
    limits,
    merkle::Inclusion,
    packed::Packed,
    pieces,
    port::{Alone, Crew},
};
use identity::{Digest, NetworkId, PublicKey, Sign, Signed, canonical};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MAGIC: &[u8; 8] = b"POLITYR2";

/// Why a receipt was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt file, or cut short, or changed.
    #[error("not a whole receipt file: {0}")]
    Damaged(&'static str),
    /// The genesis inside is not the pinned one.
    #[error("the receipt is of network {found}, not of the pinned {pinned}")]
    OtherNetwork {
        /// What the reader pins.
        pinned: NetworkId,
        /// What the file says.
        found: NetworkId,
    },
    /// The task table is not the job's.
    #[error("the task table is not the one that the job was signed with")]
    Table,
    /// The seal is not the home's, or over something else.
    #[error("the receipt is not sealed by the job's home")]
    Seal,
    /// A part belongs to another job.
    #[error("part {0} belongs to another job")]
    OtherJob(usize),
    /// A task is settled twice, or both settled and unsettled, or not mentioned.
    #[error("task {0} is mentioned twice or not at all")]
    Coverage(TaskIndex),
    /// The outcome of a task is missing, or not the one that was agreed on.
    #[error("task {0}: the outcome is not the one that was agreed on")]
    Outcome(TaskIndex),
    /// An executor or the submitter has no voucher in the file.
    #[error("nothing in the file says whose {0} is")]
    Unvouched(PublicKey),
    /// Fewer owners than the job asks for.
    #[error("task {0}: executors of too few different owners")]
    Owners(TaskIndex),
    /// Something in the file that nothing refers to.
    #[error("the file holds a voucher or statement that nothing refers to")]
    Surplus,
    /// A disagreement that the statements in the file do not show.
    #[error("task {0}: no two reveals in the file disagree")]
    NoDissent(TaskIndex),
    /// A verdict that the validators' signatures in the file do not show, or another one.
    #[error("task {0}: the verdict that it rests on is not in the file")]
    NoVerdict(TaskIndex),
    /// A part does not hold.
    #[error("{0}")]
    Part(#[from] Error),
}

/// Agreements, and that the ledger accepted them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What was agreed on.
    pub agreements: Agreements,
    /// The block that holds it.
    pub header: Header,
    /// Where in the block.
    pub inclusion: Inclusion,
    /// Why the block is final.
    pub finality: Finality,
}

/// A task without agreement, and why: the home's word, except for a disagreement, which shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Unsettled {
    /// Replicas gave different outcomes, and there was no verdict yet.
    Dissent,
    /// Replicas gave different outcomes, and the validators could not decide.
    Undecided,
    /// A verdict refuted every replica.
    Refuted,
    /// The job expired first.
    Expired,
    /// Every candidate was asked and too few answered.
    NoCandidates,
    /// The submitter took it back.
    Cancelled,
    /// The ledger did not accept it.
    RefusedByLedger,
    /// The job was held until this one has ended well, which it did not.
    After(JobId),
    /// So many nodes had no result, or were lost with it, that nobody else is asked.
    Poison,
}

/// What was claimed about a task on which there is a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruled {
    /// The task.
    pub task: TaskIndex,
    /// What the validators found.
    pub outcome: OutcomeDigest,
    /// Claims of executors, sorted by node; at least one of them is refuted.
    pub claims: Vec<Claim>,
}

/// The content of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The network's genesis document.
    pub genesis: Genesis,
    /// The job.
    pub order: Signed<Job>,
    /// Its tasks.
    pub table: TaskTable,
    /// Admissions of executors and the submitter that the genesis does not name, sorted by key.
    pub vouchers: Vec<Signed<Admission>>,
    /// What each settled task gave, sorted by task.
    pub outcomes: Vec<Outcome>,
    /// The agreements, sorted by height.
    pub parts: Vec<Part>,
    /// Tasks without agreement, sorted.
    pub unsettled: Vec<(TaskIndex, Unsettled)>,
    /// Signed reveals that disagree, of tasks without a verdict.
    pub dissent: Vec<RevealBatch>,
    /// Tasks with a verdict, sorted.
    pub ruled: Vec<Ruled>,
    /// What validators found, as they signed it.
    pub verdicts: Vec<Signed<Verdicts>>,
}

/// The home's signature over a [`Body`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Digest of the body's canonical bytes.
    pub digest: Digest,
}

impl Sign for Seal {
    const DOMAIN: &'static str = "receipt";
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The content.
    pub body: Body,
    /// Sealed by the job's home, or by another node of the home's owner: whichever led its cluster.
    pub seal: Signed<Seal>,
}

/// What is true but less than a reader may think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// The reader pinned no network: anybody can make one.
    Unpinned,
    /// Fewer than four validators: no fault is tolerated.
    NoFaultTolerance,
    /// One replica: nothing was compared.
    Single,
}

/// One settled task in a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledTask {
    /// What it gave.
    pub outcome: OutcomeDigest,
    /// Node and owner of each replica that agrees.
    pub executors: Vec<(PublicKey, PublicKey)>,
    /// Height of the block that accepted it.
    pub height: Height,
    /// Whether it rests on a verdict of the validators instead of on enough replicas.
    pub decided: bool,
    /// Which executor the home chose by score; the others are drawn, as all are without one.
    pub first: Option<PublicKey>,
}

/// What a verified receipt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The network.
    pub network: NetworkId,
    /// The job.
    pub job: JobId,
    /// Who submitted it.
    pub submitter: PublicKey,
    /// Every settled task.
    pub settled: BTreeMap<TaskIndex, SettledTask>,
    /// Every other task.
    pub unsettled: BTreeMap<TaskIndex, Unsettled>,
    /// Node and owner of those that a verdict refutes, by task.
    pub refuted: BTreeMap<TaskIndex, Vec<(PublicKey, PublicKey)>>,
    /// How the executors were drawn.
    pub placement: Placement,
    /// What is less than a reader may think.
    pub warnings: Vec<Warning>,
}

impl Receipt {
    /// Seals a body with the home's key.
    pub fn seal(body: Body, network: NetworkId, home: &identity::SecretKey) -> Self {
        let digest = body.digest();
        Self { body, seal: Signed::new(Seal { digest }, network, home) }
    }

    /// The file: magic, canonical bytes without what can be computed, SHA-256 of both.
    pub fn encode(&self) -> Vec<u8> {
        file::encode(MAGIC, &Packed::of(self))
    }

    /// Reads a file. What it says is not checked yet.
    ///
    /// # Errors
    /// [`ReceiptError::Damaged`], or what does not decode.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        Self::decode_with(bytes, &Alone)
    }

    /// The same, with a crew that does a part of the work.
    ///
    /// # Errors
    /// [`ReceiptError::Damaged`], or what does not decode.
    pub fn decode_with(bytes: &[u8], crew: &dyn Crew) -> Result<Self, ReceiptError> {
        let packed: Packed =
            file::decode(MAGIC, bytes, limits::RECEIPT_BYTES).map_err(|damage| match damage {
                Damage::Form(reason) => ReceiptError::Damaged(reason),
                Damage::Content(error) => ReceiptError::Part(error.into()),
            })?;
        packed.open(crew).map_err(ReceiptError::Damaged)
    }

    /// Verifies everything that needs no files: no network, no clock, no trust in the sender.
    ///
    /// # Errors
    /// Something that does not hold.
    pub fn verify(&self, pinned: Option<NetworkId>) -> Result<Report, ReceiptError> {
        self.verify_with(pinned, &Alone)
    }

    /// The same, with a crew that does most of the work.
    ///
    /// # Errors
    /// Something that does not hold; the same for every crew.
    pub fn verify_with(
        &self,
        pinned: Option<NetworkId>,
        crew: &dyn Crew,
    ) -> Result<Report, ReceiptError> {
        let body = &self.body;
        let genesis = Genesis::decode(&body.genesis.encode())?;
        let network = genesis.network();
        if let Some(pinned) = pinned.filter(|pinned| *pinned != network) {
            return Err(ReceiptError::OtherNetwork { pinned, found: network });
        }
        Job::check(&body.order, network)?;
        let job = &body.order.payload;
        body.table.check()?;
        if body.table.cid() != job.table || body.table.len() != job.tasks as usize {
            return Err(ReceiptError::Table);
        }
        self.seal.check(network).map_err(Error::from)?;
        let other = body.parts.iter().position(|part| part.agreements.order != body.order);
        if let Some(number) = other {
            return Err(ReceiptError::OtherJob(number));
        }
        let checked = pieces::check(body, network, &genesis.validators, crew);
        let owners = body.owners(&genesis, network)?;
        let sealer = self.seal.by;
        // Or whoever led the home's cluster: a node of the same owner.
        let of_home = sealer == job.home
            || owners.get(&sealer).is_some_and(|owner| owners.get(&job.home) == Some(owner));
        if !of_home || self.seal.payload.digest != checked.digest {
            return Err(ReceiptError::Seal);
        }
        let settled = body.settled(checked.settled?, &genesis, &owners)?;
        let unsettled = body.unsettled(&settled, network)?;
        let refuted =
            body.refuted(&settled, &unsettled, (&genesis.validators, network), &owners)?;
        body.check_outcomes(&settled, &checked.outcomes)?;
        let sealed = [sealer, job.home].into_iter().filter(|_| sealer != job.home);
        body.check_vouchers(&settled, &refuted, sealed)?;
        Ok(Report {
            network,
            job: job.id(),
            submitter: body.order.by,
            settled,
            unsettled,
            refuted,
            placement: job.placement,
            warnings: body.warnings(pinned),
        })
    }
}

impl Body {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of("polity receipt", &[&canonical::encode(self)])
    }

    fn warnings(&self, pinned: Option<NetworkId>) -> Vec<Warning> {
        let mut warnings = warnings_of(&self.genesis, pinned);
        if self.order.payload.verification.k == 1 {
            warnings.push(Warning::Single);
        }
        warnings
    }

    /// Node to owner, for every node that the file vouches for.
    fn owners(
        &self,
        genesis: &Genesis,
        network: NetworkId,
    ) -> Result<BTreeMap<PublicKey, PublicKey>, ReceiptError> {
        if self.vouchers.windows(2).any(|pair| pair[0].by >= pair[1].by) {
            return Err(ReceiptError::Surplus);
        }
        Ok(owners_of(genesis, &self.vouchers, network)?)
    }

    /// Every settled task, of parts that hold: with the owners of its executors, of which there are
    /// enough different ones.
    fn settled(
        &self,
        parts: Vec<Vec<Settled>>,
        genesis: &Genesis,
        owners: &BTreeMap<PublicKey, PublicKey>,
    ) -> Result<BTreeMap<TaskIndex, SettledTask>, ReceiptError> {
        let mut settled = BTreeMap::new();
        for (part, tasks) in self.parts.iter().zip(parts) {
            for task in tasks {
                let of = |node: &PublicKey| {
                    let owner = owners.get(node).ok_or(ReceiptError::Unvouched(*node))?;
                    Ok((*node, *owner))
                };
                let executors: Vec<_> =
                    task.executors.iter().map(of).collect::<Result<_, ReceiptError>>()?;
                let apart = |(node, owner): &(PublicKey, PublicKey)| match genesis.params.distinct {
                    Distinct::Owners => *owner,
                    Distinct::Nodes => *node,
                };
                let distinct: BTreeSet<_> = executors.iter().map(apart).collect();
                let needed = if task.decided { 1 } else { self.order.payload.verification.k };
                if distinct.len() < usize::from(needed) {
                    return Err(ReceiptError::Owners(task.task));
                }
                let Settled { outcome, decided, first, .. } = task;
                let height = part.header.height;
                let entry = SettledTask { outcome, executors, height, decided, first };
                if settled.insert(task.task, entry).is_some() {
                    return Err(ReceiptError::Coverage(task.task));
                }
            }
        }
        Ok(settled)
    }

    fn unsettled(
        &self,
        settled: &BTreeMap<TaskIndex, SettledTask>,
        network: NetworkId,
    ) -> Result<BTreeMap<TaskIndex, Unsettled>, ReceiptError> {
        let mut unsettled = BTreeMap::new();
        for (task, why) in &self.unsettled {
            let outside = task.0 >= self.order.payload.tasks;
            let twice =
                settled.contains_key(task) || unsettled.insert(*task, why.clone()).is_some();
            if outside || twice {
                return Err(ReceiptError::Coverage(*task));
            }
        }
        let missing = (0..self.order.payload.tasks)
            .map(TaskIndex)
            .find(|task| !settled.contains_key(task) && !unsettled.contains_key(task));
        if let Some(task) = missing {
            return Err(ReceiptError::Coverage(task));
        }
        let id = self.order.payload.id();
        let shows = |why: &Unsettled| matches!(why, Unsettled::Dissent | Unsettled::Undecided);
        if !self.dissent.is_empty() && !unsettled.values().any(shows) {
            return Err(ReceiptError::Surplus);
        }
        let mut seen: BTreeMap<TaskIndex, BTreeSet<OutcomeDigest>> = BTreeMap::new();
        for batch in &self.dissent {
            batch.check(&id, network)?;
            for leaf in &batch.leaves {
                seen.entry(leaf.task).or_default().insert(leaf.outcome);
            }
        }
        for (task, why) in &unsettled {
            let differ = seen.get(task).is_some_and(|outcomes| outcomes.len() > 1);
            if shows(why) && !differ {
                return Err(ReceiptError::NoDissent(*task));
            }
        }
        Ok(unsettled)
    }

    /// Who is refuted: every ruled task has its verdict in the file, and somebody who claimed
    /// something else; what rests on a verdict has one.
    fn refuted(
        &self,
        settled: &BTreeMap<TaskIndex, SettledTask>,
        unsettled: &BTreeMap<TaskIndex, Unsettled>,
        (validators, network): (&[PublicKey], NetworkId),
        owners: &BTreeMap<PublicKey, PublicKey>,
    ) -> Result<BTreeMap<TaskIndex, Vec<(PublicKey, PublicKey)>>, ReceiptError> {
        let id = self.order.payload.id();
        let mut refuted = BTreeMap::new();
        let found = verdicts_of(&self.verdicts, &id, network, validators)?;
        for Ruled { task, outcome, claims } in &self.ruled {
            let other = settled.get(task).is_some_and(|agreed| agreed.outcome != *outcome);
            if other || found.get(task) != Some(outcome) {
                return Err(ReceiptError::NoVerdict(*task));
            }
            if claims.windows(2).any(|pair| pair[0].node() >= pair[1].node()) {
                return Err(ReceiptError::Surplus);
            }
            let mut others = Vec::new();
            for claim in claims {
                if claim.check(&id, *task, network)? != *outcome {
                    let node = claim.node();
                    let owner = owners.get(&node).ok_or(ReceiptError::Unvouched(node))?;
                    others.push((node, *owner));
                }
            }
            if others.is_empty() || refuted.insert(*task, others).is_some() {
                return Err(ReceiptError::Surplus);
            }
        }
        let rests = settled.iter().filter(|(_, agreed)| agreed.decided).map(|(task, _)| task);
        let lost = unsettled.iter().filter(|(_, why)| **why == Unsettled::Refuted);
        let missing = rests.chain(lost.map(|(task, _)| task)).find(|t| !refuted.contains_key(t));
        match missing {
            Some(task) => Err(ReceiptError::NoVerdict(*task)),
            None if self.ruled.is_empty() && !self.verdicts.is_empty() => {
                Err(ReceiptError::Surplus)
            }
            None => Ok(refuted),
        }
    }

    fn check_outcomes(
        &self,
        settled: &BTreeMap<TaskIndex, SettledTask>,
        digests: &[OutcomeDigest],
    ) -> Result<(), ReceiptError> {
        let id = self.order.payload.id();
        if self.outcomes.len() != settled.len() {
            return Err(ReceiptError::Surplus);
        }
        let outcomes = self.outcomes.iter().zip(digests);
        for ((task, agreed), (outcome, digest)) in settled.iter().zip(outcomes) {
            let same = outcome.task == *task
                && outcome.job == id
                && *digest == agreed.outcome
                && outcome.fingerprint == self.order.payload.engine
                && outcome.check().is_ok();
            if !same {
                return Err(ReceiptError::Outcome(*task));
            }
        }
        Ok(())
    }

    /// The submitter is vouched for, and nothing is in the file that nobody needs.
    fn check_vouchers(
        &self,
        settled: &BTreeMap<TaskIndex, SettledTask>,
        refuted: &BTreeMap<TaskIndex, Vec<(PublicKey, PublicKey)>>,
        sealed: impl Iterator<Item = PublicKey>,
    ) -> Result<(), ReceiptError> {
        let submitter = self.order.by;
        let founders = self.genesis.founders.iter().map(|founder| founder.by);
        let vouched = self.vouchers.iter().map(|voucher| voucher.payload.voucher.payload.owner);
        if !founders.chain(vouched).any(|owner| owner == submitter) {
            return Err(ReceiptError::Unvouched(submitter));
        }
        let executors = settled.values().flat_map(|task| &task.executors);
        let named = executors.chain(refuted.values().flatten());
        let used: BTreeSet<_> = named.map(|(node, _)| *node).chain(sealed).collect();
        let needed = |voucher: &Signed<Admission>| {
            let said = &voucher.payload.voucher.payload;
            used.contains(&said.node) || said.owner == submitter
        };
        if self.vouchers.iter().all(needed) { Ok(()) } else { Err(ReceiptError::Surplus) }
    }
}
