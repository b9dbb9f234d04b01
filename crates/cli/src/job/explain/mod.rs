//! Why a job, or a task of it, is where it is: one or two sentences, made of facts, and what to type
//! next where something helps.

mod chain;
mod ended;
pub(crate) mod machines;
mod owners;
mod placing;
mod task;
#[cfg(test)]
mod tests;

use super::names::Names;
use crate::text;
use api::{DisputeState, JobDetail, JobState, NodeInfo, Status, TaskDetail, TaskState};
use protocol::{Time, Unsettled};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// Names in one sentence, at most.
const NAMED: usize = 6;

/// What is said, and what to type next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    /// One or two sentences.
    #[serde(rename = "explanation")]
    pub(crate) text: String,
    /// A command, or another thing to do.
    pub(crate) next: Option<String>,
}

impl Said {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), next: None }
    }

    fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// What to type next, unless something is said already.
    fn or_next(self, next: impl Into<String>) -> Self {
        Self { next: self.next.or(Some(next.into())), ..self }
    }

    /// One more sentence, and its advice unless there is some already.
    fn and(mut self, more: Option<Self>) -> Self {
        if let Some(Self { text, next }) = more {
            self.text.push(' ');
            self.text.push_str(&text);
            self.next = self.next.or(next);
        }
        self
    }
}

/// What is known of a job and of the nodes that could run it.
pub(crate) struct Facts<'a> {
    detail: &'a JobDetail,
    nodes: &'a [NodeInfo],
    status: &'a Status,
    names: Names,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(detail: &'a JobDetail, nodes: &'a [NodeInfo], status: &'a Status) -> Self {
        let name = |info: &NodeInfo| (info.node, (info.owner, info.owner_name.clone()));
        Self { detail, nodes, status, names: nodes.iter().map(name).collect() }
    }

    /// About the job as a whole.
    pub(crate) fn job(&self) -> Said {
        let summary = &self.detail.summary;
        let mut queue = None;
        let said = if summary.state == JobState::Finished {
            self.finished()
        } else if !self.detail.after.is_empty() {
            self.held()
        } else if self.detail.summary.paused && !self.is_over() {
            self.paused()
        } else if self.detail.drawn.is_none() && !self.is_over() {
            self.undrawn()
        } else if self.is_over() {
            self.unwritten()
        } else {
            queue = self.place_in_queue();
            self.running()
        };
        said.and(self.own_engine()).and(queue).and(self.own_clock()).and(self.audits())
    }

    /// Tasks of which the same is to be said, those that need attention first.
    pub(crate) fn groups(&self) -> Vec<(Vec<&'a TaskDetail>, Said)> {
        let mut groups: Vec<Vec<&TaskDetail>> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for task in &self.detail.tasks {
            let place = *places.entry(likeness(task)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[place].push(task);
        }
        groups.sort_by_key(|tasks| urgency(tasks[0]));
        groups.into_iter().map(|tasks| (tasks.clone(), self.tasks(&tasks))).collect()
    }

    /// Every task has ended, and the receipt is not there.
    fn is_over(&self) -> bool {
        let summary = &self.detail.summary;
        summary.settled + summary.unsettled == summary.tasks
    }

    fn running(&self) -> Said {
        let summary = &self.detail.summary;
        let agreed = summary.agreed.saturating_sub(summary.settled);
        let mut parts = vec![format!(
            "{} of {} final",
            summary.settled,
            text::plural(summary.tasks as usize, "task")
        )];
        if agreed > 0 {
            parts.push(format!("{agreed} agreed and not final yet"));
        }
        if summary.unsettled > 0 {
            parts.push(format!("{} not agreed", summary.unsettled));
        }
        let expires = self.detail.order.payload.expires;
        let left = self.lasting(expires.since_ms(self.now()));
        Said::new(format!("Running: {}; the order is good for another {left}.", parts.join(", ")))
    }

    fn held(&self) -> Said {
        let after = &self.detail.after;
        let named: Vec<_> = after.iter().take(NAMED).map(text::short).collect();
        let more = after.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (noun, verb) = if after.len() == 1 { ("job", "has") } else { ("jobs", "have") };
        let expires = text::moment(self.detail.order.payload.expires);
        Said::new(format!(
            "Held until {noun} {}{more} {verb} ended well: every task final, with exit 0. The \
             order is good until {expires}.",
            named.join(", "),
        ))
        .next(format!("polity job explain {}", named[0]))
    }

    fn audits(&self) -> Option<Said> {
        let audits = self.detail.audits;
        (audits.picked > 0).then(|| {
            let picked = text::plural(audits.picked as usize, "task");
            let audited = audits.audited;
            Said::new(format!(
                "A later beacon picked {picked} for an audit; {audited} of them gave the same \
                 again."
            ))
        })
    }

    /// How many must agree, in words.
    fn needs(&self) -> String {
        let nodes = self.status.distinct == protocol::Distinct::Nodes;
        match (self.detail.order.payload.verification.k, nodes) {
            (1, _) => "one node must run it".into(),
            (k, true) => format!("{k} different nodes must agree"),
            (k, false) => format!("{k} different owners must agree"),
        }
    }

    /// What the clock of the home says.
    fn now(&self) -> Time {
        self.status.clock
    }

    fn lasting(&self, ms: u64) -> String {
        text::lasting(Duration::from_millis(ms))
    }

    /// How long ago that was.
    fn ago(&self, time: Time) -> String {
        self.lasting(self.now().since_ms(time))
    }

    /// When that will be, and in how long.
    fn until(&self, time: Time) -> String {
        let left = self.lasting(time.since_ms(self.now()));
        format!("{} (in {left})", text::moment(time))
    }

    /// The end of the job's id, to type.
    fn id(&self) -> String {
        text::short(self.detail.summary.job)
    }
}

/// The same, beginning with a capital.
fn capital(said: &str) -> String {
    let mut chars = said.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Equal for tasks of which the same is to be said, apart from times and heights.
fn likeness(task: &TaskDetail) -> String {
    let mut replicas: Vec<_> =
        task.replicas.iter().map(|r| (r.node, r.state as u8, r.no_result)).collect();
    replicas.sort();
    let state = match &task.state {
        TaskState::Final { end, decided, .. } => {
            replicas.clear();
            format!("final {end} {decided}")
        }
        TaskState::Agreed { end } => {
            replicas.clear();
            format!("agreed {end}")
        }
        other => format!("{other:?}"),
    };
    let dispute = task.dispute.as_ref().map(|dispute| match dispute {
        DisputeState::Decided { refuted, .. } => format!("decided {refuted:?}"),
        DisputeState::Undecided { .. } => "undecided".into(),
        DisputeState::Open { .. } => "open".into(),
        filed @ DisputeState::Filed { .. } => format!("{filed:?}"),
    });
    let skipped = if replicas.is_empty() { &[] } else { &*task.skipped };
    format!("{state} {replicas:?} {skipped:?} {:?} {dispute:?}", task.awaited)
}

/// What needs attention comes first.
fn urgency(task: &TaskDetail) -> u8 {
    match &task.state {
        TaskState::Unsettled { why: Unsettled::Cancelled } => 4,
        TaskState::Unsettled { .. } => 0,
        TaskState::Disputed => 1,
        TaskState::Waiting { .. } => 2,
        TaskState::Running => 3,
        TaskState::Agreed { .. } => 4,
        TaskState::Final { .. } => 5,
    }
}
