//! What waits for time to pass.

use identity::{Digest, PublicKey};
use protocol::{Attempt, JobId, TaskIndex, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Timer {
    /// A node was away for too long.
    Away(PublicKey),
    /// A replica was silent for too long.
    Lease(JobId, TaskIndex, Attempt),
    /// Candidates of a task may be asked again.
    Retry(JobId, TaskIndex),
    /// A job expires.
    Expiry(JobId),
    /// A transaction must be mentioned again.
    Publish(JobId, Digest),
    /// Agreed tasks have waited long enough for more.
    Gather(JobId),
    /// A finished job must be mentioned again.
    Store(JobId),
    /// A sealed order must be mentioned again.
    Order(JobId),
    /// A dispute must be mentioned again.
    Dispute(JobId, TaskIndex),
    /// The owner of a node begins or ends to look after it.
    Window(PublicKey),
    /// The only replica of a task may take long.
    Straggler(JobId, TaskIndex),
    /// A reservation is over.
    Reservation,
}

/// All timers, each exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timers(BTreeSet<(Time, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn remove(&mut self, at: Time, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        if self.next()? <= now { self.0.pop_first() } else { None }
    }
}
