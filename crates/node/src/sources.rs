//! Who is asked for content: nodes of the roster that are connected, in an order that nobody chooses by
//! its key.

use crate::chain::Chain;
use identity::{Digest, PublicKey};

/// So many of these peers: first those who must have it, then nodes of the same owner as this one,
/// then others by lot.
pub(crate) fn sources(
    (chain, me): (&Chain, PublicKey),
    connected: Vec<PublicKey>,
    first: &[PublicKey],
    most: usize,
) -> Vec<PublicKey> {
    let mut lot = [0; 32];
    if let Err(error) = getrandom::fill(&mut lot) {
        tracing::warn!(%error, "no randomness: nodes are asked in an order that can be known");
    }
    let ledger = chain.ledger();
    let owner = |node: &PublicKey| ledger.roster().node(node).map(|record| record.owner);
    let ours = owner(&me);
    let mut ranked: Vec<_> = connected
        .into_iter()
        .filter(|peer| *peer != me)
        .filter_map(|peer| {
            let is_others = Some(owner(&peer)?) != ours;
            let by_lot = Digest::of("polity sources", &[&lot, &peer.0]);
            Some((!first.contains(&peer), is_others, by_lot, peer))
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(.., peer)| peer).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{NetworkId, SecretKey, Signed};
    use protocol::{Founder, Genesis, Params, Time};
    use sim::log::MemoryLog;
    use std::{collections::BTreeSet, sync::Arc};

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    fn node(n: u8) -> PublicKey {
        key(n).public()
    }

    #[tokio::test]
    async fn strangers_with_low_keys_are_not_asked_and_no_key_is_always_first() {
        let founder = |n: u8| {
            let founder =
                Founder { node: node(100 + n), name: n.to_string(), addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, &key(n))
        };
        let founders = (1..=8).map(founder).collect();
        let genesis =
            Genesis::found("sources".into(), Time(1), founders, 1, Params::default()).unwrap();
        let chain = Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap();
        let strangers = (110..=250).map(node);
        let mut connected: Vec<_> = strangers.chain((101..=107).map(node)).collect();
        connected.sort();
        let ask = |first: &[PublicKey], most| {
            sources((&chain, node(101)), connected.clone(), first, most)
        };
        let all: BTreeSet<_> = ask(&[], 100).into_iter().collect();
        assert_eq!(all, (102..=107).map(node).collect());
        assert_eq!(ask(&[node(105), node(200)], 1), [node(105)]);
        // A thousand draws of one of six: each comes, or somebody chose.
        let drawn: BTreeSet<_> = (0..1_000).flat_map(|_| ask(&[], 1)).collect();
        assert_eq!(drawn, all);
    }
}
