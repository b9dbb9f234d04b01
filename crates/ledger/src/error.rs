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
    /// The polity has one owner, and keeps to it.
    #[error("this polity is one owner's alone; found one of several owners with: polity found")]
    OneOwner,
    /// Too late.
    #[error("expired at {expires}, the block's time is {time}")]
    Expired {
        /// Until when it was valid.
        expires: Time,
        /// The block's time.
        time: Time,
    },
    /// Signed later than the block can know: blocks may lag behind while nothing happens.
    #[error("signed at {issued}, the block's time is {time}")]
    Early {
        /// When it says to have been signed.
        issued: Time,
        /// The block's time.
        time: Time,
    },
    /// Valid for longer than the genesis allows.
    #[error("valid until {expires}, which is longer than the genesis allows")]
    Lifetime {
        /// Until when it says to be valid.
        expires: Time,
    },
    /// A second voucher that changes nothing.
    #[error(
        "{by} cannot vouch for {owner}: nobody invited it, {by} vouched for it already, or both are one party"
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
    /// First by score, and no candidate of the draw: unknown then, or barred.
    #[error("task {task}: {node} was given the first replica, and could not have been drawn")]
    NotEligible {
        /// The task.
        task: TaskIndex,
        /// Who was first.
        node: PublicKey,
    },
    /// More replicas than the job allows.
    #[error("task {0}: more replicas than the job allows")]
    TooMany(TaskIndex),
    /// An order that need not be on the ledger.
    #[error("{0} is not a sealed order")]
    NotSealed(JobId),
    /// The sealed order is on the ledger already.
    #[error("{0} is ordered already")]
    Ordered(JobId),
    /// A sealed job whose order is not on the ledger yet.
    #[error("{0} is sealed, and its order is not on the ledger")]
    NotOrdered(JobId),
    /// A sealed job that was drawn with another beacon than that of the block after its order.
    #[error("{0} is sealed, and was drawn with another beacon than the one after its order")]
    OtherDraw(JobId),
    /// The task is disputed: it waits for the verdict.
    #[error("task {task} of {job} is disputed; it waits for the verdict")]
    Disputed {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// The validators could not decide about the task.
    #[error("the dispute about task {task} of {job} could not be decided")]
    Undecided {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// A verdict found another outcome.
    #[error("a verdict refutes this outcome of task {task} of {job}")]
    Refuted {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// An agreement that rests on a verdict which there is not.
    #[error("task {0} rests on a verdict, and there is none")]
    NoVerdict(TaskIndex),
    /// A candidate was passed over for a sanction that its owner does not have.
    #[error("{0} was passed over as sanctioned, and is not")]
    NotSanctioned(PublicKey),
    /// An owner that has lost the right to do this.
    #[error("{owner} may not do this until {until}")]
    Barred {
        /// The owner.
        owner: PublicKey,
        /// Until when.
        until: Time,
    },
    /// Nothing in it changes anything.
    #[error("nothing in it is new")]
    NothingNew,
    /// A dispute about a task that may use more fuel than validators spend.
    #[error("its tasks may use {asked} units of fuel, validators spend {most} on a verdict")]
    Fuel {
        /// What a task may use.
        asked: u64,
        /// What validators spend.
        most: u64,
    },
    /// A claim by a node that could not be drawn.
    #[error("{0} claims an outcome and could not be drawn")]
    NotACandidate(PublicKey),
    /// An audit by a node that no beacon named for it, or too late.
    #[error("{0} is not drawn to audit this task, or is too late")]
    NotAnAuditor(PublicKey),
    /// Too many disputes of one owner wait for their verdicts.
    #[error("{owner} has {most} disputes open, wait for the verdicts")]
    TooManyDisputes {
        /// The owner.
        owner: PublicKey,
        /// How many it may have.
        most: u32,
    },
    /// A verdict by somebody who does not vote.
    #[error("{0} is no validator")]
    NotAValidator(PublicKey),
    /// An audit that found something else: that is a dispute.
    #[error("the audit of task {task} of {job} found another outcome: file a dispute")]
    Differs {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// It was checked as another kind of transaction.
    #[error("the transaction was not checked as what it is")]
    Unchecked,
}

impl Refusal {
    /// Whether the transaction could apply to a later state.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::NotAnOwner(_)
                | Self::NotANode(_)
                | Self::Drawn(_)
                | Self::NotOrdered(_)
                | Self::Early { .. }
                | Self::Disputed { .. }
                | Self::TooManyDisputes { .. }
        )
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
    /// Its transactions cost more to check than those of a block may.
    #[error("block {0} costs more to check than a block may")]
    Effort(Height),
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
