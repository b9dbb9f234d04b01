//! Accuses those who did nothing, disputes what is right, and rules although it does not vote.

use super::{Hand, Liar, colluders::claim_of, invented};
use identity::Signed;
use protocol::{
    Accusation, Agreements, Attempt, Block, Claim, Contradiction, Dispute, Ruling, TaskIndex, Tx,
    Verdicts,
};

/// Blocks after which it rests.
const ACTIVE: u64 = 12;

pub(super) struct FalseAccuser;

impl Liar for FalseAccuser {
    fn files(&self, hand: &Hand<'_>, block: &Block) -> Vec<Tx> {
        let mut filed = Vec::new();
        if block.header.height.0 > ACTIVE {
            return filed;
        }
        for tx in &block.txs {
            match tx {
                Tx::Agree(agreements) => {
                    filed.extend(accuse(hand, agreements));
                    filed.extend(dispute(hand, agreements));
                }
                Tx::Dispute(dispute) => {
                    let (job, task) = (dispute.payload.order.payload.id(), dispute.payload.task);
                    let outcome = Some(invented(job, task, " (I say)"));
                    let ruling = Ruling { job, task, outcome };
                    let verdicts = Verdicts::sign(vec![ruling], hand.network, hand.key);
                    filed.push(Tx::Verdict(Box::new(verdicts)));
                }
                _ => {}
            }
        }
        filed
    }
}

/// Two commitments of somebody else that are one and the same.
fn accuse(hand: &Hand<'_>, agreements: &Agreements) -> Option<Tx> {
    let me = hand.key.public();
    let batch = agreements.commits.iter().find(|batch| batch.statement.by != me)?;
    let leaf = batch.leaves.first()?;
    let quote = batch.quote(leaf.task, leaf.attempt)?;
    let accusation = Accusation {
        against: quote.by(),
        contradiction: Contradiction::Commits { first: quote.clone(), second: quote },
        issued: hand.ledger.tip().time,
    };
    Some(Tx::Accuse(Box::new(Signed::new(accusation, hand.network, hand.key))))
}

/// A claim of its own beside that of an executor, whose outcome is final.
fn dispute(hand: &Hand<'_>, agreements: &Agreements) -> Option<Tx> {
    let task = agreements.tasks.first()?.task;
    let job = agreements.order.payload.id();
    let mut claims = vec![claim_of(
        hand.network,
        hand.key,
        (job, task),
        Attempt(60),
        invented(job, task, " (I say)"),
    )];
    claims.extend(claim_in(agreements, task, hand));
    claims.sort_by_key(Claim::node);
    let (order, drawn) = (agreements.order.clone(), agreements.drawn);
    let dispute = Dispute { order, drawn, task, claims, audits: Vec::new() };
    Some(Tx::Dispute(Box::new(Signed::new(dispute, hand.network, hand.key))))
}

fn claim_in(agreements: &Agreements, task: TaskIndex, hand: &Hand<'_>) -> Option<Claim> {
    let me = hand.key.public();
    crate::world::claims_in(agreements, task).into_iter().find(|claim| claim.node() != me)
}
