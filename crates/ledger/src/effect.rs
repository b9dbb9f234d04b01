//! What a final block changed that others want to know.

use identity::{Digest, PublicKey};
use protocol::{Finding, Height, JobId, OutcomeDigest, Right, Sanction, TaskIndex};

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Somebody was admitted, an owner became its own party, was sanctioned, or was released.
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
    /// A sealed order is on the ledger: the next block draws it.
    Ordered {
        /// The job.
        job: JobId,
        /// Its home.
        home: PublicKey,
        /// The block.
        height: Height,
    },
    /// A dispute was opened.
    Disputed {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// The job's home.
        home: PublicKey,
        /// The block.
        height: Height,
    },
    /// A dispute has ended.
    Ruled {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// The job's home.
        home: PublicKey,
        /// What the validators found; nothing if they could not decide.
        outcome: Option<OutcomeDigest>,
        /// Who said something else.
        refuted: Vec<PublicKey>,
        /// The block.
        height: Height,
    },
    /// Something is held against a node.
    Found(Finding),
    /// An owner lost a right.
    Sanctioned(Sanction),
    /// An owner has a right again.
    Released {
        /// The owner.
        owner: PublicKey,
        /// The right.
        right: Right,
        /// The block.
        height: Height,
    },
    /// An accusation proves nothing: it counts against its author.
    Unfounded {
        /// The author.
        by: PublicKey,
        /// Whom it accuses.
        against: PublicKey,
        /// The block.
        height: Height,
    },
    /// An auditor found what was agreed on.
    Audited {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// The auditor.
        by: PublicKey,
    },
    /// A final block does not apply: this node's state is wrong, or the validators are. The node
    /// must stop.
    Broken(String),
}
