//! Who could run a task, and who was passed over.

use super::{Facts, NAMED, Said, capital};
use crate::text;
use api::{NodeInfo, ReplicaState, TaskDetail};
use identity::PublicKey;
use protocol::{
    NoResult, Time,
    draw::{Skip, SkipReason},
};
use std::collections::BTreeMap;

/// Whether nodes of a party can be drawn and asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    There,
    Away,
    Barred(Time),
}

impl Facts<'_> {
    /// Who could run a task now, and who could not, by name.
    pub(super) fn candidates(&self) -> Said {
        let all = self.parties();
        let named = |is: &dyn Fn(Standing) -> bool| -> Vec<String> {
            let of = all.values().filter(|(_, standing)| is(*standing));
            let mut names: Vec<_> = of.map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        let there = named(&|standing| standing == Standing::There);
        let away = named(&|standing| standing == Standing::Away);
        let word = if self.status.distinct == protocol::Distinct::Nodes { "node" } else { "owner" };
        let has = match there.len() {
            0 => "none is there".to_string(),
            1 => format!("only {} is there", there[0]),
            count => format!("{count} are there ({})", listed(&there)),
        };
        let (needs, owners) = (capital(&self.needs()), text::plural(all.len(), word));
        let mut said = format!("{needs}, and of {owners} {has}.");
        let mut next = None;
        if !away.is_empty() {
            said.push_str(&format!(" Not connected: {}.", listed(&away)));
            next = Some("start them with 'polity up' on their machines, and see: polity node list");
        }
        for (name, standing) in all.values() {
            if let Standing::Barred(until) = standing {
                said.push_str(&format!(" {name} is not drawn until {}.", self.until(*until)));
                next = next.or(Some("polity ledger sanctions"));
            }
        }
        Said { text: said, next: next.map(Into::into) }
    }

    /// All parties, what they are called, and how they stand.
    fn parties(&self) -> BTreeMap<PublicKey, (String, Standing)> {
        let mut all: BTreeMap<PublicKey, (String, Standing)> = BTreeMap::new();
        for node in self.nodes {
            let standing = match (node.barred_until, node.connected) {
                (Some(until), _) => Standing::Barred(until),
                (None, true) => Standing::There,
                (None, false) => Standing::Away,
            };
            let entry = all.entry(node.party).or_insert_with(|| (self.owner(node), standing));
            // One machine that is there is enough.
            if standing == Standing::There {
                entry.1 = standing;
            }
        }
        all
    }

    /// What an owner calls itself, or the end of its key; of a polity of one owner the node's.
    pub(super) fn owner(&self, node: &NodeInfo) -> String {
        if self.status.distinct == protocol::Distinct::Nodes || node.owner_name.is_empty() {
            return format!("…{}", node.node.short());
        }
        node.owner_name.clone()
    }

    /// Who was passed over, by the reason.
    pub(super) fn passed_over(&self, task: &TaskDetail) -> Option<Said> {
        let mut reasons: BTreeMap<String, Vec<PublicKey>> = BTreeMap::new();
        for Skip { node, reason } in &task.skipped {
            let said = self.reason(task, node, *reason);
            reasons.entry(said).or_default().push(*node);
        }
        let named =
            |(reason, nodes): (&String, &Vec<PublicKey>)| format!("{}: {reason}", self.list(nodes));
        let parts: Vec<_> = reasons.iter().map(named).collect();
        if parts.is_empty() {
            return None;
        }
        let said = Said::new(format!("Passed over were {}.", parts.join("; ")));
        let advice = self.no_results(task).into_iter().find_map(|reason| self.advice(reason));
        let sanctioned = task.skipped.iter().any(|skip| skip.reason == SkipReason::Sanctioned);
        let sanctions = sanctioned.then(|| "polity ledger sanctions".to_string());
        Some(Said { next: advice.or(sanctions), ..said })
    }

    /// What nodes said of this task instead of a result, the most telling first.
    fn no_results(&self, task: &TaskDetail) -> Vec<NoResult> {
        let mut all: Vec<_> = task.replicas.iter().filter_map(|r| r.no_result).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Why a node was passed over, in words.
    fn reason(&self, task: &TaskDetail, node: &PublicKey, reason: SkipReason) -> String {
        let said = task.replicas.iter().filter(|r| r.node == *node && is_over(r.state));
        let no_result = said.filter_map(|replica| replica.no_result).next();
        let why = match (no_result, reason) {
            (Some(no_result), SkipReason::NoResult | SkipReason::Refused | SkipReason::Busy) => {
                self.without(no_result)
            }
            (_, SkipReason::Offline) => "not connected".into(),
            (_, SkipReason::Busy) => "has too much to do, or stopped answering".into(),
            (_, SkipReason::Refused) => "did not take the order".into(),
            (_, SkipReason::Lost) => "did not answer in time, or went away".into(),
            (_, SkipReason::NoResult) => "had no result".into(),
            (_, SkipReason::Refuted) => "refuted by a verdict".into(),
            (_, SkipReason::Sanctioned) => "sanctioned since the draw".into(),
            (_, SkipReason::Unfit) => "not what the job needs, or takes no work now".into(),
        };
        let odd = reason != SkipReason::Offline && no_result != Some(NoResult::OtherEngine);
        match self.oddity(node).filter(|_| odd) {
            Some(oddity) => format!("{why} ({oddity})"),
            None => why,
        }
    }

    /// Why there is no result, in words.
    fn without(&self, reason: NoResult) -> String {
        let limits = self.detail.order.payload.limits;
        match reason {
            NoResult::StackOverflow => "the program's stack ran out".into(),
            NoResult::HostOutOfMemory => "its machine had no memory left".into(),
            NoResult::WallTime => {
                format!("it took longer than {}", self.lasting(limits.wall_ms))
            }
            NoResult::Cancelled => "it was stopping".into(),
            NoResult::MissingObject => "it could not have the program or an input".into(),
            NoResult::BadProgram => "the program is none that it can run".into(),
            NoResult::HostFailure => "its machine has no room, or its store failed".into(),
            NoResult::Busy => "it has too much to do".into(),
            NoResult::Refused => "it does not accept the order".into(),
            NoResult::OtherEngine => "it has another engine than the order names".into(),
        }
    }

    /// What helps against it.
    fn advice(&self, reason: NoResult) -> Option<String> {
        Some(match reason {
            NoResult::StackOverflow => "order it with a program that nests less deeply".into(),
            NoResult::WallTime => "give it longer: polity run … --wall 30m".into(),
            NoResult::HostOutOfMemory => "ask for less: polity run … --memory 512M".into(),
            NoResult::MissingObject if !self.detail.missing.is_empty() => {
                "order it again, with all its files: polity run …".into()
            }
            NoResult::BadProgram => {
                "build it for wasm32-wasip1 or wasm32-wasip2, then: polity run …".into()
            }
            NoResult::HostFailure => "look on that machine: polity doctor".into(),
            NoResult::Refused => "compare clocks: polity doctor".into(),
            NoResult::OtherEngine => "compare versions: polity doctor".into(),
            NoResult::MissingObject | NoResult::Cancelled | NoResult::Busy => return None,
        })
    }

    /// What is missing of the order at its home.
    pub(super) fn missing(&self) -> Option<Said> {
        let missing = &self.detail.missing;
        let first = missing.first()?;
        let job = &self.detail.order.payload;
        let what = |cid| match cid {
            cid if cid == job.program => format!("the program {cid}"),
            cid if cid == job.table => format!("the task table {cid}"),
            cid => format!("the input {cid}"),
        };
        let more = missing.len() - 1;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(
            Said::new(format!("This node, its home, has lost {}{more}.", what(*first)))
                .next("order it again, with all its files: polity run …"),
        )
    }

    /// Nodes by name.
    pub(super) fn list(&self, nodes: &[PublicKey]) -> String {
        listed(&nodes.iter().map(|node| self.names.node(node)).collect::<Vec<_>>())
    }
}

/// Whether a replica in this state counts no more.
fn is_over(state: ReplicaState) -> bool {
    matches!(state, ReplicaState::Lost | ReplicaState::Refuted)
}

/// `a, b and 3 more`.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}
