//! Jobs: how they are handed in, and what is told about them.

use crate::{ApiError, DisputeState, Placing};
use bytes::Bytes;
use futures::{StreamExt, stream};
use identity::{PublicKey, Signed};
use objects::Cid;
use protocol::{
    Attempt, End, Height, Job, JobId, NoResult, Priority, TaskIndex, Time, Unsettled, Verification,
    draw::Skip, port::Events,
};
use serde::{Deserialize, Serialize};

/// An order with the bytes that it needs and the node may not have: program, task table, inputs.
pub struct Submission {
    /// The order.
    pub order: Signed<Job>,
    /// Jobs of the same home that must end well first: every task final, with exit 0. The order is
    /// held until then. At most [`protocol::limits::AFTER`]; one that the home does not know is
    /// refused with [`crate::Code::NotFound`]. If one ends otherwise, so does this job: every task
    /// unsettled, with [`Unsettled::After`]. The order's expiry counts all the while.
    pub after: Vec<JobId>,
    /// Blocks of content, each at most [`protocol::limits::BLOB_BYTES`]. Nothing is checked yet.
    /// An error in the stream means that the rest will not come.
    pub blobs: Events<Result<(Cid, Bytes), ApiError>>,
}

/// A stream of blocks that are in memory already.
pub fn blobs_of(blobs: Vec<(Cid, Bytes)>) -> Events<Result<(Cid, Bytes), ApiError>> {
    stream::iter(blobs.into_iter().map(Ok)).boxed()
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Some task is neither final nor given up.
    Running,
    /// Every task is final or unsettled, and there is a receipt.
    Finished,
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSummary {
    /// The job.
    pub job: JobId,
    /// Who signed it.
    pub submitter: PublicKey,
    /// When it was signed; of a job that has ended, when it was taken.
    pub issued: Time,
    /// Where it stands.
    pub state: JobState,
    /// How many tasks it has.
    pub tasks: u32,
    /// Tasks that enough replicas agree on, final ones among them.
    pub agreed: u32,
    /// Tasks that are final.
    pub settled: u32,
    /// Tasks that were given up.
    pub unsettled: u32,
    /// The receipt, once there is one.
    pub receipt: Option<Cid>,
    /// How urgent it is; of a finished job it is not kept.
    #[serde(default)]
    pub priority: Priority,
    /// When it should be done, if that was said; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Whether nobody new is given a task of it.
    #[serde(default)]
    pub paused: bool,
    /// Tasks that are worked on.
    #[serde(default)]
    pub running: u32,
}

/// A job and some of its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDetail {
    /// As in the list.
    pub summary: JobSummary,
    /// The order.
    pub order: Signed<Job>,
    /// The block with the order, if it goes on the ledger before the draw and is there.
    pub ordered: Option<Height>,
    /// Height of the block whose beacon draws the executors; none yet for an order that waits for
    /// its draw.
    pub drawn: Option<Height>,
    /// Jobs that it is held for: those of [`Submission::after`] that have not ended well yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<JobId>,
    /// How many of its final tasks are audited, as far as the ledger knows by now.
    pub audits: AuditCount,
    /// Its milestones, by the clock of its home.
    #[serde(default)]
    pub times: JobTimes,
    /// Since when agreements of it wait for the ledger, if some do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Time>,
    /// What its home could not do for it the last time it tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
    /// Of its program, its table and the inputs of the tasks below, those that are not at its home
    /// any more. It is looked for if a node says that it could not have something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Cid>,
    /// Where it stands in the queue, and how nodes stand towards it.
    #[serde(default)]
    pub placing: Placing,
    /// Tasks, in the order of their indexes.
    pub tasks: Vec<TaskDetail>,
}

/// The milestones of a job. Each is missing as long as it was not reached, and after an update of a
/// home that did not keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobTimes {
    /// Its home took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted: Option<Time>,
    /// The first replica had committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_commit: Option<Time>,
    /// The last task so far was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Time>,
    /// The home learned that the last task so far is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Time>,
    /// The receipt was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
}

/// What a home does for a job beside running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// To put its sealed order before the validators.
    Order,
    /// To put what was agreed on before the validators.
    Publish,
    /// To put a dispute before the validators.
    Dispute,
    /// To fetch what its tasks wrote from those who ran them.
    Keep,
    /// To write its receipt.
    Receipt,
}

/// What could not be done, the last time it was tried. It is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What.
    pub step: Step,
    /// When, by the clock of the home.
    pub at: Time,
    /// Why not: one sentence without a full stop.
    pub reason: String,
}

/// Where the result of a task is that was run before, whichever job it was a part of: final, ended
/// with exit 0, its receipt and its outputs in the store of the node that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTask {
    /// The job whose receipt has it: see [`crate::NodeApi::receipt`].
    pub job: JobId,
    /// Which task of that job.
    pub task: TaskIndex,
    /// How many replicas that job asked to agree.
    pub verification: Verification,
    /// The block that accepted it.
    pub height: Height,
    /// The time of that block.
    pub time: Time,
}

/// How many final tasks of a job were picked to be run again by other owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCount {
    /// Picked by a later beacon.
    pub picked: u32,
    /// Run again, with the same outcome.
    pub audited: u32,
}

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum TaskState {
    /// Nothing runs it now.
    Waiting {
        /// Why: one sentence without a full stop.
        why: String,
    },
    /// Replicas run.
    Running,
    /// Outcomes differ; it waits for what the validators find: see [`TaskDetail::dispute`].
    Disputed,
    /// Enough replicas agree; the ledger has not accepted it yet.
    Agreed {
        /// How the program ended.
        end: End,
    },
    /// The ledger accepted it.
    Final {
        /// How the program ended.
        end: End,
        /// The block.
        height: Height,
        /// Whether it rests on a verdict instead of on enough replicas.
        decided: bool,
    },
    /// It ends without agreement.
    Unsettled {
        /// Why.
        why: Unsettled,
    },
}

/// One task of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDetail {
    /// Its place in the table.
    pub task: TaskIndex,
    /// Its name in the table.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: TaskState,
    /// Its replicas, in the order of their attempts.
    pub replicas: Vec<ReplicaDetail>,
    /// Candidates that were passed over, and why. Of a task that ended without agreement they are
    /// known of some only.
    pub skipped: Vec<Skip>,
    /// Nodes whose turn it is, and that have no room now or were here a moment ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<PublicKey>,
    /// When nodes that were passed over are asked again, if that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Time>,
    /// When its first replica was asked for, by the clock of its home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Time>,
    /// When it was agreed on, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Time>,
    /// Fuel that it used, once it is agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// The dispute about it, if there is or was one.
    pub dispute: Option<DisputeState>,
}

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// Given to its node.
    Assigned,
    /// The node committed to an outcome.
    Committed,
    /// The node revealed its outcome.
    Revealed,
    /// Lost, or without a result.
    Lost,
    /// A verdict refuted its outcome.
    Refuted,
}

/// One replica of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaDetail {
    /// Which one.
    pub attempt: Attempt,
    /// The node.
    pub node: PublicKey,
    /// Where it stands.
    pub state: ReplicaState,
    /// When it was last asked, or shown a set, by the clock of the home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it counts as lost if nothing is heard of its node until then, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Time>,
    /// Why it has no result, if its node said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_result: Option<NoResult>,
}
