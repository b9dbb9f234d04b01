//! Small blobs that were written a moment ago: most are read soon, and many times.

use bytes::Bytes;
use objects::Cid;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes of all of them.
const BYTES: usize = 32 << 20;
/// Bytes of one.
const SMALL_BYTES: usize = 64 << 10;

/// The last small blobs, oldest forgotten first. They are durable, and were checked.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    blobs: HashMap<Cid, Bytes>,
    order: VecDeque<Cid>,
    size_bytes: usize,
}

/// The small ones among blobs.
pub(super) fn small<'a>(blobs: impl Iterator<Item = (&'a Cid, &'a Bytes)>) -> Vec<(Cid, Bytes)> {
    let small = |(_, bytes): &(&Cid, &Bytes)| bytes.len() <= SMALL_BYTES;
    // A copy, because they may be a part of something much larger.
    let copied = |(cid, bytes): (&Cid, &Bytes)| (*cid, Bytes::copy_from_slice(bytes));
    blobs.filter(small).map(copied).collect()
}

impl Recent {
    pub(super) fn keep(&self, blobs: Vec<(Cid, Bytes)>) {
        let mut state = self.state();
        for (cid, bytes) in blobs {
            state.size_bytes += bytes.len();
            match state.blobs.insert(cid, bytes) {
                Some(before) => state.size_bytes -= before.len(),
                None => state.order.push_back(cid),
            }
        }
        while state.size_bytes > BYTES {
            let Some(oldest) = state.order.pop_front() else { break };
            let size_bytes = state.blobs.remove(&oldest).map_or(0, |bytes| bytes.len());
            state.size_bytes -= size_bytes;
        }
    }

    /// Forgets blobs that the store has no more.
    pub(super) fn forget<'a>(&self, cids: impl Iterator<Item = &'a Cid>) {
        let mut state = self.state();
        let mut is_any = false;
        for cid in cids {
            if let Some(bytes) = state.blobs.remove(cid) {
                state.size_bytes -= bytes.len();
                is_any = true;
            }
        }
        if is_any {
            let State { blobs, order, .. } = &mut *state;
            order.retain(|cid| blobs.contains_key(cid));
        }
    }

    pub(super) fn has(&self, cid: &Cid) -> bool {
        self.state().blobs.contains_key(cid)
    }

    pub(super) fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.state().blobs.get(cid).cloned()
    }

    /// The first of these, one at least and no more than `limit_bytes` together; `None` if the
    /// first of them that is wanted is not here.
    pub(super) fn get_some(&self, cids: &[Cid], limit_bytes: usize) -> Option<Vec<Bytes>> {
        let state = self.state();
        let (mut found, mut size_bytes) = (Vec::with_capacity(cids.len()), 0);
        for cid in cids {
            let Some(bytes) = state.blobs.get(cid) else { break };
            size_bytes += bytes.len();
            if size_bytes > limit_bytes && !found.is_empty() {
                break;
            }
            found.push(bytes.clone());
        }
        (!found.is_empty()).then_some(found)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;

    fn small_of(blobs: &[(Cid, Bytes)]) -> Vec<(Cid, Bytes)> {
        small(blobs.iter().map(|(cid, bytes)| (cid, bytes)))
    }

    fn blob(n: u32, size_bytes: usize) -> (Cid, Bytes) {
        let mut bytes = vec![0; size_bytes];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        (Cid::of(Codec::Raw, &bytes), bytes.into())
    }

    #[test]
    fn large_blobs_are_not_kept_and_the_oldest_go_first() {
        let recent = Recent::default();
        assert!(small_of(&[blob(0, SMALL_BYTES + 1)]).is_empty());
        let count = BYTES / SMALL_BYTES;
        for n in 0..=count {
            recent.keep(small_of(&[blob(n as u32, SMALL_BYTES)]));
        }
        assert!(!recent.has(&blob(0, SMALL_BYTES).0));
        assert!(recent.has(&blob(1, SMALL_BYTES).0));
        recent.keep(small_of(&[blob(1, SMALL_BYTES)]));
        assert_eq!(recent.state().size_bytes, BYTES, "the same one counts once");
        recent.forget([blob(1, SMALL_BYTES).0].iter());
        assert!(!recent.has(&blob(1, SMALL_BYTES).0));
        assert_eq!(recent.state().size_bytes, BYTES - SMALL_BYTES);
    }

    #[test]
    fn the_first_of_many_are_answered_within_the_limit() {
        let recent = Recent::default();
        let blobs: Vec<_> = (0..3).map(|n| blob(n, 1_000)).collect();
        recent.keep(small_of(&blobs));
        let cids: Vec<_> = blobs.iter().map(|(cid, _)| *cid).collect();
        let count = |cids: &[Cid], limit| recent.get_some(cids, limit).map(|found| found.len());
        assert_eq!(count(&cids, 10_000), Some(3));
        assert_eq!(count(&cids, 2_500), Some(2));
        assert_eq!(count(&cids, 10), Some(1));
        assert_eq!(count(&[blob(9, 10).0, cids[0]], 10_000), None);
        assert_eq!(count(&[cids[0], blob(9, 10).0], 10_000), Some(1));
    }
}
