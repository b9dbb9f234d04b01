//! What can happen to the work of a home.

use crate::{Quota, Reservation, Window};
use identity::{Digest, PublicKey, Signed};
use objects::Cid;
use protocol::{
    Agreements, Attempt, CommitBatch, Height, Job, JobId, NoResult, Outcome, OutcomeDigest,
    Profile, RevealBatch, Roster, TaskIndex,
};
use serde::{Deserialize, Serialize};

/// One entry of the cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// The owners and nodes that the ledger admitted up to a height.
    Roster {
        /// The height.
        height: Height,
        /// All that are admitted.
        roster: Roster,
    },
    /// An order that passed the node's gate. Its tasks are drawn from the last roster.
    Submit {
        /// The order.
        order: Signed<Job>,
        /// Height of the block whose beacon draws.
        drawn: Height,
        /// That beacon.
        beacon: Digest,
    },
    /// A sealed order that passed the node's gate. It goes on the ledger before anybody is drawn.
    Seal {
        /// The order.
        order: Signed<Job>,
    },
    /// An order that passed the node's gate, and that waits until other jobs of this home have ended
    /// well: every task final, with exit 0. It is drawn, or goes on the ledger, only then; if one
    /// of them ends otherwise, is not known, or is the order itself, it ends as well.
    Hold {
        /// The order.
        order: Signed<Job>,
        /// The jobs.
        after: Vec<JobId>,
    },
    /// A sealed order is on the ledger, and the block after it is final; or
    /// [`crate::Effect::Draw`] was carried out.
    Drawn {
        /// The job.
        job: JobId,
        /// Height of the block whose beacon draws: for a sealed order the one after the block that
        /// holds it.
        drawn: Height,
        /// That beacon.
        beacon: Digest,
        /// All that were admitted at that height.
        roster: Roster,
    },
    /// A node can be spoken to; what it was told before may have been lost.
    Connected(PublicKey),
    /// A node cannot be spoken to.
    Disconnected(PublicKey),
    /// A node committed. Signature, root and order of the batch were checked.
    Committed {
        /// The node that sent it.
        node: PublicKey,
        /// What it said.
        batch: CommitBatch,
    },
    /// A node revealed. Signature, root and order of the batch were checked.
    Revealed {
        /// The node that sent it.
        node: PublicKey,
        /// What it said.
        batch: RevealBatch,
        /// What the leaves open to, in their order.
        outcomes: Vec<Outcome>,
    },
    /// A node has no result for these replicas.
    NoResult {
        /// The node that sent it.
        node: PublicKey,
        /// The job.
        job: JobId,
        /// Task, attempt and reason of each.
        replicas: Vec<(TaskIndex, Attempt, NoResult)>,
    },
    /// The ledger accepted a transaction of the outbox.
    Included {
        /// The job.
        job: JobId,
        /// The tasks that it settles.
        tasks: Vec<TaskIndex>,
        /// The transaction.
        tx: Digest,
        /// The block.
        height: Height,
    },
    /// The ledger accepted a transaction that is of one of this home's jobs and did not come out of
    /// its outbox: it goes on from a state that is older than the ledger.
    Found {
        /// What the ledger has.
        agreements: Box<Agreements>,
        /// The block.
        height: Height,
    },
    /// A transaction of the outbox can never apply.
    RefusedByLedger {
        /// The job.
        job: JobId,
        /// The transaction.
        tx: Digest,
        /// What the ledger says.
        reason: String,
    },
    /// The dispute about a task has ended. Comes after the roster of the same block, so that owners
    /// whom it sanctions are known.
    Ruled {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// What the validators found; nothing if they could not decide.
        outcome: Option<OutcomeDigest>,
    },
    /// The ledger has no dispute about this task and will never take one from this node.
    DisputeRefused {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// What the ledger says.
        reason: String,
    },
    /// The receipt of a finished job is kept.
    ReceiptStored {
        /// The job.
        job: JobId,
        /// The receipt file.
        receipt: Cid,
    },
    /// The submitter takes the job back. What was agreed on still goes to the ledger.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Nobody new is given a task of the job until it is resumed.
    Pause {
        /// The job.
        job: JobId,
    },
    /// The job goes on.
    Resume {
        /// The job.
        job: JobId,
    },
    /// A node said what it is and has. Signature and bounds were checked.
    Profile {
        /// The node.
        node: PublicKey,
        /// What it said.
        profile: Box<Profile>,
        /// How long a message takes to it and back, if that was measured.
        rtt_ms: Option<u32>,
    },
    /// Nothing more is given to a node, or something again.
    Cordon {
        /// The node.
        node: PublicKey,
        /// Why; nothing lifts it.
        reason: Option<String>,
    },
    /// When the owner of a node looks after it; replaces what was said before.
    Windows {
        /// The node.
        node: PublicKey,
        /// The times.
        windows: Vec<Window>,
    },
    /// What a submitter may have under way.
    Quota {
        /// The submitter.
        submitter: PublicKey,
        /// The quota; nothing brings that of the config back.
        quota: Option<Quota>,
    },
    /// Capacity is held back for a submitter for a time. [`Reservation::check`] has passed.
    Reserve {
        /// What it is called, at most 64 characters; replaces what was called so before.
        id: String,
        /// What is held back; nothing ends it.
        reservation: Option<Reservation>,
    },
    /// As [`Self::Led`], by the node that was the home's own before. Written by versions without
    /// clusters of several nodes.
    Lead,
    /// A node begins to lead, after a start or an election, and is the home's own from now on:
    /// nothing is known of who is connected, and effects of the past may not have been carried out.
    Led {
        /// The node.
        by: PublicKey,
    },
    /// [`crate::Work::next_deadline`] has come.
    Tick,
}
