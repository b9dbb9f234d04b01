//! Transactions that were checked, so that a block does not check them again.

use identity::Digest;
use ledger::CheckedTx;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Bytes of transactions that are remembered at most.
const BYTES: usize = 64 << 20;

/// The last checked transactions, oldest forgotten first.
#[derive(Default)]
pub(super) struct Cache {
    known: HashMap<Digest, Arc<CheckedTx>>,
    order: VecDeque<Digest>,
    size_bytes: usize,
}

impl Cache {
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<CheckedTx>> {
        self.known.get(digest).cloned()
    }

    pub(super) fn insert(&mut self, checked: Arc<CheckedTx>) {
        let (digest, size_bytes) = (checked.digest(), checked.size_bytes());
        if self.known.insert(digest, checked).is_none() {
            self.size_bytes += size_bytes;
            self.order.push_back(digest);
        }
        while self.size_bytes > BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(&oldest);
        }
    }

    pub(super) fn forget(&mut self, digest: &Digest) {
        if let Some(checked) = self.known.remove(digest) {
            self.size_bytes -= checked.size_bytes();
        }
        // Names of forgotten transactions stay queued; they are few and small, but bounded too.
        if self.order.len() > 2 * self.known.len() + 1024 {
            let known = &self.known;
            self.order.retain(|digest| known.contains_key(digest));
        }
    }
}
