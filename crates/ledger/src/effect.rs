//! What a final block changed that others want to know.

use identity::{Digest, PublicKey};
use protocol::{Height, JobId, TaskIndex};

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Somebody was admitted, or an owner became its own party.
    RosterChanged {
        /// The first height with the new roster.
        height: Height,
    },
    /// A node was admitted.
    NodeAdmitted {
        /// The node.
        node: PublicKey,
        /// Its owner.
        owner: PublicKey,
    },
    /// Tasks became final.
    Settled {
        /// The job.
        job: JobId,
        /// The node that takes care of it.
        home: PublicKey,
        /// The tasks.
        tasks: Vec<TaskIndex>,
        /// The transaction.
        tx: Digest,
        /// The block.
        height: Height,
    },
    /// A final block does not apply: this node's state is wrong, or the validators are. The node
    /// must stop.
    Broken(String),
}
