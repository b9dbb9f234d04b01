//! When something happened, by the stamps of the home: for whoever asks where the time goes.

use super::{JobRecord, Race, Seat, attempt_of};
use identity::PublicKey;
use protocol::{NoResult, TaskIndex, Time, draw::Skip};
use serde::{Deserialize, Serialize};

/// Tasks of a job of which it is kept how they stood when they ended without agreement.
pub(crate) const LEFT_TASKS: usize = 16;
/// Nodes that are named of one of them, in each list.
const LEFT_NODES: usize = 16;

/// The milestones of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobTimes {
    /// The first replica had committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_commit: Option<Time>,
    /// The last task so far was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Time>,
    /// It was learned that the last task so far is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Time>,
}

/// The milestones of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskTimes {
    /// Its first replica was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<Time>,
    /// It was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Time>,
}

impl TaskTimes {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a task stood when it ended without agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// The task.
    pub task: TaskIndex,
    /// Candidates that were passed over.
    pub skipped: Vec<Skip>,
    /// Those of them that said why they have no result.
    pub no_results: Vec<(PublicKey, NoResult)>,
    /// Replicas that had not answered.
    pub silent: Vec<PublicKey>,
    /// Nodes whose turn it was, and that had no room or were gone a moment ago.
    #[serde(default)]
    pub awaited: Vec<PublicKey>,
}

impl Left {
    /// How a task stands whose replicas are these.
    pub(crate) fn of(record: &JobRecord, task: TaskIndex, race: &Race, assigned: &[Seat]) -> Self {
        let replicas = || {
            let places = assigned.iter().enumerate();
            places.map(|(at, seat)| (record.node(*seat), race.replica(attempt_of(at))))
        };
        let skip = |(seat, reason): (&Seat, _)| Skip { node: record.node(*seat), reason };
        let silent = replicas().filter(|(_, replica)| replica.live && replica.commit.is_none());
        let no_results = replicas().filter_map(|(node, said)| Some((node, said.no_result?)));
        Self {
            task,
            skipped: race.skips.iter().map(|(s, r)| skip((s, *r))).take(LEFT_NODES).collect(),
            no_results: no_results.take(LEFT_NODES).collect(),
            silent: silent.map(|(node, _)| node).take(LEFT_NODES).collect(),
            awaited: race.waiting.iter().map(|s| record.node(*s)).take(LEFT_NODES).collect(),
        }
    }
}
