//! Why a job, or a task of it, is where it is: one or two sentences, made of facts.

use super::{names::Names, progress};
use crate::text;
use api::{DisputeState, JobDetail, JobState, NodeInfo, ReplicaState, TaskDetail, TaskState};
use identity::PublicKey;
use protocol::{
    Unsettled,
    draw::{Skip, SkipReason},
};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes in one sentence, at most.
const NAMED: usize = 6;

/// What is known of a job and of the nodes that could run it.
pub(crate) struct Facts<'a> {
    detail: &'a JobDetail,
    nodes: &'a [NodeInfo],
    names: Names,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(detail: &'a JobDetail, nodes: &'a [NodeInfo]) -> Self {
        let name = |info: &NodeInfo| (info.node, (info.owner, info.owner_name.clone()));
        Self { detail, nodes, names: nodes.iter().map(name).collect() }
    }

    /// About the job as a whole.
    pub(crate) fn job(&self) -> String {
        let summary = &self.detail.summary;
        let mut said = match (summary.state, self.detail.drawn, self.detail.ordered) {
            (JobState::Finished, ..) => format!(
                "Finished: {} of {} final, {} not agreed.",
                summary.settled,
                text::plural(summary.tasks as usize, "task"),
                summary.unsettled,
            ),
            (JobState::Running, None, None) => "The order is sealed: it waits to be put on the \
                ledger, and the beacon of the block after it draws the nodes."
                .into(),
            (JobState::Running, None, Some(height)) => format!(
                "The order is sealed and on the ledger since height {height}: it waits for the \
                 beacon of height {}, which draws the nodes.",
                height.next(),
            ),
            (JobState::Running, Some(_), _) => format!(
                "Running: {} of {} final, {} agreed and not final yet, {} not agreed.",
                summary.settled,
                text::plural(summary.tasks as usize, "task"),
                summary.agreed.saturating_sub(summary.settled),
                summary.unsettled,
            ),
        };
        let audits = self.detail.audits;
        if audits.picked > 0 {
            let (picked, audited) = (audits.picked as usize, audits.audited);
            said.push_str(&format!(
                " A later beacon picked {} for an audit; {audited} of them gave the same again.",
                text::plural(picked, "task"),
            ));
        }
        said
    }

    /// About one task.
    pub(crate) fn task(&self, task: &TaskDetail) -> String {
        let said = match &task.state {
            TaskState::Waiting { .. } if self.detail.drawn.is_none() => return self.job(),
            TaskState::Waiting { why } => {
                format!("It waits: {why}. {}{}", self.candidates(), self.skips(task))
            }
            TaskState::Running => format!("{}{}", self.replicas(task), self.skips(task)),
            TaskState::Disputed => self.dispute(task, "Outcomes differ."),
            TaskState::Agreed { end } => {
                format!("Enough nodes agree ({end}); it waits for a block of the ledger.")
            }
            TaskState::Final { end, height, decided } => {
                let how = if *decided { " on a verdict of the validators" } else { "" };
                let said = format!("Final{how} at height {height} ({end}).");
                if task.dispute.is_some() { self.dispute(task, &said) } else { said }
            }
            TaskState::Unsettled { why } => self.unsettled(task, why),
        };
        said.trim_end().to_string()
    }

    /// Tasks of which the same is to be said, in the order of the first of each.
    pub(crate) fn groups(&self) -> Vec<(Vec<&'a TaskDetail>, String)> {
        let mut groups: Vec<(Vec<&TaskDetail>, String)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for task in &self.detail.tasks {
            let said = self.task(task);
            let place = *places.entry(said.clone()).or_insert_with(|| {
                groups.push((Vec::new(), said));
                groups.len() - 1
            });
            groups[place].0.push(task);
        }
        groups
    }

    /// Who could run a task now.
    fn candidates(&self) -> String {
        let parties = |is: &dyn Fn(&NodeInfo) -> bool| {
            let all: BTreeSet<_> =
                self.nodes.iter().filter(|node| is(node)).map(|node| node.party).collect();
            all
        };
        let all = parties(&|_| true);
        let there = parties(&|node| node.connected && node.barred_until.is_none());
        let needed = self.detail.order.payload.verification.k;
        let owners = text::plural(all.len(), "owner");
        let needs = match needed {
            1 => "One node must run it".to_string(),
            needed => format!("{needed} different owners must agree"),
        };
        let (there, word) = (there.len(), if there.len() == 1 { "has" } else { "have" });
        let mut said = format!(
            "{needs}; of {owners}, {there} {word} a node that can be drawn and is connected."
        );
        for (party, (names, until)) in self.barred() {
            let who = if names.is_empty() { format!("…{}", party.short()) } else { names };
            said.push_str(&format!(" {who} is not drawn until {}.", text::moment(until)));
        }
        said
    }

    /// Parties that are not drawn, what their owners call themselves, and until when.
    fn barred(&self) -> BTreeMap<PublicKey, (String, protocol::Time)> {
        let mut all = BTreeMap::new();
        for node in self.nodes {
            if let Some(until) = node.barred_until {
                all.entry(node.party).or_insert_with(|| (node.owner_name.clone(), until));
            }
        }
        all
    }

    /// What its replicas do.
    fn replicas(&self, task: &TaskDetail) -> String {
        let in_state = |state: ReplicaState| {
            let nodes = task.replicas.iter().filter(|replica| replica.state == state);
            nodes.map(|replica| self.names.node(&replica.node)).take(NAMED).collect::<Vec<_>>()
        };
        let states = [
            (ReplicaState::Assigned, "not answered by"),
            (ReplicaState::Committed, "committed to by"),
            (ReplicaState::Revealed, "revealed by"),
        ];
        let parts: Vec<_> = states
            .into_iter()
            .map(|(state, word)| (in_state(state), word))
            .filter(|(nodes, _)| !nodes.is_empty())
            .map(|(nodes, word)| format!("{word} {}", nodes.join(", ")))
            .collect();
        let needed = self.detail.order.payload.verification;
        format!("It runs, {needed}: {}.", parts.join("; "))
    }

    /// Who was passed over, and why.
    fn skips(&self, task: &TaskDetail) -> String {
        if task.skipped.is_empty() {
            return String::new();
        }
        let one = |skip: &Skip| format!("{}, {}", self.names.node(&skip.node), reason(skip.reason));
        let mut named: Vec<_> = task.skipped.iter().take(NAMED).map(one).collect();
        if task.skipped.len() > NAMED {
            named.push(format!("and {} more", task.skipped.len() - NAMED));
        }
        format!(" Passed over: {}.", named.join("; "))
    }

    /// How far the dispute about it is, after `said`.
    fn dispute(&self, task: &TaskDetail, said: &str) -> String {
        let more = match &task.dispute {
            None => "The dispute about them is being filed.".into(),
            Some(DisputeState::Filed { refused: None }) => {
                "The dispute waits for a block of the ledger.".into()
            }
            Some(DisputeState::Filed { refused: Some(reason) }) => {
                format!("The ledger did not take the dispute the last time: {reason}.")
            }
            Some(DisputeState::Open { opened, deadline, rulings, quorum, validators }) => format!(
                "A dispute is open since height {opened}: {rulings} of {validators} validators \
                 have ruled, {quorum} must find the same until {} (block time).",
                text::moment(*deadline),
            ),
            Some(DisputeState::Decided { height, refuted, .. }) => {
                let nodes: Vec<_> = refuted.iter().map(|node| self.names.node(node)).collect();
                let at = height.map(|height| format!(" at height {height}")).unwrap_or_default();
                format!("A verdict{at} refutes {}.", nodes.join(", "))
            }
            Some(DisputeState::Undecided { height }) => {
                let at = height.map(|height| format!(", at height {height}")).unwrap_or_default();
                format!("The validators could not decide{at}: nobody is sanctioned for it.")
            }
        };
        format!("{said} {more}")
    }

    fn unsettled(&self, task: &TaskDetail, why: &Unsettled) -> String {
        let mut said = progress::sentence(why).to_string();
        said[..1].make_ascii_uppercase();
        said.push('.');
        match why {
            Unsettled::Dissent | Unsettled::Undecided | Unsettled::Refuted => {
                if task.dispute.is_some() { self.dispute(task, &said) } else { said }
            }
            Unsettled::NoCandidates => format!("{said} {}{}", self.candidates(), self.skips(task)),
            Unsettled::Expired => {
                let expires = text::moment(self.detail.order.payload.expires);
                format!("{said} It was good until {expires}.{}", self.skips(task))
            }
            Unsettled::Cancelled | Unsettled::RefusedByLedger => said,
        }
    }
}

/// Why a candidate was passed over, for people.
fn reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Offline => "not connected",
        SkipReason::Busy => "busy",
        SkipReason::Refused => "did not take the order",
        SkipReason::Lost => "did not answer in time",
        SkipReason::NoResult => "had no result",
        SkipReason::Refuted => "refuted by a verdict",
        SkipReason::Sanctioned => "sanctioned since the draw",
    }
}
