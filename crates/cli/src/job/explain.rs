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
        if parts.is_empty() {
            return format!("It runs, {needed}.");
        }
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
            Unsettled::After(job) => format!("{said} It was job {job}."),
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

#[cfg(test)]
mod tests {
    use super::*;
    use api::{AuditCount, JobSummary, ReplicaDetail};
    use identity::{Digest, NetworkId, SecretKey, Signed};
    use objects::{Cid, Codec};
    use protocol::{
        Attempt, End, Height, Job, JobId, Limits, OutcomeDigest, Placement, TaskIndex, Time,
        Verification,
    };

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    /// Nodes 1 to 4 of owners 11 to 14; the last is not connected.
    fn nodes() -> Vec<NodeInfo> {
        let node = |n: u8| NodeInfo {
            node: key(n),
            owner: key(n + 10),
            owner_name: format!("owner {n}"),
            party: key(n + 10),
            barred_until: None,
            lost: Vec::new(),
            validator: true,
            connected: n < 4,
            addresses: Vec::new(),
        };
        (1..=4).map(node).collect()
    }

    fn detail(state: TaskState, dispute: Option<DisputeState>) -> JobDetail {
        let (network, cid) = (NetworkId(Digest([2; 32])), Cid::of(Codec::Raw, b""));
        let order = Job {
            network,
            home: key(1),
            program: cid,
            table: cid,
            tasks: 1,
            seed: Digest([3; 32]),
            engine: Digest([5; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k: 2, n: 3 },
            issued: Time(1),
            expires: Time(86_400_000),
            nonce: Digest([4; 32]),
        };
        let task = TaskDetail {
            task: TaskIndex(0),
            name: "a.csv".into(),
            state,
            replicas: Vec::new(),
            skipped: Vec::new(),
            dispute,
        };
        JobDetail {
            summary: JobSummary {
                job: JobId(cid),
                submitter: key(11),
                issued: Time(1),
                state: JobState::Running,
                tasks: 1,
                agreed: 0,
                settled: 0,
                unsettled: 0,
                receipt: None,
            },
            order: Signed::new(order, network, &SecretKey::from_seed([1; 32])),
            ordered: None,
            after: Vec::new(),
            drawn: Some(Height(3)),
            audits: AuditCount::default(),
            tasks: vec![task],
        }
    }

    fn said(detail: &JobDetail, nodes: &[NodeInfo]) -> String {
        Facts::new(detail, nodes).task(&detail.tasks[0])
    }

    #[test]
    fn a_task_without_candidates_says_who_is_there_who_was_skipped_and_who_is_sanctioned() {
        let mut detail = detail(TaskState::Waiting { why: "too few nodes".into() }, None);
        let mut nodes = nodes();
        nodes[1].barred_until = Some(Time(951_782_400_000));
        detail.tasks[0].skipped = vec![Skip { node: key(4), reason: SkipReason::Offline }];
        let short = key(4).short();
        assert_eq!(
            said(&detail, &nodes),
            format!(
                "It waits: too few nodes. 2 different owners must agree; of 4 owners, 2 have a \
                 node that can be drawn and is connected. owner 2 is not drawn until \
                 2000-02-29T00:00:00Z. Passed over: …{short} (owner owner 4), not connected."
            )
        );
    }

    #[test]
    fn a_sealed_order_says_what_it_waits_for() {
        let mut detail = detail(TaskState::Waiting { why: "not drawn".into() }, None);
        detail.drawn = None;
        assert!(said(&detail, &nodes()).contains("waits to be put on the ledger"));
        detail.ordered = Some(Height(7));
        let said = said(&detail, &nodes());
        assert!(said.contains("since height 7: it waits for the beacon of height 8"), "{said}");
    }

    #[test]
    fn a_dispute_says_how_far_it_is() {
        let open = DisputeState::Open {
            opened: Height(5),
            deadline: Time(0),
            rulings: 1,
            quorum: 3,
            validators: 4,
        };
        assert_eq!(
            said(&detail(TaskState::Disputed, Some(open)), &nodes()),
            "Outcomes differ. A dispute is open since height 5: 1 of 4 validators have ruled, 3 \
             must find the same until 1970-01-01T00:00:00Z (block time)."
        );
        let refused = DisputeState::Filed { refused: Some("too many are open".into()) };
        let said = said(&detail(TaskState::Disputed, Some(refused)), &nodes());
        assert!(said.ends_with("did not take the dispute the last time: too many are open."));
    }

    #[test]
    fn a_task_that_ended_says_what_it_rests_on_or_why_not() {
        let outcome = OutcomeDigest(Digest([1; 32]));
        let decided =
            DisputeState::Decided { outcome, height: Some(Height(8)), refuted: vec![key(2)] };
        let end = TaskState::Final { end: End::Exit(0), height: Height(9), decided: true };
        let short = key(2).short();
        assert_eq!(
            said(&detail(end, Some(decided)), &nodes()),
            format!(
                "Final on a verdict of the validators at height 9 (exit 0). A verdict at height 8 \
                 refutes …{short} (owner owner 2)."
            )
        );
        let undecided = DisputeState::Undecided { height: None };
        let ends = [
            (Unsettled::Undecided, Some(undecided), "could not decide: nobody is sanctioned"),
            (Unsettled::Expired, None, "It was good until 1970-01-02T00:00:00Z."),
            (Unsettled::NoCandidates, None, "of 4 owners, 3 have a node"),
            (Unsettled::Cancelled, None, "Cancelled."),
        ];
        for (why, dispute, expected) in ends {
            let said = said(&detail(TaskState::Unsettled { why }, dispute), &nodes());
            assert!(said.contains(expected), "{expected} in {said}");
        }
    }

    #[test]
    fn replicas_are_told_apart_by_what_they_said() {
        let mut detail = detail(TaskState::Running, None);
        let replica =
            |attempt, n, state| ReplicaDetail { attempt: Attempt(attempt), node: key(n), state };
        detail.tasks[0].replicas = vec![
            replica(0, 1, ReplicaState::Assigned),
            replica(1, 2, ReplicaState::Committed),
            replica(2, 3, ReplicaState::Lost),
        ];
        let said = said(&detail, &nodes());
        assert!(said.starts_with("It runs, 2of3: not answered by …"), "{said}");
        assert!(said.contains("; committed to by …") && !said.contains("owner 3"), "{said}");
    }

    #[test]
    fn tasks_of_which_the_same_is_to_be_said_are_said_together() {
        let mut detail = detail(TaskState::Disputed, None);
        let mut other = detail.tasks[0].clone();
        other.state = TaskState::Agreed { end: End::Exit(0) };
        detail.tasks = vec![detail.tasks[0].clone(), other, detail.tasks[0].clone()];
        let nodes = nodes();
        let facts = Facts::new(&detail, &nodes);
        let sizes: Vec<_> = facts.groups().iter().map(|(tasks, _)| tasks.len()).collect();
        assert_eq!(sizes, [2, 1]);
    }
}
