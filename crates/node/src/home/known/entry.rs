//! What is kept of a receipt: where the result of each task is, by what it is a function of.

use identity::{PublicKey, canonical};
use objects::Cid;
use protocol::{Height, JobId, Placement, Receipt, Report, TaskIndex, TaskKey, Time, Verification};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tasks of one entry.
const ROWS: usize = 512;
/// Files that the tasks of one entry wrote, all together, unless a single one has more.
const FILES: usize = 4_096;
/// Bytes of an entry. With the most files, rows and executors it has three quarters of that.
const ENTRY_BYTES: usize = 2 << 20;

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Version {
    V1(Entry),
}

/// Some tasks of one receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(super) job: JobId,
    /// The receipt file.
    pub(super) receipt: Cid,
    pub(super) verification: Verification,
    pub(super) placement: Placement,
    /// The blocks that accepted the tasks.
    pub(super) blocks: Vec<(Height, Time)>,
    /// Who ran them.
    pub(super) nodes: Vec<PublicKey>,
    pub(super) rows: Vec<Row>,
}

/// One task that is final and ended with exit 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) key: TaskKey,
    pub(super) task: TaskIndex,
    /// Its place in [`Entry::blocks`].
    block: u32,
    /// Their places in [`Entry::nodes`].
    executors: Vec<u32>,
    /// What it wrote: the roots of files.
    pub(super) files: Vec<Cid>,
}

impl Entry {
    pub(super) fn encode(&self) -> Vec<u8> {
        canonical::encode(&Version::V1(self.clone()))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, identity::Error> {
        let Version::V1(entry) = canonical::decode(bytes, ENTRY_BYTES)?;
        Ok(entry)
    }

    /// How much its results are worth: how many replicas had to agree, and whether their draw could
    /// not be ground.
    pub(super) fn rank(&self) -> (u16, bool) {
        (self.verification.k, self.placement == Placement::Sealed)
    }

    /// The block that accepted a task, and its time.
    pub(super) fn block(&self, row: &Row) -> Option<(Height, Time)> {
        self.blocks.get(row.block as usize).copied()
    }

    /// Who ran a task.
    pub(super) fn executors<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = PublicKey> + 'a {
        row.executors.iter().filter_map(|place| self.nodes.get(*place as usize).copied())
    }

    fn is_full(&self, more: usize) -> bool {
        let files: usize = self.rows.iter().map(|row| row.files.len()).sum();
        self.rows.len() >= ROWS || files + more > FILES && !self.rows.is_empty()
    }
}

#[cfg(test)]
impl Row {
    pub(super) fn new(
        key: TaskKey,
        task: TaskIndex,
        (block, executors): (u32, Vec<u32>),
        files: Vec<Cid>,
    ) -> Self {
        Self { key, task, block, executors, files }
    }
}

/// What is kept of a receipt that holds, and is in `file`: its successes.
pub(crate) fn entries_of(receipt: &Receipt, report: &Report, file: Cid) -> Vec<Entry> {
    let body = &receipt.body;
    let (job, table) = (&body.order.payload, &body.table);
    let times: BTreeMap<Height, Time> =
        body.parts.iter().map(|part| (part.header.height, part.header.time)).collect();
    let fresh = || Entry {
        job: report.job,
        receipt: file,
        verification: job.verification,
        placement: job.placement,
        blocks: Vec::new(),
        nodes: Vec::new(),
        rows: Vec::new(),
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut open = fresh();
    for outcome in body.outcomes.iter().filter(|outcome| outcome.end.is_success()) {
        let task = outcome.task;
        let Some(settled) = report.settled.get(&task) else { continue };
        let Some(time) = times.get(&settled.height) else { continue };
        let Some(spec) = table.task_of(task) else { continue };
        let files: Vec<Cid> = outcome.objects().collect();
        if open.is_full(files.len()) {
            entries.push(std::mem::replace(&mut open, fresh()));
        }
        let block = place(&mut open.blocks, (settled.height, *time));
        let executors =
            settled.executors.iter().map(|(node, _)| place(&mut open.nodes, *node)).collect();
        open.rows.push(Row { key: job.key_of(table, &spec), task, block, executors, files });
    }
    if !open.rows.is_empty() {
        entries.push(open);
    }
    entries
}

/// Where something stands in a short list, to which it is added if it is missing.
fn place<T: PartialEq>(all: &mut Vec<T>, one: T) -> u32 {
    let at = all.iter().position(|other| *other == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    });
    u32::try_from(at).expect("an entry has few blocks and nodes")
}
