//! What the node does for its store by itself, and what its owner can ask for: look at every record
//! from time to time, fetch again what is damaged, give up what nobody wants.

mod fetch;
mod pin;
mod roots;

pub(crate) use fetch::Wish;
pub(crate) use pin::Gone;

use crate::{durability::Members, home::Home, ipfs::Ipfs, memory, sources::sources};
use bytes::Bytes;
use identity::PublicKey;
use objects::Cid;
use protocol::{
    Time,
    port::{Blobs, Streams},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage::{
    GcOptions, ScrubOptions,
    erasure::{self, Keeper, Wanted},
    exchange::FetchError,
};

/// Peers that are asked for a block.
const ASKED: usize = 32;
/// Protected objects in which a lost block is looked for.
const OBJECTS: usize = 256;
/// Damaged blocks, or pins, that are read from a list at once.
const DAMAGED: usize = 256;
/// Pause between two times that memory is given back, in milliseconds.
const TIDY_MS: u64 = 60_000;

/// What the owner of a node may choose about the care of its store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Pause between two looks at every record, in milliseconds; 0: never look. Default: 604800000.
    pub scrub_pause_ms: u64,
    /// Bytes that are read per second while looking. Default: 16777216.
    pub scrub_bytes_per_second: u64,
    /// Pause between two tries to fetch what is damaged, and between two looks whether the quota is
    /// nearly used up, in milliseconds. Default: 600000.
    pub repair_pause_ms: u64,
    /// What was put so lately is never given up, in milliseconds; at most 7 days.
    /// Default: 86400000.
    pub grace_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            scrub_pause_ms: 7 * 86_400_000,
            scrub_bytes_per_second: 16 << 20,
            repair_pause_ms: 600_000,
            grace_ms: 86_400_000,
        }
    }
}

impl Config {
    /// How garbage is collected.
    pub(crate) fn collection(&self, dry_run: bool, grace_ms: Option<u64>) -> GcOptions {
        let grace_ms = grace_ms.unwrap_or(self.grace_ms);
        GcOptions { grace_ms, dry_run, ..GcOptions::default() }
    }
}

/// Takes care of the store, and finds what is not in it. A cheap copy.
#[derive(Clone)]
pub(crate) struct Care {
    pub(crate) home: Home,
    /// Other machines; executors beside this node have the same store.
    pub(crate) peers: Arc<dyn Streams>,
    /// Peers of IPFS, if the owner wants them.
    pub(crate) ipfs: Option<Ipfs>,
    /// What this node does for the durability of objects.
    pub(crate) keeper: Keeper,
    /// Who could hold shards.
    pub(crate) members: Members,
    pub(crate) config: Config,
}

impl Care {
    /// Takes care of the store until the node ends.
    pub(crate) async fn run(&self) {
        tokio::join!(self.look(), self.mend(), self.announce(), self.tidy());
    }

    /// Reads everything, slowly, and again after a pause. A scrub that was stopped goes on.
    async fn look(&self) {
        let (home, config) = (&self.home, &self.config);
        if config.scrub_pause_ms == 0 {
            return;
        }
        loop {
            let now = home.clock.now();
            let due = match home.store.status().await {
                Ok(status) => {
                    let finished = status.scrub.finished_ms.unwrap_or_default();
                    // After the start there is more important work.
                    let soonest = now.after_ms(config.repair_pause_ms);
                    Time(finished).after_ms(config.scrub_pause_ms).max(soonest)
                }
                Err(error) => {
                    tracing::warn!(%error, "the store cannot say when it was looked at");
                    now.after_ms(config.scrub_pause_ms)
                }
            };
            home.clock.until(due).await;
            let bytes_per_second = config.scrub_bytes_per_second;
            let options = ScrubOptions { bytes_per_second, ..ScrubOptions::default() };
            match home.store.scrub(options).await {
                Ok(report) if report.damaged > 0 => {
                    tracing::warn!(damaged = report.damaged, "blocks are damaged on disk");
                }
                Ok(report) => tracing::debug!(records = report.records, "all records are right"),
                Err(error) => tracing::warn!(%error, "the store could not be looked at"),
            }
        }
    }

    /// Fetches what is damaged, and collects garbage where room is short, again and again.
    async fn mend(&self) {
        loop {
            let due = self.home.clock.now().after_ms(self.config.repair_pause_ms.max(1));
            self.home.clock.until(due).await;
            match self.repair(|_| {}).await {
                Ok((0, _)) => {}
                Ok((healed, _)) => tracing::info!(healed, "damaged blocks were fetched again"),
                Err(error) => tracing::warn!(%error, "what is damaged could not be fetched"),
            }
            if let Err(error) = self.make_room().await {
                tracing::warn!(error, "no room could be made");
            }
        }
    }

