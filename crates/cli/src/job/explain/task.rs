//! About tasks that are under way, or ended with agreement.

use super::{Facts, Said, capital};
use crate::text;
use api::{ReplicaDetail, ReplicaState, TaskDetail, TaskState};
use identity::PublicKey;
use protocol::{End, Height};

impl Facts<'_> {
    /// About one task.
    pub(crate) fn task(&self, task: &TaskDetail) -> Said {
        self.tasks(&[task])
    }

    /// About tasks of which the same is to be said.
    pub(super) fn tasks(&self, tasks: &[&TaskDetail]) -> Said {
        // Of those that wait, the one that is decided first.
        let due = |task: &&&TaskDetail| task.replicas.iter().filter_map(|r| r.due).min();
        let task = *tasks.iter().min_by_key(|task| (due(task).is_none(), due(task))).expect("one");
        match &task.state {
            TaskState::Waiting { .. } if !self.detail.after.is_empty() => self.held(),
            TaskState::Waiting { .. } if self.detail.drawn.is_none() => self.undrawn(),
            TaskState::Waiting { .. } if task.began.is_none() && task.replicas.is_empty() => {
                self.unasked()
            }
            TaskState::Waiting { .. } => self.short(task),
            TaskState::Running => self.at_work(task),
            TaskState::Disputed => {
                self.dispute(task, tasks.len() == 1, Said::new("Outcomes differ."))
            }
            TaskState::Agreed { end } => self.unaccepted(&end.to_string()),
            TaskState::Final { end, decided, .. } => {
                let said = self.settled(tasks, *end, *decided);
                match task.dispute {
                    Some(_) => self.dispute(task, tasks.len() == 1, said),
                    None => said,
                }
            }
            TaskState::Unsettled { why } => self.unsettled(task, why),
        }
    }

    /// Nobody was asked for it yet.
    fn unasked(&self) -> Said {
        let nobody = Said::new("Nobody was asked yet.");
        if self.detail.summary.paused {
            return nobody.and(Some(self.paused()));
        }
        let begun = self.detail.tasks.iter().any(|task| task.began.is_some());
        match self.place_in_queue().filter(|_| !begun) {
            Some(place) => nobody.and(Some(place)),
            None => Said::new("Nobody was asked yet: other tasks of this job come first."),
        }
    }

    /// Too few nodes can be asked now.
    fn short(&self, task: &TaskDetail) -> Said {
        let mut said = Said::new("It waits for nodes.").and(Some(self.candidates()));
        let passed = self.passed_over(task);
        // What nodes said is nearer to the reason than who is away.
        if let Some(advice) = passed.as_ref().and_then(|said| said.next.clone()) {
            said.next = Some(advice);
        }
        let after = self.progress_of(task);
        let again = task.retry.map(|at| {
            Said::new(format!("Those who may still run it are asked again at {}.", self.until(at)))
        });
        let expires = self.until(self.detail.order.payload.expires);
        let end = Said::new(format!("The order is good until {expires}."));
        let said = said.and(after).and(passed).and(self.missing()).and(again).and(Some(end));
        match self.late(task) {
            Some(late) => said.and(Some(late)),
            None => said,
        }
    }

    /// Nodes that were admitted after the draw cannot be asked.
    fn late(&self, task: &TaskDetail) -> Option<Said> {
        let known = |node: &PublicKey| {
            task.replicas.iter().any(|r| r.node == *node)
                || task.skipped.iter().any(|skip| skip.node == *node)
                || task.awaited.contains(node)
        };
        let parties: Vec<_> =
            self.nodes.iter().filter(|node| known(&node.node)).map(|node| node.party).collect();
        let late = self.nodes.iter().filter(|node| {
            node.connected && node.barred_until.is_none() && !parties.contains(&node.party)
        });
        let late: Vec<_> = late.map(|node| node.node).collect();
        (!late.is_empty() && !parties.is_empty()).then(|| {
            let list = self.list(&late);
            Said::new(format!("Not among those drawn for it: {list}, admitted later."))
                .next("order it again: polity run …")
        })
    }

    /// Replicas run, or wait for their turn.
    fn at_work(&self, task: &TaskDetail) -> Said {
        let verification = self.detail.order.payload.verification;
        let said = Said::new(format!("It runs, {verification}: {}.", self.needs()));
        let said = said.and(self.progress_of(task)).and(self.passed_over(task));
        said.and(self.missing())
    }

    /// What its replicas do.
    fn progress_of(&self, task: &TaskDetail) -> Option<Said> {
        let mut parts = Vec::new();
        let silent = in_state(task, ReplicaState::Assigned);
        if let Some(first) = silent.iter().min_by_key(|replica| replica.due) {
            let since = first.since.map(|at| format!(", asked {} ago", self.ago(at)));
            let due = first
                .due
                .map(|at| format!(" (who says nothing until {} counts as lost)", self.until(at)));
            parts.push(format!(
                "no answer yet from {}{}{}",
                self.with_links(&silent),
                since.unwrap_or_default(),
                due.unwrap_or_default(),
            ));
        }
        let committed = in_state(task, ReplicaState::Committed);
        if !committed.is_empty() {
            parts.push(format!("committed: {}", self.with_links(&committed)));
        }
        let revealed = in_state(task, ReplicaState::Revealed);
        if !revealed.is_empty() {
            parts.push(format!("revealed: {}", self.with_links(&revealed)));
        }
        let (busy, away): (Vec<_>, Vec<_>) =
            task.awaited.iter().copied().partition(|node| self.is_connected(node));
        if !busy.is_empty() {
            let busy = self.list(&busy);
            parts.push(format!("next, as soon as it has done others of this node's: {busy}"));
        }
        if !away.is_empty() {
            parts.push(format!("gone a moment ago and waited for: {}", self.list(&away)));
        }
        (!parts.is_empty()).then(|| Said::new(format!("{}.", capital(&parts.join("; ")))))
    }

    /// Nodes of replicas, and which of them are gone.
    fn with_links(&self, replicas: &[&ReplicaDetail]) -> String {
        let name = |replica: &&ReplicaDetail| {
            let gone = if self.is_connected(&replica.node) { "" } else { ", not connected now" };
            format!("{}{gone}", self.names.node(&replica.node))
        };
        let names: Vec<_> = replicas.iter().map(name).collect();
        names.join(" and ")
    }

    fn is_connected(&self, node: &PublicKey) -> bool {
        self.info(node).is_some_and(|info| info.connected)
    }

    /// The ledger accepted them.
    fn settled(&self, tasks: &[&TaskDetail], end: End, decided: bool) -> Said {
        let heights = || {
            tasks.iter().filter_map(|task| match task.state {
                TaskState::Final { height, .. } => Some(height),
                _ => None,
            })
        };
        let (first, last) = (heights().min(), heights().max());
        let at = match (first, last) {
            (Some(first), Some(last)) if first < last => format!("heights {first} to {last}"),
            (Some(first), _) => format!("height {first}"),
            _ => format!("height {}", Height(0)),
        };
        let how = if decided { " on a verdict of the validators" } else { "" };
        let said = Said::new(format!("Final{how} at {at} ({end})."));
        if end.is_success() {
            return said;
        }
        let id = self.id();
        match end {
            End::OutOfFuel => {
                said.next(format!("give it more: polity rerun {id} --failed --fuel 500G"))
            }
            End::OutOfMemory => {
                said.next(format!("give it more: polity rerun {id} --failed --memory 2G"))
            }
            _ => {
                let name = text::cut(&tasks[0].name, 60);
                said.next(format!("what it printed: polity job logs {id} {name}"))
            }
        }
    }
}

/// Its replicas in a state.
fn in_state(task: &TaskDetail, state: ReplicaState) -> Vec<&ReplicaDetail> {
    task.replicas.iter().filter(|replica| replica.state == state).collect()
}
