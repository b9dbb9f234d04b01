//! Disputes, evidence and sanctions as they are handed out.

use identity::{Digest, PublicKey};
use protocol::{
    Cause, Finding, Height, JobId, OutcomeDigest, Right, Sanction, TaskIndex, Time, dispute_name,
};
use serde::{Deserialize, Serialize};

/// How far the dispute about a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum DisputeState {
    /// Outcomes differ; the ledger has not taken the dispute yet.
    Filed {
        /// Why the ledger refused it the last time, if it did.
        refused: Option<String>,
    },
    /// Validators run the task again.
    Open {
        /// The block that opened it.
        opened: Height,
        /// Until when they may decide (block time).
        deadline: Time,
        /// Validators that have ruled.
        rulings: u32,
        /// How many of them must find the same.
        quorum: u32,
        /// How many validators there are.
        validators: u32,
    },
    /// A quorum of them found the same.
    Decided {
        /// What they found.
        outcome: OutcomeDigest,
        /// The block that completed the quorum; a receipt alone does not tell it.
        height: Option<Height>,
        /// The nodes that claimed something else.
        refuted: Vec<PublicKey>,
    },
    /// They could not decide: nobody is sanctioned.
    Undecided {
        /// The block that ended it; a receipt alone does not tell it.
        height: Option<Height>,
    },
}

/// What somebody says about a disputed task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimInfo {
    /// The node.
    pub node: PublicKey,
    /// Its owner.
    pub owner: PublicKey,
    /// What the owner calls itself; no proof of anything.
    pub owner_name: String,
    /// What it claims; nothing if a validator could not run the task.
    pub outcome: Option<OutcomeDigest>,
}

/// The dispute about one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeInfo {
    /// Its name, which is that of its evidence too: [`dispute_name`].
    pub id: Digest,
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The owner whose node filed it first.
    pub filer: PublicKey,
    /// The block that opened it.
    pub opened: Height,
    /// Whether the task was final before.
    pub after_final: bool,
    /// What executors and auditors claim.
    pub claims: Vec<ClaimInfo>,
    /// What validators found.
    pub rulings: Vec<ClaimInfo>,
    /// How far it is.
    pub state: DisputeState,
}

/// A right that an owner lost for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRight {
    /// Which.
    pub right: Right,
    /// Until when (block time).
    pub until: Time,
}

/// A sanction on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SanctionInfo {
    /// As the ledger holds it.
    pub sanction: Sanction,
    /// What the owner calls itself; no proof of anything.
    pub owner_name: String,
    /// The evidence, by its id; none for disputes and accusations that failed.
    pub evidence: Option<Digest>,
}

impl SanctionInfo {
    /// Describes a sanction.
    pub fn of(sanction: Sanction, owner_name: String) -> Self {
        let evidence = evidence_id(&sanction.finding);
        Self { sanction, owner_name, evidence }
    }
}

/// Something that is proven against a node, and for which there is an evidence file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceInfo {
    /// The evidence file's name here. Nodes that one verdict refutes share it.
    pub id: Digest,
    /// What is proven.
    pub finding: Finding,
    /// What the owner calls itself; no proof of anything.
    pub owner_name: String,
}

impl EvidenceInfo {
    /// Describes a finding; nothing if there is no evidence file for its cause.
    pub fn of(finding: Finding, owner_name: String) -> Option<Self> {
        Some(Self { id: evidence_id(&finding)?, finding, owner_name })
    }
}

/// The name of the evidence for a finding: that of the dispute for a claim that a verdict refutes,
/// the digest of the accusing transaction for a contradiction. Failed disputes have none.
pub fn evidence_id(finding: &Finding) -> Option<Digest> {
    match &finding.cause {
        Cause::Refuted { job, task } => Some(dispute_name(job, *task)),
        Cause::Unfounded { .. } => None,
        Cause::Commits { .. }
        | Cause::Reveals { .. }
        | Cause::Opening { .. }
        | Cause::Verdicts { .. }
        | Cause::Votes { .. } => Some(finding.tx),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    fn finding(cause: Cause) -> Finding {
        let (node, owner) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let tx = Digest([3; 32]);
        Finding { node, owner, cause, tx, height: Height(4), time: Time(5) }
    }

    #[test]
    fn nodes_that_one_verdict_refutes_share_its_evidence_and_failures_have_none() {
        let (job, task) = (JobId(Cid::of(Codec::DagCbor, b"job")), TaskIndex(7));
        let refuted = finding(Cause::Refuted { job, task });
        let named = EvidenceInfo::of(refuted, "lab".into()).unwrap();
        assert_eq!(named.id, dispute_name(&job, task));
        let votes = finding(Cause::Votes { epoch: 0, view: 9 });
        assert_eq!(evidence_id(&votes), Some(Digest([3; 32])));
        let failed = finding(Cause::Unfounded { failed: 3 });
        assert_eq!(EvidenceInfo::of(failed, "lab".into()), None);
    }

    #[test]
    fn every_state_of_a_dispute_comes_back() {
        let job = JobId(Cid::of(Codec::DagCbor, b"job"));
        let outcome = OutcomeDigest(Digest([8; 32]));
        let states = [
            DisputeState::Filed { refused: Some("the chain is full".into()) },
            DisputeState::Open {
                opened: Height(1),
                deadline: Time(2),
                rulings: 3,
                quorum: 4,
                validators: 5,
            },
            DisputeState::Decided { outcome, height: None, refuted: vec![PublicKey([1; 32])] },
            DisputeState::Undecided { height: Some(Height(9)) },
        ];
        for state in states {
            let dispute = DisputeInfo {
                id: dispute_name(&job, TaskIndex(0)),
                job,
                task: TaskIndex(0),
                filer: PublicKey([1; 32]),
                opened: Height(1),
                after_final: false,
                claims: Vec::new(),
                rulings: Vec::new(),
                state,
            };
            let json = serde_json::to_string(&dispute).unwrap();
            assert_eq!(serde_json::from_str::<DisputeInfo>(&json).unwrap(), dispute, "{json}");
        }
    }
}
