//! Why a transaction or a block does not apply.

use identity::{Digest, PublicKey};
use protocol::{Height, JobId, TaskIndex, Time};

/// Why a transaction does not apply to a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A signature, a proof or a field does not hold. It will never apply.
    #[error(transparent)]
    Invalid(#[from] protocol::Error),
    /// The key is not an admitted owner.
    #[error("{0} is not an admitted owner")]
    NotAnOwner(PublicKey),
    /// The key is not an admitted node.
    #[error("{0} is not an admitted node")]
    NotANode(PublicKey),
    /// The owner or node is admitted already.
    #[error("{0} is admitted already")]
    Admitted(PublicKey),
    /// The invitation was used.
    #[error("the invitation is spent; ask for another one")]
    Spent,
    /// Too late.
    #[error("expired at {expires}, the block's time is {time}")]
    Expired {
        /// Until when it was valid.
        expires: Time,
        /// The block's time.
        time: Time,
    },
    /// Valid for longer than the genesis allows, or from a future.
    #[error("valid until {expires}, which is longer than the genesis allows")]
    Lifetime {
        /// Until when it says to be valid.
        expires: Time,
    },
    /// A second voucher that changes nothing.
    #[error(
        "{by} cannot second {owner}: it is not sponsored, seconded by it already, or of one party with it"
    )]
    Seconding {
        /// Who vouches.
        by: PublicKey,
        /// For whom.
        owner: PublicKey,
    },
    /// The task is final already.
    #[error("task {task} of {job} is final already")]
    Final {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// The beacon of the draw is unknown: in the future, or too old.
    #[error("drawn with the beacon of block {0}, which is not known here (any more)")]
    Drawn(Height),
    /// The executors are not those of the draw.
    #[error("task {0}: the executors are not those that the draw gives")]
    Unfair(TaskIndex),
    /// More replicas than the job allows.
    #[error("task {0}: more replicas than the job allows")]
    TooMany(TaskIndex),
    /// The job's table has another size than before.
    #[error("{0} was ordered with other numbers before")]
    OtherOrder(JobId),
}

impl Refusal {
    /// Whether the transaction could apply to a later state.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotAnOwner(_) | Self::NotANode(_) | Self::Drawn(_))
    }
}

/// Why a block does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not the next block.
    #[error("block {got} does not follow block {tip}")]
    NotNext {
        /// The last block here.
        tip: Height,
        /// The block that was offered.
        got: Height,
    },
    /// Another parent.
    #[error("block {0} has another parent")]
    Parent(Height),
    /// Its time is not after its parent's.
    #[error("block {height}: {time} is not after its parent's time")]
    Time {
        /// The block.
        height: Height,
        /// Its time.
        time: Time,
    },
    /// Proposed by nobody who may.
    #[error("block {0} was proposed by no validator")]
    Proposer(Height),
    /// Another network or another set of validators.
    #[error("block {0} names another network or other validators")]
    Foreign(Height),
    /// The beacon or its proof does not hold.
    #[error(transparent)]
    Beacon(protocol::Error),
    /// The header does not commit to the transactions, or to the state after them.
    #[error("block {height}: the {root} root is another one")]
    Root {
        /// The block.
        height: Height,
        /// Which root.
        root: &'static str,
    },
    /// A transaction does not apply.
    #[error("block {height}: transaction {digest} does not apply: {refusal}")]
    Tx {
        /// The block.
        height: Height,
        /// The transaction.
        digest: Digest,
        /// Why.
        refusal: Refusal,
    },
}
