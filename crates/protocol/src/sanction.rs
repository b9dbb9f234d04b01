//! Sanctions: what an owner loses for how long, and for what.

use crate::{Attempt, Height, JobId, TaskIndex, Time};
use identity::{Digest, PublicKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an owner may not do for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Be drawn, as executor or as auditor.
    Execute,
    /// Open disputes and accuse.
    Dispute,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Execute => "is not drawn",
            Self::Dispute => "may not open disputes",
        })
    }
}

/// What a node did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cause {
    /// It claimed an outcome that a verdict refutes.
    Refuted {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// It committed to two outcomes of one replica.
    Commits {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// The replica.
        attempt: Attempt,
    },
    /// It revealed two outcomes of one replica.
    Reveals {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// The replica.
        attempt: Attempt,
    },
    /// It revealed what its commitment does not hide.
    Opening {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
        /// The replica.
        attempt: Attempt,
    },
    /// It ruled twice, and differently, about one task.
    Verdicts {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskIndex,
    },
    /// It voted twice in one view.
    Votes {
        /// The engine's epoch.
        epoch: u64,
        /// The view.
        view: u64,
    },
    /// Its disputes could not be decided, or its accusations did not hold.
    Unfounded {
        /// How many since the last sanction for it.
        failed: u32,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuted { task, .. } => {
                write!(f, "claimed an outcome of task {task} that a verdict refutes")
            }
            Self::Commits { task, .. } => write!(f, "committed to two outcomes of task {task}"),
            Self::Reveals { task, .. } => write!(f, "revealed two outcomes of task {task}"),
            Self::Opening { task, .. } => {
                write!(f, "revealed what its commitment for task {task} does not hide")
            }
            Self::Verdicts { task, .. } => write!(f, "ruled in two ways about task {task}"),
            Self::Votes { view, .. } => write!(f, "voted twice in view {view}"),
            Self::Unfounded { failed } => {
                write!(f, "{failed} of its disputes and accusations failed")
            }
        }
    }
}

impl Cause {
    /// What is taken for it.
    pub fn right(&self) -> Right {
        match self {
            Self::Unfounded { .. } => Right::Dispute,
            _ => Right::Execute,
        }
    }

    /// The job that it is about, if it is about one.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Refuted { job, .. }
            | Self::Commits { job, .. }
            | Self::Reveals { job, .. }
            | Self::Opening { job, .. }
            | Self::Verdicts { job, .. } => Some(job),
            Self::Votes { .. } | Self::Unfounded { .. } => None,
        }
    }
}

/// What the ledger holds against a node: the record that convinces a stranger is the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The node.
    pub node: PublicKey,
    /// Its owner.
    pub owner: PublicKey,
    /// What it did.
    pub cause: Cause,
    /// The transaction that completed the proof: an accusation, or the last verdict.
    pub tx: Digest,
    /// Its block.
    pub height: Height,
    /// That block's time.
    pub time: Time,
}

/// An owner loses a right until a time, which is block time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sanction {
    /// The owner.
    pub owner: PublicKey,
    /// What it lost.
    pub right: Right,
    /// The first finding of it.
    pub finding: Finding,
    /// How often the owner lost this right, this time included.
    pub strike: u32,
    /// Until when.
    pub until: Time,
    /// The block that gave the right back, once it did.
    pub released: Option<Height>,
}
