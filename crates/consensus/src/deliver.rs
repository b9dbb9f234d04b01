//! Final blocks on their way from the engine to the application, in order, each until confirmed.

use crate::{
    Application, Config, Progress, block::Sealed, convert, convert::Finalized, pool::Pool,
};
use commonware_actor::Feedback;
use commonware_codec::EncodeSize;
use commonware_consensus::{
    Heightable, Reporter,
    marshal::{Update, core::Mailbox, standard::Standard},
    simplex::scheme::ed25519::Scheme,
    types::Height,
};
use commonware_cryptography::Digested;
use commonware_utils::{Acknowledgement, NZUsize, acknowledgement::Exact};
use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{mpsc, watch};

/// Blocks that the engine hands over before the first is confirmed.
pub(crate) const UNCONFIRMED: NonZeroUsize = NZUsize!(16);
/// The engine's store is pruned every so many blocks.
const PRUNE_EVERY: u64 = 256;
/// Blocks that are kept whatever their size.
const KEPT_ANYWAY: usize = 64;

/// What the engine reports to.
#[derive(Clone)]
pub(crate) struct Inbox {
    blocks: mpsc::Sender<(Digested<Sealed>, Exact)>,
    progress: watch::Sender<Progress>,
}

impl Inbox {
    /// An inbox, and where its blocks come out. A restart of delivery may repeat what is
    /// unconfirmed, so there is room for it twice.
    pub(crate) fn new(
        progress: watch::Sender<Progress>,
    ) -> (Self, mpsc::Receiver<(Digested<Sealed>, Exact)>) {
        let (blocks, receiver) = mpsc::channel(2 * UNCONFIRMED.get());
        (Self { blocks, progress }, receiver)
    }
}

impl Reporter for Inbox {
    type Activity = Update<Sealed>;

    fn report(&mut self, update: Update<Sealed>) -> Feedback {
        match update {
            Update::Tip(_, height, _) => {
                self.progress.send_modify(|p| p.tip = p.tip.max(protocol::Height(height.get())));
                Feedback::Ok
            }
            // A block that finds no room drops its acknowledgement, which stops the engine.
            Update::Block(block, done) => match self.blocks.try_send((block, done)) {
                Ok(()) => Feedback::Ok,
                Err(_) => Feedback::Closed,
            },
        }
    }
}

/// Hands final blocks to the application.
pub(crate) struct Delivery {
    pub(crate) app: Arc<dyn Application>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) applied: Arc<AtomicU64>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) store: Mailbox<Scheme, Standard<Sealed>>,
    pub(crate) retained: Retained,
}

/// Blocks that the engine keeps beside the ledger.
pub(crate) struct Retained {
    limit_blocks: u64,
    limit_bytes: u64,
    /// Sizes of the newest blocks, as far as this run delivered them.
    sizes: VecDeque<u64>,
    bytes: u64,
}

impl Retained {
    pub(crate) fn new(config: &Config) -> Self {
        let (limit_blocks, limit_bytes) = (config.retain_blocks, config.retain_bytes);
        Self { limit_blocks, limit_bytes, sizes: VecDeque::new(), bytes: 0 }
    }

    /// Counts a block; gives the height below which blocks may go, now and then.
    fn add(&mut self, height: u64, size_bytes: u64) -> Option<u64> {
        self.sizes.push_back(size_bytes);
        self.bytes += size_bytes;
        let mut keep = self.limit_blocks;
        while self.sizes.len() > KEPT_ANYWAY && self.bytes > self.limit_bytes {
            self.bytes -= self.sizes.pop_front().unwrap_or_default();
            keep = keep.min(self.sizes.len() as u64);
        }
        while self.sizes.len() as u64 > self.limit_blocks {
            self.bytes -= self.sizes.pop_front().unwrap_or_default();
        }
        let due = keep < self.limit_blocks || height.is_multiple_of(PRUNE_EVERY);
        height.checked_sub(keep).filter(|_| due)
    }
}

impl Delivery {
    /// Runs until the engine closes or the application cannot go on; gives the reason, and the
    /// acknowledgement that will not be given: dropping it stops the engine, without the reason.
    pub(crate) async fn run(
        mut self,
        mut blocks: mpsc::Receiver<(Digested<Sealed>, Exact)>,
    ) -> (String, Option<Exact>) {
        while let Some((sealed, done)) = blocks.recv().await {
            let height = sealed.height();
            if height > Height::zero()
                && let Err(reason) = self.deliver(height, &sealed).await
            {
                return (format!("block {height} cannot be applied: {reason}"), Some(done));
            }
            done.acknowledge();
            self.confirm(height.get(), sealed.encode_size() as u64);
            // After the height is known as final: a leader that waits looks at both.
            self.pool.want(self.app.wants_block());
        }
        ("the engine hands over no more blocks".into(), None)
    }

    async fn deliver(&self, height: Height, sealed: &Digested<Sealed>) -> Result<(), String> {
        let block = sealed.inner().block();
        // Another view may have finalized a later block first; then this height has none.
        let finalization = self.store.get_finalization(height).await;
        let certificate = finalization.as_ref().map(convert::certificate);
        let certificate = certificate.filter(|c| c.payload == block.header.digest());
        self.app.finalized(block.clone(), certificate).await?;
        self.pool.settle(height.get(), block.names().iter().copied());
        Ok(())
    }

    fn confirm(&mut self, height: u64, size_bytes: u64) {
        // After a restart, heights that were confirmed before come again.
        let applied = self.applied.fetch_max(height, Ordering::AcqRel).max(height);
        self.progress.send_modify(|p| p.applied = protocol::Height(applied));
        if let Some(keep) = self.retained.add(height, size_bytes) {
            self.store.prune(Height::new(keep));
        }
    }
}

/// Moves the engine's store to heights that the application reached without it.
pub(crate) async fn advance(
    mut floors: mpsc::Receiver<(protocol::Height, Finalized)>,
    store: Mailbox<Scheme, Standard<Sealed>>,
    applied: Arc<AtomicU64>,
) -> &'static str {
    while let Some((height, finalization)) = floors.recv().await {
        applied.fetch_max(height.0.saturating_sub(1), Ordering::AcqRel);
        store.set_floor(finalization);
    }
    "nobody can advance any more"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_kept_by_number_and_by_size() {
        let config = Config { retain_blocks: 300, retain_bytes: 1_000, ..Config::default() };
        let mut retained = Retained::new(&config);
        let small: Vec<_> = (1..=1_024).filter_map(|height| retained.add(height, 1)).collect();
        assert_eq!(small, [512 - 300, 768 - 300, 1_024 - 300]);
        // From here on a block is worth ten.
        let large: Vec<_> = (1_025..=1_200).filter_map(|height| retained.add(height, 10)).collect();
        assert_eq!(large.last(), Some(&1_100));
        let huge = retained.add(1_201, 5_000);
        assert_eq!(huge, Some(1_201 - KEPT_ANYWAY as u64));
    }
}
