//! What happens to a job, as it is told to whoever waits.

use crate::{
    Attempt, End, Height, JobId, Outcome, OutcomeDigest, TaskIndex, Unsettled, Verification,
    draw::SkipReason,
};
use identity::PublicKey;
use objects::Cid;
use serde::{Deserialize, Serialize};

/// One step in the life of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum JobEvent {
    /// The order is in the cluster's log: it survives the node.
    Admitted {
        /// The job.
        job: JobId,
        /// How many tasks it has.
        tasks: u32,
        /// Height whose beacon draws the executors; none yet if the order goes on the ledger first,
        /// or is held.
        drawn: Option<Height>,
        /// How many must agree.
        verification: Verification,
    },
    /// The order waits: nothing is drawn before these jobs of the same home have ended well.
    Held {
        /// The jobs that have not yet.
        after: Vec<JobId>,
    },
    /// An order that waited is drawn: a sealed one by the beacon of the block after the one that
    /// holds it, one that was held by the last beacon.
    Drawn {
        /// Height of that block.
        drawn: Height,
    },
    /// A replica was given to a node.
    Started {
        /// The task.
        task: TaskIndex,
        /// The replica.
        attempt: Attempt,
        /// The node.
        node: PublicKey,
    },
    /// A candidate was passed over, or a replica was lost.
    Skipped {
        /// The task.
        task: TaskIndex,
        /// The node.
        node: PublicKey,
        /// Why.
        reason: SkipReason,
    },
    /// A first outcome is known; nothing was compared yet.
    Outcome {
        /// The task.
        task: TaskIndex,
        /// The node that revealed it.
        node: PublicKey,
        /// How the program ended.
        end: End,
    },
    /// Replicas gave different outcomes: the validators are asked to run the task again.
    Disputed {
        /// The task.
        task: TaskIndex,
    },
    /// The dispute has ended.
    Ruled {
        /// The task.
        task: TaskIndex,
        /// What the validators found; nothing if they could not decide.
        outcome: Option<OutcomeDigest>,
        /// The nodes that claimed something else.
        refuted: Vec<PublicKey>,
    },
    /// Enough replicas agree.
    Agreed {
        /// What the task gave.
        outcome: Outcome,
        /// The nodes that agree.
        executors: Vec<PublicKey>,
    },
    /// The task ends without agreement.
    Unsettled {
        /// The task.
        task: TaskIndex,
        /// Why.
        why: Unsettled,
    },
    /// Many tasks that follow each other, and that nobody was asked for, end without agreement.
    UnsettledRange {
        /// The first of them.
        from: TaskIndex,
        /// How many they are.
        count: u32,
        /// Why.
        why: Unsettled,
    },
    /// Nobody new is given a task of the job until it is resumed; what runs goes on.
    Paused,
    /// The job goes on.
    Resumed,
    /// The ledger accepted the agreement of these tasks.
    Final {
        /// The tasks.
        tasks: Vec<TaskIndex>,
        /// The block.
        height: Height,
    },
    /// Every task is final or unsettled, and the receipt is kept.
    Finished {
        /// Tasks that are final.
        settled: u32,
        /// Tasks that are not.
        unsettled: u32,
        /// The receipt file, as a UnixFS file.
        receipt: Cid,
    },
}
