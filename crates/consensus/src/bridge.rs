//! Between the engine's questions and the application's answers: when a block is built, on what,
//! and when a block is judged.

use crate::{
    Application, Call, Draft, Parent, Verdict,
    block::Sealed,
    convert,
    convert::Key,
    elastic::{Elastic, Runtime},
    pace::Pace,
    pool::Pool,
};
use commonware_consensus::{
    Application as EngineApplication, Heightable,
    marshal::ancestry::Ancestry,
    simplex::{scheme::ed25519::Scheme, types::Context},
};
use commonware_cryptography::{Digested, sha256};
use commonware_macros::select;
use commonware_runtime::Clock;
use futures::{StreamExt, future};
use identity::{Digest, NetworkId};
use protocol::{Block, NamedBlock, NamedTx, Time, limits};
use std::{
    collections::{HashSet, VecDeque},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Blocks that may wait for finality; when as many do, something is wrong that more blocks would
/// only make worse.
const PENDING_BLOCKS: usize = 1_024;
/// Room in a block for what is not a transaction.
const HEADER_BYTES: usize = 64 << 10;

/// What the engine calls.
#[derive(Clone)]
pub(crate) struct Bridge {
    pub(crate) network: NetworkId,
    pub(crate) app: Arc<dyn Application>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) pace: Arc<Pace>,
    /// Height of the last block that the application confirmed.
    pub(crate) applied: Arc<AtomicU64>,
    /// How long to wait for work, in the engine's time.
    pub(crate) idle: Duration,
}

/// The wall clock of a runtime in our unit.
pub(crate) fn now(clock: &impl Clock) -> Time {
    let since = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn instant(time: Time) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH)
}

impl Bridge {
    /// Reads what a block is built on; `None` if the parent is not what will be final, or cannot be
    /// had.
    async fn parent(&self, mut ancestry: impl Ancestry<Sealed>) -> Option<Parent> {
        let applied = self.applied.load(Ordering::Acquire);
        let mut at = ancestry.next().await?;
        let header = at.inner().block().header.clone();
        if header.height.0 < applied {
            return None;
        }
        let mut pending = VecDeque::new();
        while at.height().get() > applied {
            if pending.len() == PENDING_BLOCKS {
                tracing::warn!(height = %header.height, applied, "too many blocks wait for finality");
                return None;
            }
            pending.push_front(at.inner().block().clone());
            if at.height().get() == applied + 1 {
                break;
            }
            at = ancestry.next().await?;
        }
        Some(Parent { header, pending: pending.into() })
    }

    /// Asks for a block as soon as something waits, and for an empty one when the idle time is over
    /// or the ledger wants it.
    async fn build<E: Runtime>(&self, runtime: &E, parent: Parent) -> Option<Block> {
        let on_their_way: HashSet<Digest> =
            parent.pending.iter().flat_map(|block| block.names()).copied().collect();
        let clock = Elastic::new(runtime.child("idle"), self.pace.clone());
        let mut idle = pin!(clock.sleep(self.idle));
        let mut due = false;
        loop {
            let seen = self.pool.changes().count();
            due |= self.is_wanted(&parent);
            let budget = limits::BLOCK_BYTES - HEADER_BYTES;
            let candidates = self.pool.candidates(&on_their_way, budget);
            if due || !candidates.is_empty() {
                let draft = self.ask(&parent, candidates, now(runtime), due).await;
                let found = draft.block.filter(|block| due || !block.txs.is_empty());
                if due || found.is_some() {
                    return found;
                }
                if !draft.stale.is_empty() {
                    continue;
                }
            }
            select! {
                _ = self.pool.changes().after(seen) => {},
                _ = &mut idle => due = true,
            }
        }
    }

    /// Whether the ledger wants the block after `parent`. What it wants on a parent that is not
    /// final yet is unknown, since it is asked after final blocks only.
    fn is_wanted(&self, parent: &Parent) -> bool {
        parent.header.height.0 == self.applied.load(Ordering::Acquire) && self.pool.is_wanted()
    }

    async fn ask(
        &self,
        parent: &Parent,
        candidates: Vec<Arc<NamedTx>>,
        now: Time,
        due: bool,
    ) -> Draft {
        let parent = parent.clone();
        let draft = self.app.propose(Call { parent, candidates, now, due }).await;
        if !draft.stale.is_empty() {
            self.pool.remove(draft.stale.iter().copied());
        }
        draft
    }

    /// Asks until the application has an answer that will not change.
    async fn judge<E: Runtime>(&self, runtime: &E, parent: Parent, block: Arc<NamedBlock>) -> bool {
        loop {
            let verdict = self.app.verify(parent.clone(), block.clone(), now(runtime)).await;
            match verdict {
                Verdict::Valid => return true,
                Verdict::Invalid(reason) => {
                    tracing::warn!(height = %block.header.height, reason, "an invalid block");
                    return false;
                }
                Verdict::NotBefore(time) => runtime.sleep_until(instant(time)).await,
                Verdict::Moot => return future::pending().await,
            }
        }
    }
}

impl<E: Runtime> EngineApplication<E> for Bridge {
    type SigningScheme = Scheme;
    type Context = Context<sha256::Digest, Key>;
    type Block = Sealed;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, _): (E, Self::Context),
        ancestry: impl Ancestry<Sealed>,
        (): (),
    ) -> Option<Digested<Sealed>> {
        let parent = self.parent(ancestry).await?;
        let (height, digest) = (parent.header.height.next(), parent.header.digest());
        let block = self.build(&runtime, parent).await?;
        if block.header.height != height || block.header.parent != digest {
            tracing::error!(%height, "the application built on another parent");
            return None;
        }
        Sealed::new(block)
            .inspect_err(|error| tracing::error!(%height, %error, "the application's block"))
            .ok()
    }

    async fn verify(
        &mut self,
        (runtime, context): (E, Self::Context),
        mut ancestry: impl Ancestry<Sealed>,
    ) -> bool {
        let Some(block) = ancestry.next().await.map(|sealed| sealed.inner().block().clone()) else {
            return future::pending().await;
        };
        let leader = convert::public(&context.leader);
        if block.header.network != self.network || block.header.proposer != Some(leader) {
            tracing::warn!(?leader, "a block of another network or proposer");
            return false;
        }
        match self.parent(ancestry).await {
            Some(parent) => self.judge(&runtime, parent, block).await,
            None => future::pending().await,
        }
    }
}
