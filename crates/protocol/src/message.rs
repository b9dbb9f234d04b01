//! What a home and its workers, and a follower and the chain, say to each other.

use crate::{
    Attempt, Block, Certificate, CommitBatch, Height, Job, JobId, Member, NoResult, Outcome,
    Profile, RevealBatch, TaskIndex, Time, Tx,
};
use identity::{Digest, Signed};
use serde::{Deserialize, Serialize};

/// From the home of a job to a worker. At most [`crate::limits::MESSAGE_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub enum ToWorker {
    /// Run these replicas. The worker checks the order again itself.
    Assign {
        /// The job as its submitter signed it.
        order: Signed<Job>,
        /// Height of the block whose beacon drew them.
        drawn: Height,
        /// Task and attempt of each.
        replicas: Vec<(TaskIndex, Attempt)>,
    },
    /// All commitments of these tasks are in: reveal.
    Sets {
        /// The job.
        job: JobId,
        /// For each task all its commitments, in the order of their attempts.
        sets: Vec<(TaskIndex, Vec<Member>)>,
        /// The batches that hold them.
        commits: Vec<CommitBatch>,
    },
    /// These tasks need nothing more from the worker.
    Close {
        /// The job.
        job: JobId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
}

/// From a worker to the home. At most [`crate::limits::MESSAGE_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToHome {
    /// Outcomes are there, hidden.
    Committed(CommitBatch),
    /// Outcomes, opened.
    Revealed {
        /// The signed reveals.
        batch: RevealBatch,
        /// What they open to, in the order of the leaves.
        outcomes: Vec<Outcome>,
    },
    /// These replicas have no result.
    NoResult {
        /// The job.
        job: JobId,
        /// Task, attempt and reason of each.
        replicas: Vec<(TaskIndex, Attempt, NoResult)>,
    },
}

/// What a node asks another about the chain. At most [`crate::limits::MESSAGE_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChainRequest {
    /// Blocks from a height on, as many as fit a message.
    Blocks {
        /// The first height wanted.
        from: Height,
    },
    /// Please order this transaction.
    Submit(Box<Tx>),
}

/// The answer to a [`ChainRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChainReply {
    /// Consecutive blocks, each with its certificate if it has its own. The last one has.
    Blocks {
        /// Height of the last final block that the peer has.
        head: Height,
        /// The blocks.
        blocks: Vec<(Block, Option<Certificate>)>,
    },
    /// The transaction waits to be ordered.
    Taken,
    /// The transaction does not apply.
    Refused(String),
}

/// What a node says of itself to a peer that asks. Nobody relies on it: it is for people who look
/// for what is wrong. At most [`crate::limits::ABOUT_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Version of its program: letters, digits and signs of ASCII, at most 64.
    pub version: String,
    /// Version and configuration of its engine.
    pub engine: Digest,
    /// Height of its last final block.
    pub height: Height,
    /// What its clock says.
    pub clock: Time,
}

/// The same with what the node measured of itself. At most [`crate::limits::ABOUT_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introduction {
    /// What it says of itself.
    pub about: About,
    /// What it is and has, once it has measured that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Signed<Profile>>,
}

impl About {
    /// Whether it can be shown to a person as it is.
    pub fn is_plain(&self) -> bool {
        self.version.len() <= 64 && self.version.chars().all(|c| c.is_ascii_graphic())
    }
}
