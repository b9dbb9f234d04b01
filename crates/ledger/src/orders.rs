//! Sealed orders: which block holds each, until it expires.

use crate::part::Rooted;
use identity::{Digest, canonical};
use protocol::{Height, Job, JobId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sealed orders that did not expire. About 100 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    placed: BTreeMap<String, (Height, Time)>,
}

impl Orders {
    /// The block that holds an order.
    pub(crate) fn height(&self, job: &JobId) -> Option<Height> {
        self.placed.get(&job.to_string()).map(|(height, _)| *height)
    }

    /// Remembers an order; false if it is here already.
    pub(crate) fn place(&mut self, id: &JobId, job: &Job, height: Height) -> bool {
        let before = self.placed.insert(id.to_string(), (height, job.expires));
        if let Some(before) = before {
            self.placed.insert(id.to_string(), before);
        }
        before.is_none()
    }

    /// Whether an order waits for the beacon of the block after `height`.
    pub(crate) fn is_waiting(&self, height: Height) -> bool {
        self.placed.values().any(|(placed, _)| *placed == height)
    }

    /// Forgets orders that expired before `time`.
    pub(crate) fn prune(&mut self, time: Time) {
        self.placed.retain(|_, (_, expires)| *expires >= time);
    }

    /// Whether [`Self::prune`] would forget something.
    pub(crate) fn is_stale(&self, time: Time) -> bool {
        self.placed.values().any(|(_, expires)| *expires < time)
    }
}

impl Rooted for Orders {
    fn root(&self) -> Digest {
        Digest::of("polity orders", &[&canonical::encode(&self.placed)])
    }
}
