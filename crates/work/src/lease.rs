//! How long a replica may be silent.

use crate::{
    Config, JobRecord, Work,
    state::{Learned, NodeClass, Replica},
};
use identity::PublicKey;
use protocol::{Job, Time};

/// How much longer than it was ever seen to take a replica may be silent, and than it takes on
/// average.
const OF_MOST: u64 = 4;
const OF_MEAN: u64 = 20;

impl Work {
    /// How long a replica of this job may be silent on a node.
    pub(crate) fn lease_ms(&self, record: &JobRecord, node: &PublicKey) -> u64 {
        let class = self.fleet.class_of(node);
        lease_ms(&self.config, &self.learned, &class, &record.order.payload)
    }
}

/// How long a replica of this job may be silent on a node of this class: its wall time, and what is
/// added to it, unless the program is known to be done much sooner. A lease that was too short costs
/// one replica more, no result: whoever answers after it is heard all the same.
pub(crate) fn lease_ms(config: &Config, learned: &Learned, class: &NodeClass, job: &Job) -> u64 {
    let most_ms = job.limits.wall_ms.saturating_add(config.lease_ms);
    let (mean, longest) =
        (learned.expected_ms(&job.program, class), learned.most_ms(&job.program, class));
    let (Some(mean), Some(longest)) = (mean, longest) else { return most_ms };
    let known = mean.saturating_mul(OF_MEAN).max(longest.saturating_mul(OF_MOST));
    known.saturating_add(config.lease_ms).min(most_ms)
}

/// When the lease of a replica ends of which nothing more is heard.
pub(crate) fn lease_end(
    config: &Config,
    lease_ms: u64,
    replica: &Replica,
    (heard, since): (Time, Time),
) -> Time {
    if replica.shown.is_some() {
        return replica.started.max(since).after_ms(config.reveal_ms);
    }
    // It may work through everything that it was given first, but not for ever.
    let most = lease_ms.saturating_mul(u64::from(config.slots()) + 1);
    let latest = replica.started.after_ms(most);
    replica.started.max(heard).after_ms(lease_ms).min(latest)
}
