//! The tasks of a job: those that began as rows, all others as ranges.
//!
//! A task that nobody was asked for costs nothing: it is one of the range that waits, or of a range
//! of tasks that ended in the same way.

use super::{Seat, TaskState, TaskTimes};
use protocol::{TaskIndex, Unsettled, pairs};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{collections::BTreeMap, fmt};

/// One task that began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskRecord {
    /// The node of each attempt.
    pub(crate) assigned: Vec<Seat>,
    pub(crate) state: TaskState,
    #[serde(default, skip_serializing_if = "TaskTimes::is_empty")]
    pub(crate) times: TaskTimes,
}

/// Tasks in a row that ended in the same way before anybody was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ended {
    count: u32,
    why: Unsettled,
}

/// All tasks of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tasks {
    count: u32,
    #[serde(with = "pairs")]
    rows: BTreeMap<TaskIndex, TaskRecord>,
    /// By the first task of each.
    #[serde(with = "pairs")]
    ended: BTreeMap<TaskIndex, Ended>,
}

impl Tasks {
    /// So many tasks that wait.
    pub(crate) fn new(count: u32) -> Self {
        Self { count, rows: BTreeMap::new(), ended: BTreeMap::new() }
    }

    /// Whether there is such a task.
    pub(crate) fn has(&self, task: TaskIndex) -> bool {
        task.0 < self.count
    }

    /// A task that began.
    pub(crate) fn get(&self, task: TaskIndex) -> Option<&TaskRecord> {
        self.rows.get(&task)
    }

    pub(crate) fn get_mut(&mut self, task: TaskIndex) -> Option<&mut TaskRecord> {
        self.rows.get_mut(&task)
    }

    /// The node of each attempt; none before it began.
    pub(crate) fn assigned(&self, task: TaskIndex) -> &[Seat] {
        self.rows.get(&task).map_or(&[], |row| &row.assigned)
    }

    /// All that began, sorted.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (TaskIndex, &TaskRecord)> {
        self.rows.iter().map(|(task, row)| (*task, row))
    }

    /// A task begins.
    pub(crate) fn begin(&mut self, task: TaskIndex, row: TaskRecord) {
        self.rows.insert(task, row);
    }

    /// Tasks from there on end, of which none began. Gives how many they are.
    pub(crate) fn end_rest(&mut self, from: TaskIndex, why: Unsettled) -> u32 {
        let count = self.count.saturating_sub(from.0);
        if count > 0 {
            self.ended.insert(from, Ended { count, why });
        }
        count
    }

    /// Why a task ended that never began.
    pub(crate) fn why(&self, task: TaskIndex) -> Option<&Unsettled> {
        let (from, ended) = self.ended.range(..=task).next_back()?;
        (task.0 - from.0 < ended.count).then_some(&ended.why)
    }

    /// Ranges of tasks that ended before they began: the first, how many, and why.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (TaskIndex, u32, &Unsettled)> {
        self.ended.iter().map(|(from, ended)| (*from, ended.count, &ended.why))
    }

    /// The form of before: a row for each task.
    fn of_rows(all: Vec<TaskRecord>) -> Self {
        let mut tasks = Self::new(u32::try_from(all.len()).unwrap_or(u32::MAX));
        for (task, row) in (0..).map(TaskIndex).zip(all) {
            match row.state {
                TaskState::Waiting => {}
                TaskState::Unsettled { why, .. } if row.assigned.is_empty() => {
                    let last = tasks.ended.last_entry();
                    let mut last = last.filter(|l| l.key().0 + l.get().count == task.0);
                    match last.as_mut().map(|last| last.get_mut()).filter(|l| l.why == why) {
                        Some(last) => last.count += 1,
                        None => {
                            tasks.ended.insert(task, Ended { count: 1, why });
                        }
                    }
                }
                _ => tasks.begin(task, row),
            }
        }
        tasks
    }
}

/// As [`Tasks`], for reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    count: u32,
    #[serde(with = "pairs")]
    rows: BTreeMap<TaskIndex, TaskRecord>,
    #[serde(with = "pairs")]
    ended: BTreeMap<TaskIndex, Ended>,
}

/// Reads both forms. (An untagged enum would read keys and signatures as if they were text.)
struct Forms;

impl<'de> de::Visitor<'de> for Forms {
    type Value = Tasks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of tasks, or a list with a row for each")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Tasks, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Tasks::of_rows)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Tasks, A::Error> {
        let Table { count, rows, ended } =
            Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Tasks { count, rows, ended })
    }
}

impl<'de> Deserialize<'de> for Tasks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Forms)
    }
}
