//! What a transaction costs whoever checks it, so that a block is bounded by work and not by bytes
//! alone.

use protocol::{Agreements, Dispute, Tx};

/// What all transactions of a block may cost: about 200 ms of one core, if none was checked before.
pub(crate) const OF_BLOCK: u64 = 20_000;

// In units of about 10 µs; a single signature takes 50.
const SIGNATURE: u64 = 5;
/// A task that is settled: its draw.
const TASK: u64 = 5;
/// Leaves of a batch, so many for one unit.
const LEAVES: u64 = 4;
/// A change of who is admitted: the roster is copied, and its root computed again.
const ROSTER: u64 = 50;

/// The cost of a transaction.
pub(crate) fn of(tx: &Tx) -> u64 {
    match tx {
        Tx::Order(_) | Tx::Audit(_) => SIGNATURE,
        Tx::Admit(_) => 3 * SIGNATURE + ROSTER,
        Tx::Second(_) => SIGNATURE + ROSTER,
        Tx::Agree(agreements) => agreed(agreements),
        Tx::Dispute(dispute) => disputed(&dispute.payload),
        Tx::Verdict(verdicts) => SIGNATURE + count(verdicts.payload.rulings.len()),
        // Two statements, each perhaps with a proof of inclusion, and the accusation itself.
        Tx::Accuse(_) => 4 * SIGNATURE,
    }
}

fn count(len: usize) -> u64 {
    len as u64
}

fn agreed(agreements: &Agreements) -> u64 {
    let Agreements { commits, reveals, tasks, .. } = agreements;
    let committed = commits.iter().map(|batch| batch.leaves.len());
    let leaves: usize = committed.chain(reveals.iter().map(|batch| batch.leaves.len())).sum();
    let signatures = 1 + count(commits.len() + reveals.len());
    signatures * SIGNATURE + count(leaves).div_ceil(LEAVES) + count(tasks.len()) * TASK
}

fn disputed(dispute: &Dispute) -> u64 {
    // Its own, the order's, up to three for each claim.
    let signatures = 2 + 3 * count(dispute.claims.len()) + count(dispute.audits.len());
    signatures * SIGNATURE
}
