//! Bringing shards to their holders.

use super::{Error, Keeper, hold::Asker, keeper::Inner, pages::slot_bytes, wire};
use futures::{StreamExt, stream};
use identity::{PublicKey, Signed};
use objects::Cid;
use protocol::durability::{Candidate, KeepReply, KeepRequest, Placement, Tolerance, fill_slots};
use std::collections::{BTreeMap, BTreeSet};

/// What came of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Who holds what now.
    pub placement: Signed<Placement>,
    /// What may be lost.
    pub tolerance: Tolerance,
    /// Nodes that were asked and did not take shards, and why; others were found.
    pub failed: Vec<(PublicKey, String)>,
}

impl Keeper {
    /// Gives the shards of an object to candidates: to different owners as far as there are
    /// enough, then to different nodes. Several are given theirs at once; in place of one that
    /// refuses another is chosen. Slots that are placed stay where they are. When this answers,
    /// every shard is durable with its holder. This node can be a candidate, too.
    ///
    /// # Errors
    /// [`Error::NotPlaced`] with who refused, [`Error::Unknown`], [`Error::Store`].
    pub async fn distribute(
        &self,
        manifest: Cid,
        candidates: &[Candidate],
    ) -> Result<Spread, Error> {
        let inner = &*self.inner;
        let record = inner.record(&manifest)?;
        let durability = record.manifest.payload.durability;
        let bytes = slot_bytes(&*inner.parts.blobs, &record.manifest.payload).await?;
        let largest = bytes.into_iter().max().unwrap_or_default();
        let (mut slots, mut sequence) = match &record.placement {
            Some(known) => {
                let slots = known.payload.slots.iter().copied().map(Some).collect();
                (slots, known.payload.sequence + 1)
            }
            None => (vec![None; durability.total()], 0),
        };
        let mut candidates = candidates.to_vec();
        let mut placed: BTreeMap<PublicKey, Vec<usize>> = BTreeMap::new();
        let mut failed: Vec<(PublicKey, String)> = Vec::new();
        // Every round loses a candidate or is the last.
        loop {
            let Some(filled) = fill_slots(&slots, &candidates, largest) else {
                let slots = durability.total();
                return Err(Error::NotPlaced { slots, bytes: largest, failed });
            };
            let placement = Placement { manifest, sequence, slots: filled };
            let placement = Signed::new(placement, inner.parts.network, &inner.parts.key);
            let nodes: BTreeSet<PublicKey> = placement.payload.slots.iter().copied().collect();
            let new =
                |node: &PublicKey| placed.get(node) != Some(&placement.payload.slots_of(node));
            let asked: Vec<PublicKey> = nodes.iter().copied().filter(new).collect();
            let results = inner.give(&asked, &placement).await;
            slots = placement.payload.slots.iter().copied().map(Some).collect();
            let mut is_whole = true;
            for (node, result) in asked.into_iter().zip(results) {
                match result {
                    Ok(_) => drop(placed.insert(node, placement.payload.slots_of(&node))),
                    Err(error) => {
                        is_whole = false;
                        failed.push((node, reason(error)));
                        candidates.retain(|own| own.node != node);
                        slots
                            .iter_mut()
                            .filter(|own| **own == Some(node))
                            .for_each(|own| *own = None);
                    }
                }
            }
            sequence += 1;
            if is_whole {
                return inner.settle(placement, &candidates, failed).await;
            }
        }
    }
}

impl Inner {
    /// Asks nodes to keep what a placement gives them; answers in their order.
    async fn give(
        &self,
        nodes: &[PublicKey],
        placement: &Signed<Placement>,
    ) -> Vec<Result<u64, Error>> {
        let ask = |node| self.place_at(node, placement.clone(), Vec::new(), None);
        let asks = nodes.iter().copied().map(ask);
        stream::iter(asks).buffered(self.parts.config.peers_at_once.max(1)).collect().await
    }

    /// Has a node keep what a placement gives it: another one, or this one.
    pub(super) async fn place_at(
        &self,
        node: PublicKey,
        placement: Signed<Placement>,
        from: Vec<PublicKey>,
        pace: Option<u64>,
    ) -> Result<u64, Error> {
        if node == self.me() {
            let asker = Asker { node, lend: None, from, pace, stream: None };
            let held = self.hold(placement, asker).await;
            return held.map_err(|why| Error::Peer { node, reason: why.to_string() });
        }
        match self.ask(node, &KeepRequest::Keep { placement, from, pace }).await? {
            KeepReply::Kept { bytes } => Ok(bytes),
            _ => Err(wire::beside_the_point(&*self.parts.streams, node)),
        }
    }

    /// Takes the placement that came of it, and tells those who know an earlier one.
    async fn settle(
        &self,
        placement: Signed<Placement>,
        candidates: &[Candidate],
        failed: Vec<(PublicKey, String)>,
    ) -> Result<Spread, Error> {
        let manifest = placement.payload.manifest;
        let record = self.record(&manifest)?;
        let maker = record.manifest.payload.clone();
        self.replace(manifest, record, placement.clone()).await?;
        self.tell(&placement, &placement.payload.slots).await;
        self.release_parity(&maker).await?;
        let owner_of = |node: &PublicKey| {
            candidates.iter().find(|own| own.node == *node).map_or(*node, |own| own.owner)
        };
        let slots = placement.payload.slots.iter();
        let holders: Vec<_> = slots.map(|node| (*node, owner_of(node))).collect();
        let need = maker.durability.data();
        let tolerance = Tolerance::of(&holders, need).expect("every slot has a holder");
        Ok(Spread { placement, tolerance, failed })
    }

    /// Tells nodes of a placement. Who does not hear it now learns it from others later.
    pub(super) async fn tell(&self, placement: &Signed<Placement>, nodes: &[PublicKey]) {
        let nodes: BTreeSet<PublicKey> =
            nodes.iter().copied().filter(|node| *node != self.me()).collect();
        let asks = nodes.into_iter().map(|node| async move {
            let request = KeepRequest::Note { placement: placement.clone() };
            (node, self.ask(node, &request).await)
        });
        let mut told = stream::iter(asks).buffer_unordered(self.parts.config.peers_at_once.max(1));
        while let Some((node, result)) = told.next().await {
            if let Err(error) = result {
                tracing::debug!(node = %node.short(), %error, "a node was not told who holds what");
            }
        }
    }
}

/// What a node said, without its name.
fn reason(error: Error) -> String {
    match error {
        Error::Peer { reason, .. } => reason,
        other => other.to_string(),
    }
}
