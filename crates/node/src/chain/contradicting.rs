//! Validators that vote twice: what the engine saw is put on the ledger.

use super::{Chain, Submit};
use identity::{PublicKey, SecretKey, Signed};
use protocol::{Accusation, Contradiction, Tx, VotePair, port::Clock};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::mpsc;

/// Validators and views that are remembered, so that one pair is not filed for every pair.
const REMEMBERED: usize = 4096;

/// Accuses whoever the engine saw contradict itself, until the engine ends.
pub(crate) async fn accuse_contradicting(
    chain: Chain,
    key: SecretKey,
    clock: Arc<dyn Clock>,
    submit: Submit,
    mut events: mpsc::Receiver<consensus::Event>,
) {
    let mut accused: BTreeSet<(PublicKey, u64, u64)> = BTreeSet::new();
    while let Some(event) = events.recv().await {
        let pair = match event {
            consensus::Event::Evidence(pair) => pair,
            consensus::Event::Blocked(peer) => {
                tracing::warn!(%peer, "a validator sends what it must not; it is not listened to");
                continue;
            }
        };
        let against = pair.first.by;
        let (epoch, view) = (pair.first.epoch, pair.first.view);
        tracing::warn!(%against, view, "a validator votes twice");
        if accused.len() >= REMEMBERED {
            accused.pop_first();
        }
        if accused.insert((against, epoch, view)) {
            let tx = accusation(&chain, &key, clock.as_ref(), pair);
            if let Err(reason) = submit(tx).await {
                tracing::warn!(%against, view, reason, "the accusation is not taken");
                accused.remove(&(against, epoch, view));
            }
        }
    }
}

fn accusation(chain: &Chain, key: &SecretKey, clock: &dyn Clock, pair: VotePair) -> Tx {
    let accusation = Accusation {
        against: pair.first.by,
        contradiction: Contradiction::Votes(pair),
        issued: clock.now(),
    };
    Tx::Accuse(Box::new(Signed::new(accusation, chain.network(), key)))
}
