//! Sealed orders: which block holds each, until it expires.

use crate::{
    jobs::key,
    trie::{Expires, Trie},
};
use identity::Digest;
use protocol::{Height, Job, JobId, Time};
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Placed {
    height: Height,
    expires: Time,
}

impl Expires for Placed {
    fn expires(&self) -> Time {
        self.expires
    }
}

/// Sealed orders that did not expire. About 250 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    placed: Trie<Placed>,
    /// The last block that holds one.
    last: Height,
}

impl Orders {
    /// The block that holds an order.
    pub(crate) fn height(&self, job: &JobId) -> Option<Height> {
        self.placed.get(&key(job)).map(|placed| placed.height)
    }

    /// Remembers an order; false if it is here already.
    pub(crate) fn place(&mut self, id: &JobId, job: &Job, height: Height) -> bool {
        let key = key(id);
        let is_new = self.placed.get(&key).is_none();
        if is_new {
            self.placed.insert(key, Placed { height, expires: job.expires });
            self.last = height;
        }
        is_new
    }

    /// Whether an order waits for the beacon of the block after the last one, which is at `tip`.
    pub(crate) fn is_waiting(&self, tip: Height) -> bool {
        tip > Height(0) && self.last == tip
    }

    /// Forgets orders that expired before `time`.
    pub(crate) fn prune(&mut self, time: Time) {
        self.placed.prune(time);
    }

    /// A digest of everything.
    pub(crate) fn root(&self) -> Digest {
        self.placed.root()
    }
}
