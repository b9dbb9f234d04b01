//! Several owners that agree on what to lie, stand by it as auditors and as validators, and burn
//! the validators' time with jobs that nobody else has the inputs of.

use super::{Answer, Given, Hand, Liar, invented};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use ledger::Duty;
use objects::{Cid, Codec};
use protocol::{
    Attempt, Block, Claim, CommitBatch, Commitment, Dispute, Job, JobId, Limits, OutcomeDigest,
    Placement, Reveal, RevealBatch, Salt, TaskIndex, Tx, Verification, commitment_of, draw,
};

/// What colluders write into the outcomes that they make up.
pub(super) const MARK: &str = " (as agreed)";
/// Blocks after which they do not dispute any more what nobody has.
const DISPUTES: u64 = 12;

pub(super) struct Colluders;

impl Liar for Colluders {
    fn answer(&self, hand: &Hand<'_>, given: &Given<'_>) -> Answer {
        let together = |others: Vec<PublicKey>| others.iter().any(|node| hand.is_friend(node));
        let lie = given.task.0.is_multiple_of(2) || others(hand, given).is_some_and(together);
        if lie { Answer::Marked(MARK.into()) } else { Answer::Truth }
    }

    fn audits(&self, _hand: &Hand<'_>, duty: &Duty, truth: OutcomeDigest) -> OutcomeDigest {
        let agreed = invented(duty.job, duty.task, MARK);
        if duty.outcome == agreed { agreed } else { truth }
    }

    fn rulings(
        &self,
        _hand: &Hand<'_>,
        (job, task): (JobId, TaskIndex),
        _truth: Option<OutcomeDigest>,
    ) -> Vec<Option<OutcomeDigest>> {
        vec![Some(invented(job, task, MARK))]
    }

    /// Every other block, a dispute between two of them; in between, one in which a key has a part
    /// that is nobody's.
    fn files(&self, hand: &Hand<'_>, block: &Block) -> Vec<Tx> {
        let height = block.header.height.0;
        if height > DISPUTES {
            return Vec::new();
        }
        let nobody = SecretKey::from_seed(Digest::of("polity sim nobody", &[]).0);
        let other = if height.is_multiple_of(2) { hand.friends.first() } else { Some(&nobody) };
        other.map(|other| about_nothing(hand, other, height)).into_iter().collect()
    }
}

/// The other parties that the walk gives first, if the draw is known.
pub(super) fn others(hand: &Hand<'_>, given: &Given<'_>) -> Option<Vec<PublicKey>> {
    let beacon = hand.ledger.beacon_at(given.drawn)?;
    let roster = hand.ledger.roster_at(given.drawn)?;
    let candidates = draw::candidates(beacon, &given.job.id(), given.task, roster);
    let first = draw::walk(&candidates, &[], usize::from(given.job.verification.k));
    let me = hand.key.public();
    Some(first.into_iter().filter(|node| *node != me).collect())
}

/// A dispute about a job whose program and inputs nobody has ever seen.
fn about_nothing(hand: &Hand<'_>, other: &SecretKey, height: u64) -> Tx {
    let me = hand.key.public();
    let issued = hand.ledger.tip().time;
    let nothing = Cid::of(Codec::Raw, b"nothing");
    let job = Job {
        network: hand.network,
        home: me,
        program: nothing,
        table: nothing,
        tasks: 1,
        engine: Digest::default(),
        seed: Digest::default(),
        limits: Limits::default(),
        placement: Placement::Fast,
        verification: Verification { k: 2, n: 2 },
        issued,
        expires: issued.after_ms(300_000),
        nonce: Digest::of("polity sim nothing", &[&me.0, &height.to_be_bytes()]),
        terms: protocol::Terms::default(),
    };
    let id = job.id();
    let mut claims = vec![
        claim(hand.network, hand.key, id, (Attempt(0), " (one)")),
        claim(hand.network, other, id, (Attempt(1), " (other)")),
    ];
    claims.sort_by_key(Claim::node);
    let order = Signed::new(job, hand.network, hand.owner);
    let drawn = hand.ledger.tip().height;
    let dispute = Dispute { order, drawn, task: TaskIndex(0), claims, audits: Vec::new() };
    Tx::Dispute(Box::new(Signed::new(dispute, hand.network, hand.key)))
}

/// A claim about the first task of a job that holds by itself.
fn claim(
    network: NetworkId,
    key: &SecretKey,
    job: JobId,
    (attempt, mark): (Attempt, &str),
) -> Claim {
    claim_of(network, key, (job, TaskIndex(0)), attempt, invented(job, TaskIndex(0), mark))
}

/// A claim of this outcome that holds by itself, whoever asked for it.
pub(super) fn claim_of(
    network: NetworkId,
    key: &SecretKey,
    (job, task): (JobId, TaskIndex),
    attempt: Attempt,
    outcome: OutcomeDigest,
) -> Claim {
    let salt = Salt([7; 16]);
    let hidden = commitment_of(&key.public(), &salt, &outcome);
    let commits = CommitBatch::sign(job, vec![Commitment { task, attempt, hidden }], network, key);
    let reveal = Reveal { task, attempt, set: Digest::default(), outcome, salt };
    let reveals = RevealBatch::sign(job, vec![reveal], network, key);
    let commit = commits.quote(task, attempt).expect("the batch holds it");
    let reveal = reveals.quote(task, attempt).expect("the batch holds it");
    Claim { commit, reveal }
}
