//! A home that writes receipts of what never happened, and seals them.

use super::{Hand, Liar, invented};
use crate::world::truth;
use protocol::{Agreements, Body, Outcome, OutcomeDigest, Receipt, Tx, Unsettled};

pub(super) struct ForgedReceipt;

impl Liar for ForgedReceipt {
    fn forges(&self, hand: &Hand<'_>, receipt: &Receipt) -> Vec<Receipt> {
        let alterations: [fn(&mut Body) -> bool; 6] =
            [other_output, other_agreement, other_block, fewer_signers, dropped, denied];
        let forge = |alter: &fn(&mut Body) -> bool| {
            let mut body = receipt.body.clone();
            alter(&mut body).then(|| Receipt::seal(body, hand.network, hand.key))
        };
        let mut forged: Vec<_> = alterations.iter().filter_map(forge).collect();
        // Sealed by somebody else.
        let stranger = identity::SecretKey::from_seed([1; 32]);
        forged.push(Receipt::seal(receipt.body.clone(), hand.network, &stranger));
        forged
    }
}

/// Another output than the one that was agreed on.
fn other_output(body: &mut Body) -> bool {
    let Some(outcome) = body.outcomes.first_mut() else { return false };
    *outcome = lie(outcome);
    true
}

/// Another outcome, in the agreement as well.
fn other_agreement(body: &mut Body) -> bool {
    let Some(outcome) = body.outcomes.first_mut() else { return false };
    *outcome = lie(outcome);
    let (task, digest) = (outcome.task, outcome.digest());
    let parts = body.parts.iter_mut().flat_map(|part| &mut part.agreements.tasks);
    parts.filter(|agreed| agreed.task == task).for_each(|agreed| agreed.outcome = digest);
    true
}

/// The same in a block that was never certified: the root fits, the signatures are another block's.
fn other_block(body: &mut Body) -> bool {
    let Some(part) = body.parts.first_mut() else { return false };
    let agreements: &mut Agreements = &mut part.agreements;
    let Some(agreed) = agreements.tasks.first_mut() else { return false };
    agreed.sets.extend(agreed.sets.first().cloned());
    let txs = [Tx::Agree(Box::new(agreements.clone()))];
    part.header.tx_root = protocol::Block::tx_root(&txs);
    let Some(inclusion) = protocol::merkle::Inclusion::of(&[txs[0].encode()], 0) else {
        return false;
    };
    part.inclusion = inclusion;
    part.finality.certificate.payload = part.header.digest();
    true
}

/// Fewer validators than a quorum.
fn fewer_signers(body: &mut Body) -> bool {
    let Some(part) = body.parts.first_mut() else { return false };
    part.finality.certificate.signatures.truncate(2);
    true
}

/// A task that is not mentioned.
fn dropped(body: &mut Body) -> bool {
    body.outcomes.pop().is_some()
}

/// A final task that is said to have failed.
fn denied(body: &mut Body) -> bool {
    let Some(outcome) = body.outcomes.first() else { return false };
    body.unsettled.push((outcome.task, Unsettled::NoCandidates));
    body.unsettled.sort_by_key(|(task, _)| *task);
    true
}

fn lie(outcome: &Outcome) -> Outcome {
    let lie = truth::outcome(outcome.job, outcome.task, " (forged)");
    debug_assert_eq!(lie.digest(), OutcomeDigest(invented(lie.job, lie.task, " (forged)").0));
    lie
}