    /// Gives back memory that large objects needed for a while, again and again.
    async fn tidy(&self) {
        loop {
            let due = self.home.clock.now().after_ms(TIDY_MS);
            self.home.clock.until(due).await;
            if let Err(error) = tokio::task::spawn_blocking(memory::give_back).await {
                tracing::debug!(%error, "memory is not given back");
            }
        }
    }

    /// Tells the table what a person pinned, after a start.
    async fn announce(&self) {
        let Some(ipfs) = &self.ipfs else { return };
        let mut after = None;
        loop {
            let pins = match self.home.store.pins(api::USER_LABEL, after, DAMAGED).await {
                Ok(pins) => pins,
                Err(error) => return tracing::warn!(%error, "pins cannot be read"),
            };
            let Some(last) = pins.last() else { return };
            after = Some((last.label.clone(), last.root));
            for pin in pins {
                ipfs.announce(pin.root).await;
            }
        }
    }

    async fn make_room(&self) -> Result<(), String> {
        let store = &self.home.store;
        let status = store.status().await.map_err(|error| error.to_string())?;
        if !status.wants_gc() {
            return Ok(());
        }
        let roots = self.in_use().await.map_err(|error| error.to_string())?;
        let collected = store.gc(roots, self.config.collection(false, None)).await;
        let report = collected.map_err(|error| error.to_string())?;
        tracing::info!(
            blocks = report.freed_blobs,
            bytes = report.freed_bytes,
            "the quota is nearly used up: what nobody wants was given up"
        );
        Ok(())
    }

    /// Fetches every damaged block from whoever is connected; `tell` hears how many were looked
    /// at. Answers how many are here again, and those that nobody had, the first ones.
    pub(crate) async fn repair(
        &self,
        mut tell: impl FnMut(u64),
    ) -> Result<(u64, Vec<Cid>), storage::Error> {
        let (mut healed, mut looked, mut missing, mut after) = (0, 0, Vec::new(), None);
        loop {
            let damaged = self.home.store.damaged(after, DAMAGED).await?;
            let Some(last) = damaged.last() else { return Ok((healed, missing)) };
            after = Some(*last);
            for cid in damaged {
                looked += 1;
                match self.block(cid).await {
                    Ok(_) => healed += 1,
                    Err(FetchError::Store(error)) => return Err(error.into()),
                    Err(_) if missing.len() < api::path::DAMAGED => missing.push(cid),
                    Err(_) => {}
                }
                tell(looked);
            }
        }
    }

    /// A block: from the store, from members, from peers of IPFS, or made again of what is left of a
    /// protected object.
    pub(crate) async fn block(&self, cid: Cid) -> Result<Bytes, FetchError> {
        let peers = self.peers();
        let mut fetched = self.home.fetcher.fetch(cid, &peers).await;
        if let (Err(FetchError::NotFound { .. }), Some(ipfs)) = (&fetched, &self.ipfs) {
            fetched = ipfs.fetch(cid).await;
        }
        match &fetched {
            Err(FetchError::NotFound { .. }) => match self.recovered(cid, &peers).await? {
                Some(block) => Ok(block),
                None => fetched,
            },
            _ => fetched,
        }
    }

    /// A block of a protected object that nobody has any more, if enough of the others is left.
    async fn recovered(&self, cid: Cid, peers: &[PublicKey]) -> Result<Option<Bytes>, FetchError> {
        // It may be the root of an object that others protected.
        let found = match self.keeper.find(cid, peers).await {
            Ok(found) => found.into_iter().map(|one| one.manifest).collect(),
            Err(erasure::Error::Store(error)) => return Err(error.into()),
            Err(_) => Vec::new(),
        };
        let known = self.keeper.manifests().into_iter().map(|(manifest, _)| manifest);
        for manifest in found.into_iter().chain(known).take(OBJECTS) {
            match self.keeper.recover(manifest, Wanted::Block(cid), peers).await {
                Ok(_) => return Ok(self.home.store.get(cid).await?),
                Err(erasure::Error::Store(error)) => return Err(error.into()),
                Err(erasure::Error::Unknown(_)) => {}
                Err(error) => tracing::warn!(%cid, %manifest, %error, "a block is lost for now"),
            }
        }
        Ok(None)
    }

    /// Members that may be asked for blocks.
    fn peers(&self) -> Vec<PublicKey> {
        sources((&self.home.chain, self.peers.me()), self.peers.peers(), &[], ASKED)
    }
}
