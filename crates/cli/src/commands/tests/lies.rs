//! Lies in the polity in memory: claims, disputes, verdicts and evidence, all with real signatures.

use api::{ClaimInfo, DisputeInfo, DisputeState, EvidenceInfo, SanctionInfo};
use identity::{Digest, NetworkId, SecretKey, Signed};
use protocol::{
    Attempt, Cause, Claim, CommitBatch, Commitment, Contradiction, Decided, Dispute, Evidence,
    Finding, Genesis, Height, Job, JobId, Outcome, OutcomeDigest, Proof, Reveal, RevealBatch,
    Ruled, Ruling, Salt, Sanction, TaskIndex, TaskTable, Time, Verdicts, commitment_of,
    dispute_name,
};

/// A task about which the last node lied.
#[derive(Clone)]
pub(crate) struct Lie {
    job: JobId,
    pub(crate) task: TaskIndex,
    pub(crate) truth: OutcomeDigest,
    table: TaskTable,
    dispute: Signed<Dispute>,
    pub(crate) verdicts: Vec<Signed<Verdicts>>,
}

/// What the liar claims: the truth with a little more fuel.
pub(crate) fn wrong(truth: &Outcome) -> Outcome {
    Outcome { fuel: truth.fuel + 1, ..truth.clone() }
}

fn claim(
    job: JobId,
    (task, attempt): (TaskIndex, Attempt),
    outcome: OutcomeDigest,
    network: NetworkId,
    key: &SecretKey,
) -> Claim {
    let salt = Salt([attempt.0 as u8; 16]);
    let hidden = commitment_of(&key.public(), &salt, &outcome);
    let commits = CommitBatch::sign(job, vec![Commitment { task, attempt, hidden }], network, key);
    let reveal = Reveal { task, attempt, set: Digest([2; 32]), outcome, salt };
    let reveals = RevealBatch::sign(job, vec![reveal], network, key);
    Claim {
        commit: commits.quote(task, attempt).unwrap(),
        reveal: reveals.quote(task, attempt).unwrap(),
    }
}

impl Lie {
    /// The second node told the truth, the last one did not, and all validators but the last found
    /// the truth.
    pub(crate) fn tell(
        order: &Signed<Job>,
        table: &TaskTable,
        truth: &Outcome,
        network: NetworkId,
        nodes: &[SecretKey],
    ) -> Self {
        let (job, task) = (order.payload.id(), truth.task);
        let (found, lie) = (truth.digest(), wrong(truth).digest());
        let mut claims = vec![
            claim(job, (task, Attempt(0)), found, network, &nodes[1]),
            claim(job, (task, Attempt(2)), lie, network, &nodes[3]),
        ];
        claims.sort_by_key(Claim::node);
        let dispute =
            Dispute { order: order.clone(), drawn: Height(1), task, claims, audits: Vec::new() };
        let ruling = Ruling { job, task, outcome: Some(found) };
        let rule = |key: &SecretKey| Verdicts::sign(vec![ruling], network, key);
        Self {
            job,
            task,
            truth: found,
            table: table.clone(),
            dispute: Signed::new(dispute, network, &nodes[0]),
            verdicts: nodes[..3].iter().map(rule).collect(),
        }
    }

    pub(crate) fn id(&self) -> Digest {
        dispute_name(&self.job, self.task)
    }

    pub(crate) fn ruled(&self) -> Ruled {
        let claims = self.dispute.payload.claims.clone();
        Ruled { task: self.task, outcome: self.truth, claims }
    }

    pub(crate) fn evidence(&self, genesis: &Genesis) -> Evidence {
        let decided = Decided {
            table: self.table.clone(),
            disputes: vec![self.dispute.clone()],
            verdicts: self.verdicts.clone(),
        };
        let proof = Proof::Verdict(Box::new(decided));
        Evidence { genesis: genesis.clone(), vouchers: Vec::new(), proof }
    }

    fn finding(&self, genesis: &Genesis, liar: &SecretKey) -> (Finding, String) {
        let node = liar.public();
        let founder = genesis.founders.iter().find(|f| f.payload.node == node).unwrap();
        let cause = Cause::Refuted { job: self.job, task: self.task };
        let (tx, height, time) = (Digest([6; 32]), Height(2), Time(3_000));
        let finding = Finding { node, owner: founder.by, cause, tx, height, time };
        (finding, founder.payload.name.clone())
    }

    pub(crate) fn info(&self, genesis: &Genesis, liar: &SecretKey) -> EvidenceInfo {
        let (finding, name) = self.finding(genesis, liar);
        EvidenceInfo::of(finding, name).unwrap()
    }

    pub(crate) fn sanction(&self, genesis: &Genesis, liar: &SecretKey) -> SanctionInfo {
        let (finding, name) = self.finding(genesis, liar);
        let (owner, right, until) = (finding.owner, finding.cause.right(), Time(3_603_000));
        let sanction = Sanction { owner, right, finding, strike: 1, until, released: None };
        SanctionInfo::of(sanction, name)
    }

    pub(crate) fn state(&self, liar: &SecretKey) -> DisputeState {
        let (outcome, height) = (self.truth, Some(Height(2)));
        DisputeState::Decided { outcome, height, refuted: vec![liar.public()] }
    }

    pub(crate) fn dispute(&self, genesis: &Genesis, liar: &SecretKey) -> DisputeInfo {
        let info = |node, outcome| {
            let founder = genesis.founders.iter().find(|f| f.payload.node == node).unwrap();
            let owner_name = founder.payload.name.clone();
            ClaimInfo { node, owner: founder.by, owner_name, outcome }
        };
        let claims = self.dispute.payload.claims.iter();
        DisputeInfo {
            id: self.id(),
            job: self.job,
            task: self.task,
            filer: genesis.founders[0].by,
            opened: Height(2),
            after_final: false,
            claims: claims.map(|c| info(c.node(), Some(c.reveal.leaf.outcome))).collect(),
            rulings: self.verdicts.iter().map(|v| info(v.by, Some(self.truth))).collect(),
            state: self.state(liar),
        }
    }
}

/// Evidence that a validator ruled in two ways.
pub(crate) fn contradiction(genesis: &Genesis, key: &SecretKey) -> Evidence {
    let job = JobId(objects::Cid::of(objects::Codec::DagCbor, b"job"));
    let rule = |outcome: u8| {
        let outcome = Some(OutcomeDigest(Digest([outcome; 32])));
        Verdicts::sign(vec![Ruling { job, task: TaskIndex(3), outcome }], genesis.network(), key)
    };
    let contradiction = Contradiction::Verdicts { first: rule(1), second: rule(2) };
    let proof = Proof::Contradiction(Box::new(contradiction));
    Evidence { genesis: genesis.clone(), vouchers: Vec::new(), proof }
}
