//! Transactions that wait for a block, and whether the ledger waits for one without any.

use crate::{Config, SubmitError, signal::Signal};
use bytes::Bytes;
use commonware_utils::sync::Mutex;
use identity::{Digest, PublicKey};
use protocol::NamedTx;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Blocks after which a transaction that no leader took is dropped.
const LIFETIME_BLOCKS: u64 = 1_024;
/// One validator may fill this part of the pool.
const SHARE_OF_ONE_PEER: usize = 2;

/// A bounded pool; the oldest transactions go first.
pub(crate) struct Pool {
    limit_txs: usize,
    limit_bytes: usize,
    state: Mutex<State>,
    /// Whether the ledger wants a block in any case.
    wanted: AtomicBool,
    changes: Signal,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<u64, Entry>,
    places: HashMap<Digest, u64>,
    next: u64,
    bytes: usize,
    /// Entries and bytes that came from each other validator.
    of_peers: HashMap<PublicKey, (usize, usize)>,
    /// Height of the last final block that was settled.
    height: u64,
    closed: bool,
}

struct Entry {
    tx: Arc<NamedTx>,
    /// The validator it came from; none if it was submitted here.
    from: Option<PublicKey>,
    born: u64,
}

impl Pool {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limit_txs: config.pool_txs,
            limit_bytes: config.pool_bytes,
            state: Mutex::default(),
            wanted: AtomicBool::new(false),
            changes: Signal::default(),
        }
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.state.lock().places.contains_key(digest)
    }

    /// Keeps a transaction that was checked. `false` if it is here already. Whoever inserts tells
    /// of it afterwards ([`Self::tell`]), once for all that it inserts.
    ///
    /// # Errors
    /// [`SubmitError::Full`] or [`SubmitError::Closed`].
    pub(crate) fn insert(
        &self,
        tx: Arc<NamedTx>,
        from: Option<PublicKey>,
    ) -> Result<bool, SubmitError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed {
            return Err(SubmitError::Closed);
        }
        if state.places.contains_key(&tx.digest()) {
            return Ok(false);
        }
        let size = tx.bytes().len();
        let mut full =
            state.entries.len() >= self.limit_txs || state.bytes + size > self.limit_bytes;
        if let Some((txs, held)) = from.and_then(|peer| state.of_peers.get(&peer)) {
            full |= *txs >= self.limit_txs.div_ceil(SHARE_OF_ONE_PEER);
            full |= held + size > self.limit_bytes / SHARE_OF_ONE_PEER;
        }
        if full {
            return Err(SubmitError::Full { txs: state.entries.len(), bytes: state.bytes });
        }
        let place = state.next;
        state.next += 1;
        state.bytes += size;
        state.places.insert(tx.digest(), place);
        if let Some(peer) = from {
            let share = state.of_peers.entry(peer).or_default();
            *share = (share.0 + 1, share.1 + size);
        }
        state.entries.insert(place, Entry { tx, from, born: state.height });
        Ok(true)
    }

    /// Tells that there is more.
    pub(crate) fn tell(&self) {
        self.changes.raise();
    }

    /// The oldest transactions that are not in `except` and fit into `budget_bytes` together.
    pub(crate) fn candidates(
        &self,
        except: &HashSet<Digest>,
        budget_bytes: usize,
    ) -> Vec<Arc<NamedTx>> {
        let mut left = budget_bytes;
        let mut chosen = Vec::new();
        for entry in self.state.lock().entries.values() {
            if except.contains(&entry.tx.digest()) {
                continue;
            }
            match left.checked_sub(entry.tx.bytes().len()) {
                Some(rest) => left = rest,
                None => break,
            }
            chosen.push(entry.tx.clone());
        }
        chosen
    }

    /// The oldest transactions that were submitted here, at most `count`.
    pub(crate) fn own(&self, count: usize) -> Vec<Bytes> {
        let state = self.state.lock();
        let own = state.entries.values().filter(|entry| entry.from.is_none());
        own.take(count).map(|entry| entry.tx.bytes().clone()).collect()
    }

    /// Removes transactions that are final, or will never be.
    pub(crate) fn remove(&self, digests: impl IntoIterator<Item = Digest>) {
        let mut state = self.state.lock();
        for digest in digests {
            state.remove(&digest);
        }
        drop(state);
        self.changes.raise();
    }

    /// Removes the transactions of a final block, and those that waited for too long.
    pub(crate) fn settle(&self, height: u64, digests: impl IntoIterator<Item = Digest>) {
        let mut state = self.state.lock();
        state.height = state.height.max(height);
        for digest in digests {
            state.remove(&digest);
        }
        let oldest = state.height.saturating_sub(LIFETIME_BLOCKS);
        while let Some(digest) =
            state.entries.values().next().and_then(|entry| entry.expired(oldest))
        {
            tracing::debug!(%digest, "a transaction that no block took is dropped");
            state.remove(&digest);
        }
        drop(state);
        self.changes.raise();
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
    }

    /// Says whether the ledger wants a block, with or without transactions.
    pub(crate) fn want(&self, wanted: bool) {
        if self.wanted.swap(wanted, Ordering::AcqRel) || wanted {
            self.changes.raise();
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Whether there is something to make a block for.
    pub(crate) fn has_work(&self) -> bool {
        self.is_wanted() || !self.state.lock().entries.is_empty()
    }

    /// Raised whenever the pool or what is wanted changes, and for each block after which another
    /// is wanted.
    pub(crate) fn changes(&self) -> &Signal {
        &self.changes
    }
}

impl Entry {
    fn expired(&self, oldest: u64) -> Option<Digest> {
        (self.born < oldest).then_some(self.tx.digest())
    }
}

impl State {
    fn remove(&mut self, digest: &Digest) {
        let Some(entry) = self.places.remove(digest).and_then(|place| self.entries.remove(&place))
        else {
            return;
        };
        let size = entry.tx.bytes().len();
        self.bytes -= size;
        let Some(peer) = entry.from else { return };
        if let Some(share) = self.of_peers.get_mut(&peer) {
            *share = (share.0 - 1, share.1 - size);
            if share.0 == 0 {
                self.of_peers.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{key, tx};

    fn pool(txs: usize, bytes: usize) -> Pool {
        Pool::new(&Config { pool_txs: txs, pool_bytes: bytes, ..Config::default() })
    }

    fn put(pool: &Pool, number: u64, from: Option<PublicKey>) -> Result<bool, SubmitError> {
        pool.insert(Arc::new(NamedTx::new(tx(number))), from)
    }

    fn names(pool: &Pool, except: &[u64], budget: usize) -> Vec<Digest> {
        let except = except.iter().map(|n| tx(*n).digest()).collect();
        pool.candidates(&except, budget).iter().map(|c| c.digest()).collect()
    }

    #[test]
    fn the_oldest_go_first_within_the_budget_and_without_those_on_their_way() {
        let pool = pool(10, 1 << 20);
        for number in 0..4 {
            assert_eq!(put(&pool, number, None), Ok(true));
        }
        assert_eq!(put(&pool, 2, None), Ok(false), "the same twice");
        let name = |n: u64| tx(n).digest();
        assert_eq!(names(&pool, &[], 1 << 20), [name(0), name(1), name(2), name(3)]);
        assert_eq!(names(&pool, &[0, 2], 1 << 20), [name(1), name(3)]);
        let two = tx(0).encode().len() + tx(1).encode().len();
        assert_eq!(names(&pool, &[], two), [name(0), name(1)]);
        pool.remove([name(0), name(3)]);
        assert_eq!(names(&pool, &[], 1 << 20), [name(1), name(2)]);
    }

    #[test]
    fn a_full_pool_says_so_and_takes_again_when_there_is_room() {
        let pool = pool(2, 1 << 20);
        put(&pool, 0, None).unwrap();
        put(&pool, 1, None).unwrap();
        assert!(matches!(put(&pool, 2, None), Err(SubmitError::Full { txs: 2, .. })));
        pool.settle(1, [tx(0).digest()]);
        assert_eq!(put(&pool, 2, None), Ok(true));
    }

    #[test]
    fn one_validator_cannot_fill_the_pool() {
        let pool = pool(4, 1 << 20);
        let peer = key(1).public();
        put(&pool, 0, Some(peer)).unwrap();
        put(&pool, 1, Some(peer)).unwrap();
        assert!(matches!(put(&pool, 2, Some(peer)), Err(SubmitError::Full { .. })));
        assert_eq!(put(&pool, 2, None), Ok(true));
        assert_eq!(put(&pool, 3, Some(key(2).public())), Ok(true));
        assert_eq!(pool.own(9), [Bytes::from(tx(2).encode())]);
    }

    #[test]
    fn what_no_leader_takes_is_dropped_in_the_end() {
        let pool = pool(4, 1 << 20);
        put(&pool, 0, None).unwrap();
        pool.settle(LIFETIME_BLOCKS, []);
        assert!(pool.has_work());
        put(&pool, 1, None).unwrap();
        pool.settle(LIFETIME_BLOCKS + 1, []);
        assert_eq!(names(&pool, &[], 1 << 20), [tx(1).digest()]);
    }

    #[test]
    fn a_wanted_block_is_work_and_every_answer_that_matters_is_told() {
        let pool = pool(4, 1 << 20);
        let told = || pool.changes().count();
        pool.want(false);
        assert_eq!((pool.has_work(), told()), (false, 0));
        pool.want(true);
        pool.want(true);
        assert_eq!((pool.has_work(), told()), (true, 2));
        pool.want(false);
        assert_eq!((pool.has_work(), told()), (false, 3));
    }

    #[test]
    fn a_closed_pool_refuses() {
        let pool = pool(4, 1 << 20);
        pool.close();
        assert_eq!(put(&pool, 0, None), Err(SubmitError::Closed));
    }
}
