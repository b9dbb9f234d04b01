//! Content that outlives machines: `storage::erasure` with this node's store, peers and ledger.

use crate::chain::Chain;
use anyhow::Context;
use futures::{FutureExt, future::try_join_all};
use identity::PublicKey;
use objects::Cid;
use protocol::{
    durability::Candidate,
    port::{Answer, BlobError, Clock, Streams},
};
use std::{collections::BTreeMap, sync::Arc};
use storage::{
    Label, Pin, PinMode, Store,
    erasure::{
        Keep, Keeper, Lend, Server,
        repair::{Neighbours, Repairer},
    },
};

/// Pins that are written at once: they share their syncs.
const TOGETHER: usize = 64;
/// Pins that are read at once.
const PAGE: usize = 1_000;

/// What is kept of protected objects, as pins of the store.
pub(crate) struct Pins {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Pins {
    async fn replace(self, label: String, blocks: Vec<Cid>) -> Result<(), BlobError> {
        let label = parsed(&label)?;
        let since_ms = self.clock.now().0;
        let pins: Vec<_> = (0..)
            .zip(&blocks)
            .map(|(place, root): (u32, _)| Pin {
                label: label.clone(),
                root: *root,
                mode: PinMode::Direct,
                since_ms,
                // Pins have no order of their own, and blocks under a label have.
                note: Some(format!("{place:08}")),
            })
            .collect();
        for some in pins.chunks(TOGETHER) {
            try_join_all(some.iter().map(|pin| self.store.pin(pin.clone())))
                .await
                .map_err(blob_error)?;
        }
        for pin in self.of(label.as_str()).await? {
            if pin.label == label && !blocks.contains(&pin.root) {
                self.store.unpin(pin.label, pin.root).await.map_err(blob_error)?;
            }
        }
        Ok(())
    }

    /// All pins under labels with this beginning.
    async fn of(&self, beginning: &str) -> Result<Vec<Pin>, BlobError> {
        let mut pins: Vec<Pin> = Vec::new();
        loop {
            let after = pins.last().map(|pin| (pin.label.clone(), pin.root));
            let more = self.store.pins(beginning, after, PAGE).await.map_err(blob_error)?;
            let is_last = more.len() < PAGE;
            pins.extend(more);
            if is_last {
                return Ok(pins);
            }
        }
    }

    fn again(&self) -> Self {
        Self { store: self.store.clone(), clock: self.clock.clone() }
    }
}

impl Keep for Pins {
    fn keep(&self, label: String, blocks: Vec<Cid>) -> Answer<'static, Result<(), BlobError>> {
        self.again().replace(label, blocks).boxed()
    }

    fn release(&self, label: String) -> Answer<'static, Result<(), BlobError>> {
        self.again().replace(label, Vec::new()).boxed()
    }

    fn kept(
        &self,
        beginning: String,
    ) -> Answer<'static, Result<Vec<(String, Vec<Cid>)>, BlobError>> {
        let pins = self.again();
        async move {
            let mut by_label: BTreeMap<String, Vec<(Option<String>, Cid)>> = BTreeMap::new();
            for pin in pins.of(&escaped(&beginning)).await? {
                let label = unescaped(pin.label.as_str());
                by_label.entry(label).or_default().push((pin.note, pin.root));
            }
            let ordered = |(label, mut blocks): (String, Vec<_>)| {
                blocks.sort();
                (label, blocks.into_iter().map(|(_, cid)| cid).collect())
            };
            Ok(by_label.into_iter().map(ordered).collect())
        }
        .boxed()
    }
}

/// A plus, which labels of pins do not have, is a colon there.
fn escaped(label: &str) -> String {
    label.replace('+', ":")
}

fn unescaped(label: &str) -> String {
    label.replace(':', "+")
}

fn parsed(label: &str) -> Result<Label, BlobError> {
    escaped(label).parse().map_err(blob_error)
}

fn blob_error(error: storage::Error) -> BlobError {
    match error {
        storage::Error::Blob(error) => error,
        error => BlobError::Io(error.to_string()),
    }
}

/// Who there is to hold shards, and for whom they are held.
#[derive(Clone)]
pub(crate) struct Members {
    pub(crate) chain: Chain,
    pub(crate) peers: Arc<dyn Streams>,
    /// What every node is taken to lend, before it says no.
    pub(crate) lend_bytes: u64,
}

impl Members {
    /// Who counts as one with a node.
    pub(crate) fn owner_of(&self, node: &PublicKey) -> PublicKey {
        self.chain.ledger().roster().party_of_node(node).unwrap_or(*node)
    }
}

impl Neighbours for Members {
    fn candidates(&self) -> Vec<Candidate> {
        let ledger = self.chain.ledger();
        let (roster, me) = (ledger.roster(), self.peers.me());
        let connected = self.peers.peers();
        let candidate = |node: &PublicKey| Candidate {
            node: *node,
            owner: roster.party_of_node(node).unwrap_or(*node),
            free_bytes: self.lend_bytes,
            is_connected: *node == me || connected.contains(node),
        };
        roster.nodes().map(|(node, _)| candidate(node)).collect()
    }
}

impl Lend for Members {
    fn may_keep(&self, peer: PublicKey, maker: PublicKey) -> bool {
        let ledger = self.chain.ledger();
        let roster = ledger.roster();
        roster.node(&peer).is_some() && roster.node(&maker).is_some()
    }
}

/// What runs as long as the node does. Dropping it ends it.
pub(crate) struct Running {
    _server: Server,
    _repairer: Repairer,
}

/// Serves others, and repairs.
///
/// # Errors
/// If the protocol is taken, or the network closed.
pub(crate) fn start(
    keeper: &Keeper,
    members: &Members,
    gate: Arc<dyn storage::exchange::Serve>,
) -> anyhow::Result<Running> {
    let server = keeper.serve(Arc::new(members.clone()), gate).context("keeping shards")?;
    Ok(Running { _server: server, _repairer: keeper.repair(Arc::new(members.clone())) })
}
