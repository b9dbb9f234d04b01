//! Accuses nodes that did nothing, with statements that contradict nothing.

use crate::chain::{Chain, Submit};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Accusation, Attempt, CommitBatch, Commitment, Contradiction, JobId, TaskIndex, Time, Tx,
    port::{Clock, Streams},
};
use std::sync::Arc;

/// Accuses one of the connected nodes after each block, as long as the chain is told of.
pub(crate) async fn accuse_falsely(
    chain: Chain,
    key: SecretKey,
    clock: Arc<dyn Clock>,
    streams: Arc<dyn Streams>,
    submit: Submit,
) -> anyhow::Result<()> {
    let mut head = chain.head();
    while head.changed().await.is_ok() {
        head.borrow_and_update();
        let ledger = chain.ledger();
        let mine = ledger.roster().node(&key.public());
        if !mine.is_some_and(|record| ledger.may_dispute(&record.owner)) {
            continue;
        }
        let admitted = |peer: &PublicKey| ledger.roster().node(peer).is_some();
        let Some(against) = streams.peers().into_iter().find(admitted) else { continue };
        let Some(tx) = accusation(against, chain.network(), &key, clock.now()) else { continue };
        if let Err(reason) = submit(tx).await {
            tracing::debug!(reason, "the accusation is not taken");
        }
    }
    Ok(())
}

/// One commitment, which is not even the accused one's, quoted twice.
fn accusation(against: PublicKey, network: NetworkId, key: &SecretKey, now: Time) -> Option<Tx> {
    let job = JobId(Cid::of(Codec::Raw, b"no job"));
    let (task, attempt) = (TaskIndex(0), Attempt(0));
    let leaf = Commitment { task, attempt, hidden: Digest([0; 32]) };
    let quote = CommitBatch::sign(job, vec![leaf], network, key).quote(task, attempt)?;
    let contradiction = Contradiction::Commits { first: quote.clone(), second: quote };
    let accusation = Accusation { against, contradiction, issued: now };
    Some(Tx::Accuse(Box::new(Signed::new(accusation, network, key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accusation_is_whole_and_proves_nothing() {
        let (key, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let network = NetworkId::FOUNDING;
        let tx = accusation(other.public(), network, &key, Time(1)).unwrap();
        let Tx::Accuse(accusation) = tx else { panic!("another transaction") };
        assert!(accusation.check(network).is_ok());
        assert!(accusation.payload.check(network).is_err());
    }
}
