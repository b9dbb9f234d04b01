//! Beacons of recent blocks, for checking draws.

use identity::Digest;
use protocol::Height;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, sync::Arc};

const CHUNK: u64 = 1024;

/// The last beacons: 32 bytes each, in shared chunks so that a copy of the state is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beacons {
    /// Number of the first chunk: it starts at this times [`CHUNK`].
    first: u64,
    chunks: VecDeque<Arc<Vec<Digest>>>,
    /// Beacons that are kept, at least.
    keep: u64,
}

impl Beacons {
    /// Starts at height 0.
    pub(crate) fn new(of_genesis: Digest, keep: u64) -> Self {
        Self { first: 0, chunks: [Arc::new(vec![of_genesis])].into(), keep }
    }

    /// Adds the beacon of the next height.
    pub(crate) fn push(&mut self, beacon: Digest) {
        match self.chunks.back_mut() {
            Some(last) if (last.len() as u64) < CHUNK => Arc::make_mut(last).push(beacon),
            _ => self.chunks.push_back(Arc::new(vec![beacon])),
        }
        // Without the first chunk and the last, unfinished one there must still be enough.
        while (self.chunks.len() as u64).saturating_sub(2) * CHUNK >= self.keep {
            self.chunks.pop_front();
            self.first += 1;
        }
    }

    /// The beacon of a height, if it is kept.
    pub(crate) fn at(&self, height: Height) -> Option<&Digest> {
        let chunk = (height.0 / CHUNK).checked_sub(self.first)?;
        self.chunks.get(usize::try_from(chunk).ok()?)?.get((height.0 % CHUNK) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_heights_are_known_and_old_ones_forgotten() {
        let digest = |n: u64| Digest::of("n", &[&n.to_be_bytes()]);
        let mut beacons = Beacons::new(digest(0), 3_000);
        for n in 1..10_000 {
            beacons.push(digest(n));
        }
        for n in [9_999, 9_000, 7_000] {
            assert_eq!(beacons.at(Height(n)), Some(&digest(n)), "{n}");
        }
        assert_eq!(beacons.at(Height(10_000)), None);
        assert_eq!(beacons.at(Height(0)), None);
        assert!(beacons.chunks.len() <= 5);
    }
}
