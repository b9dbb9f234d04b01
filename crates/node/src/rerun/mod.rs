//! Running tasks again, outside the voting path: disputed ones for a verdict, drawn ones as audits.
//! And disputing what became final against what this node found.
//!
//! What there is to do is read from the ledger's state after every block, never from messages, so
//! that a node which restarts goes on. One task runs at a time: a verdict can wait, votes cannot.
//! An audit waits for every verdict.

mod audit;
mod offers;
mod sworn;
#[cfg(test)]
mod tests;
mod verdict;

use crate::{
    chain::{Chain, ChainError, Submit},
    sources::sources,
    worker::{Conduct, Executor, Sworn},
};
use identity::{PublicKey, SecretKey};
use offers::Offers;
use protocol::{
    Height, JobId, TaskIndex, Time,
    port::{Clock, Streams},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use verdict::Ready;

/// The first pause before a task is tried again; it doubles each time.
const PAUSE_MS: u64 = 1_000;
/// The longest one.
const LONGEST_PAUSE_MS: u64 = 30_000;
/// Peers that are asked for content beside those who must have it.
const ASKED: usize = 8;

/// What this role needs of the node.
pub(crate) struct Parts {
    pub(crate) key: SecretKey,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: Arc<dyn Streams>,
    pub(crate) submit: Submit,
    pub(crate) executor: Arc<Executor>,
    pub(crate) conduct: Arc<dyn Conduct>,
    pub(crate) sworn: Arc<Sworn>,
}

/// Names a task.
type Place = (JobId, TaskIndex);

/// Attempts to run a task that had no result.
#[derive(Clone, Copy, Default)]
struct Tries {
    count: u32,
    /// Not before this time.
    next: Time,
}

/// The role.
pub(crate) struct Rerun {
    parts: Parts,
    me: PublicKey,
    tries: BTreeMap<Place, Tries>,
    /// Disputes on which a ruling was signed: never another one.
    ruled: BTreeSet<Place>,
    audited: BTreeSet<Place>,
    ready: Ready,
    offers: Offers,
    /// The last block that was compared with what this node committed to.
    read: Height,
}

/// Runs until the chain ends.
///
/// # Errors
/// If the journal of the chain fails.
pub(crate) async fn run(parts: Parts) -> Result<(), ChainError> {
    let mut head = parts.chain.head();
    let mut rerun = Rerun::new(parts, *head.borrow());
    loop {
        head.borrow_and_update();
        if rerun.turn().await? {
            // There may be more, and something more urgent by now.
            continue;
        }
        let Some(wake) = rerun.next_wake() else {
            match head.changed().await {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            }
        };
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return Ok(()) },
            () = rerun.parts.clock.until(wake) => {}
        }
    }
}

impl Rerun {
    /// Blocks after `read` are compared with what this node committed to.
    fn new(parts: Parts, read: Height) -> Self {
        Self {
            me: parts.key.public(),
            parts,
            tries: BTreeMap::new(),
            ruled: BTreeSet::new(),
            audited: BTreeSet::new(),
            ready: Ready::default(),
            offers: Offers::default(),
            read,
        }
    }

    /// Runs the most urgent task, if there is one, and offers what waits.
    async fn turn(&mut self) -> Result<bool, ChainError> {
        self.forget();
        self.compare().await?;
        let worked = self.rule().await? || self.audit().await?;
        self.offers.put(&self.parts).await;
        Ok(worked)
    }

    /// Forgets attempts at what nobody wants any more.
    fn forget(&mut self) {
        let ledger = self.parts.chain.ledger();
        let open = ledger.disputes().filter(|record| record.is_open());
        let mut wanted: BTreeSet<Place> = open.map(|record| (record.job, record.task)).collect();
        wanted.extend(ledger.duties().map(|duty| (duty.job, duty.task)));
        self.tries.retain(|place, _| wanted.contains(place));
        self.ruled.retain(|place| wanted.contains(place));
        self.audited.retain(|place| wanted.contains(place));
    }

    /// When something can be done although no block comes.
    fn next_wake(&self) -> Option<Time> {
        let now = self.parts.clock.now();
        // What could have been done by now was done, or was tried often enough.
        let tries = self.tries.values().map(|tries| tries.next).filter(|next| *next > now);
        tries.chain(self.offers.next()).min()
    }

    fn is_due(&self, place: &Place) -> bool {
        self.tries.get(place).is_none_or(|tries| tries.next <= self.parts.clock.now())
    }

    /// There was no result: it is tried again later.
    fn postpone(&mut self, place: Place) {
        let now = self.parts.clock.now();
        let tries = self.tries.entry(place).or_default();
        let pause_ms = PAUSE_MS.saturating_mul(1 << tries.count.min(5)).min(LONGEST_PAUSE_MS);
        tries.count += 1;
        tries.next = now.after_ms(pause_ms);
    }

    /// Who is asked for content: these, then others that are connected.
    fn sources(&self, first: impl IntoIterator<Item = PublicKey>) -> Vec<PublicKey> {
        let Parts { chain, streams, .. } = &self.parts;
        let others = sources((chain, self.me), streams.peers(), &[], ASKED);
        let mut asked: Vec<PublicKey> = Vec::new();
        for peer in first.into_iter().chain(others) {
            if peer != self.me && !asked.contains(&peer) {
                asked.push(peer);
            }
        }
        asked
    }
}
