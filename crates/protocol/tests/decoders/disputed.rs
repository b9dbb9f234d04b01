//! Good inputs about outcomes that differ: node 103 claims another outcome of task 0 than 102.

use super::{Sample, key, salt, table};
use identity::{Digest, Signature, Signed};
use protocol::{
    Accusation, Attempt, Audit, Claim, CommitBatch, Commitment, Contradiction, Decided, Dispute,
    Evidence, Height, OutcomeDigest, Proof, Proposal, Reveal, RevealBatch, Ruling, TaskIndex, Time,
    Tx, Verdicts, Vote, VoteKind, VotePair, commitment_of,
};

const TASK: TaskIndex = TaskIndex(0);

impl Sample {
    /// What replica 0 found, or what replica 1 claims.
    fn found(&self, replica: u8) -> OutcomeDigest {
        self.outcome(TaskIndex(TASK.0 + u32::from(replica))).digest()
    }

    /// Of node 102 or 103.
    pub(super) fn claim(&self, replica: u8) -> Claim {
        let (secret, attempt) = (key(102 + replica), Attempt(replica.into()));
        let (outcome, salt) = (self.found(replica), salt(replica));
        let hidden = commitment_of(&secret.public(), &salt, &outcome);
        let places = [TASK, TaskIndex(2)];
        let leaves = places.map(|task| Commitment { task, attempt, hidden }).to_vec();
        let commits = CommitBatch::sign(self.id, leaves, self.network, &secret);
        let set = Digest([6; 32]);
        let leaves = places.map(|task| Reveal { task, attempt, set, outcome, salt }).to_vec();
        let reveals = RevealBatch::sign(self.id, leaves, self.network, &secret);
        Claim {
            commit: commits.quote(TASK, attempt).expect("it is in the batch"),
            reveal: reveals.quote(TASK, attempt).expect("it is in the batch"),
        }
    }

    /// Node 104 audited what 102 found.
    pub(super) fn audit(&self) -> Signed<Audit> {
        let audit = Audit { job: self.id, task: TASK, outcome: self.found(0) };
        Signed::new(audit, self.network, &key(104))
    }

    pub(super) fn dispute(&self) -> Signed<Dispute> {
        let mut claims = vec![self.claim(0), self.claim(1)];
        claims.sort_by_key(Claim::node);
        let dispute = Dispute {
            order: self.order.clone(),
            drawn: Height(0),
            task: TASK,
            claims,
            audits: vec![self.audit()],
        };
        Signed::new(dispute, self.network, &key(101))
    }

    /// What validator 100 + `n` found.
    pub(super) fn verdicts(&self, n: u8) -> Signed<Verdicts> {
        let ruling = |task, outcome| Ruling { job: self.id, task, outcome };
        let rulings = vec![ruling(TASK, Some(self.found(0))), ruling(TaskIndex(1), None)];
        Verdicts::sign(rulings, self.network, &key(100 + n))
    }

    pub(super) fn vote_pair(&self) -> VotePair {
        let vote = |n: u8| {
            let proposal = Proposal { parent_view: 299, payload: Digest([n; 32]) };
            let (by, kind) = (key(104).public(), VoteKind::Finalize(proposal));
            let mut vote = Vote { epoch: 0, view: 300, kind, by, signature: Signature([0; 64]) };
            vote.signature = key(104).sign(&vote.signing_bytes(self.network));
            vote
        };
        VotePair { first: vote(1), second: vote(2) }
    }

    /// A reveal of node 103 that does not open its commitment.
    pub(super) fn accusation(&self) -> Signed<Accusation> {
        let claim = self.claim(1);
        let leaves = vec![Reveal { outcome: self.found(0), ..claim.reveal.leaf }];
        let batch = RevealBatch::sign(self.id, leaves, self.network, &key(103));
        let reveal = batch.quote(TASK, Attempt(1)).expect("it is in the batch");
        let contradiction = Contradiction::Opening { commit: claim.commit, reveal };
        let accusation =
            Accusation { against: key(103).public(), contradiction, issued: Time(2_500) };
        Signed::new(accusation, self.network, &key(102))
    }

    /// The verdict that refutes node 103.
    pub(super) fn evidence(&self) -> Evidence {
        let verdicts = (1..=3).map(|n| self.verdicts(n)).collect();
        let decided = Decided { table: table(), disputes: vec![self.dispute()], verdicts };
        let proof = Proof::Verdict(Box::new(decided));
        Evidence { genesis: self.genesis.clone(), vouchers: Vec::new(), proof }
    }

    /// One transaction of each kind that is about disputes.
    pub(super) fn disputed_txs(&self) -> Vec<Tx> {
        let pair = self.vote_pair();
        let accusation = Accusation {
            against: pair.first.by,
            contradiction: Contradiction::Votes(pair),
            issued: Time(2_500),
        };
        let accusation = Signed::new(accusation, self.network, &key(102));
        vec![
            Tx::Order(Box::new(self.order.clone())),
            Tx::Dispute(Box::new(self.dispute())),
            Tx::Verdict(Box::new(self.verdicts(1))),
            Tx::Accuse(Box::new(self.accusation())),
            Tx::Accuse(Box::new(accusation)),
            Tx::Audit(self.audit()),
        ]
    }
}
