//! What only a node that runs can tell: admission, versions, peers, validators, the ledger.

use super::{Answers, Check, Patient, check::sentence};
use crate::text;
use api::{ClusterInfo, NodeInfo};
use protocol::{Certificate, Distinct};
use std::{collections::BTreeSet, time::Duration};

/// Names in one sentence, at most.
const NAMED: usize = 6;

pub(super) fn checks(patient: &Patient<'_>) -> Vec<Check> {
    let Some(node) = &patient.node else { return Vec::new() };
    let mut checks = vec![admission(node), versions(node)];
    checks.extend(work(node));
    checks.extend(node.cluster.as_ref().and_then(cluster));
    if node.nodes.len() > 1 && node.status.distinct == Distinct::Owners {
        checks.push(peers(node));
    }
    checks.push(validators(node));
    checks.push(ledger(node));
    checks
}

/// Whether the ledger knows this node, and lets it be drawn.
fn admission(node: &Answers) -> Check {
    let status = &node.status;
    if !status.admitted {
        return Check::bad("admission", "The ledger does not admit this node.")
            .next("ask an owner of the polity for 'polity invite', then: polity up --join -");
    }
    let own = node.nodes.iter().find(|info| info.node == status.node);
    let Some(until) = own.and_then(|info| info.barred_until) else {
        let role = if status.validator { "validator and executor" } else { "executor" };
        return Check::good("admission", format!("The ledger admits this node; it is {role}."));
    };
    let itself = own.is_some_and(|info| !info.lost.is_empty());
    let who = if itself { "its owner" } else { "an owner that counts as one with its own" };
    let until = text::moment(until);
    Check::bad("admission", format!("This node is not drawn until {until}: {who} is sanctioned."))
        .next("polity ledger evidence")
}

/// Whether it is given work, if somebody said that it is not.
fn work(node: &Answers) -> Option<Check> {
    let own = node.nodes.iter().find(|info| info.node == node.status.node)?;
    let reason = own.load.as_ref()?.cordon.as_ref()?;
    let said = format!("This node is given nothing new: {reason}.");
    Some(Check::warn("work", said).next("polity node uncordon"))
}

/// Whether several machines of one owner act as one.
fn cluster(cluster: &ClusterInfo) -> Option<Check> {
    const WHO: &str = "start them with 'polity up'; who is away: polity cluster status";
    if let Some(why) = &cluster.left_behind {
        return Some(Check::bad("cluster", format!("{}.", sentence(why))));
    }
    let voters = cluster.members.iter().filter(|member| member.votes);
    let (all, there) = (voters.clone().count(), voters.filter(|voter| voter.connected).count());
    if cluster.members.len() < 2 {
        return None;
    }
    let said = format!("Of the {all} of your machines that vote, {there} are connected.");
    Some(match cluster.leader {
        None => Check::bad("cluster", format!("Nobody leads: jobs wait. {said}")).next(WHO),
        Some(_) if there < all => Check::warn("cluster", said).next(WHO),
        Some(leader) => {
            let machines = text::plural(cluster.members.len(), "machine");
            Check::good(
                "cluster",
                format!("Your {machines} act as one; …{} leads.", leader.short()),
            )
        }
    })
}

/// Whether all speak of the same.
fn versions(node: &Answers) -> Check {
    let (status, mine) = (&node.status, env!("CARGO_PKG_VERSION"));
    if status.version != mine {
        let running = &status.version;
        let said = format!("The node runs {running}, and this program is {mine}.");
        return Check::warn("versions", said).next("start the node again: polity up");
    }
    let told: Vec<_> =
        node.nodes.iter().filter_map(|info| Some((info, info.about.as_ref()?))).collect();
    let other: Vec<_> = told
        .iter()
        .filter(|(_, about)| about.engine != status.fingerprint)
        .map(|(info, about)| format!("{} ({})", name(info), about.version))
        .collect();
    if !other.is_empty() {
        let owners = listed(&other);
        let said = format!("Another engine than here: {owners}. They run none of these jobs.");
        return Check::warn("versions", said).next("run the same version everywhere");
    }
    let said = match told.len() {
        0 => format!("This program and the node are {mine}."),
        count => {
            let peers = text::plural(count, "peer");
            format!("This program and the node are {mine}; {peers} said to have the same engine.")
        }
    };
    Check::good("versions", said)
}

/// Who is there to run tasks.
fn peers(node: &Answers) -> Check {
    let parties = |connected: bool| -> BTreeSet<_> {
        let nodes = node.nodes.iter().filter(|info| info.connected == connected);
        nodes.map(|info| info.party).collect()
    };
    let (there, all) = (parties(true), parties(false).union(&parties(true)).count());
    let away: Vec<_> = node
        .nodes
        .iter()
        .filter(|info| !info.connected && !there.contains(&info.party))
        .map(name)
        .collect();
    let peers = text::plural(node.status.peers as usize, "peer");
    let owners = text::plural(all, "owner");
    let mut said = format!("{peers}; {} of {owners} have a node that is there.", there.len());
    if !away.is_empty() {
        said.push_str(&format!(" Away: {}.", listed(&away)));
    }
    let next = "are they up, and can they be reached? polity node list";
    match there.len() {
        0 | 1 => Check::bad("peers", format!("{said} No result can be compared.")).next(next),
        2 => Check::warn("peers", said).next(next),
        _ => Check::good("peers", said),
    }
}

/// Whether a block can be made.
fn validators(node: &Answers) -> Check {
    let all = node.status.validators as usize;
    let quorum = Certificate::quorum(all);
    let of = |connected: bool| {
        node.nodes.iter().filter(move |info| info.validator && info.connected == connected)
    };
    let seen = of(true).count();
    let away: Vec<_> = of(false).map(name).collect();
    let mut said = format!("This node sees {seen} of {all}, and {quorum} make a block.");
    if !away.is_empty() {
        said.push_str(&format!(" Away: {}.", listed(&away)));
    }
    let next = "start them with 'polity up' on their machines";
    if seen < quorum {
        return Check::bad("validators", format!("{said} The ledger stands.")).next(next);
    }
    if seen < all {
        return Check::warn("validators", said).next(next);
    }
    Check::good("validators", said)
}

/// Whether blocks come.
fn ledger(node: &Answers) -> Check {
    let status = &node.status;
    let age = text::lasting(Duration::from_millis(status.head_age_ms()));
    let every = text::lasting(Duration::from_millis(status.heartbeat_ms));
    let said = format!(
        "The last block, {}, is {age} old; one comes at least every {every}.",
        status.height
    );
    if status.ledger_stands() {
        return Check::bad("ledger", format!("{said} The ledger stands, or this node is cut off."))
            .next("polity node list");
    }
    Check::good("ledger", said)
}

fn name(info: &NodeInfo) -> String {
    if info.owner_name.is_empty() {
        format!("…{}", info.node.short())
    } else {
        info.owner_name.clone()
    }
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut names = names.to_vec();
    names.sort();
    let named = names[..names.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

#[cfg(test)]
mod tests {
    use super::{super::check::Grade, *};
    use api::MemberInfo;
    use identity::SecretKey;

    /// Three machines, of which so many are connected.
    fn trio(there: u8) -> ClusterInfo {
        let key = |n: u8| SecretKey::from_seed([n; 32]).public();
        let member = |n: u8| MemberInfo {
            node: key(n),
            votes: true,
            connected: n < there,
            labels: Default::default(),
            has: None,
            silent_ms: None,
            running: 0,
            cordon: None,
            windows: Vec::new(),
        };
        ClusterInfo {
            id: "id".into(),
            name: "home".into(),
            node: key(0),
            current: false,
            leader: (there > 1).then(|| key(1)),
            term: 1,
            last: 1,
            committed: 1,
            applied: 1,
            snapshot: 0,
            at_rest: true,
            left_behind: None,
            members: (0..3).map(member).collect(),
            cordons: Default::default(),
            usual_quota: None,
            quotas: Vec::new(),
            reservations: Default::default(),
        }
    }

    #[test]
    fn machines_of_ones_own_that_nobody_leads_are_a_problem() {
        let grade = |there| cluster(&trio(there)).map(|check| check.grade);
        assert_eq!(grade(3), Some(Grade::Good));
        assert_eq!(grade(2), Some(Grade::Warn));
        assert_eq!(grade(1), Some(Grade::Bad));
        let alone = ClusterInfo { members: trio(3).members[..1].to_vec(), ..trio(3) };
        assert!(cluster(&alone).is_none());
        let behind = ClusterInfo { left_behind: Some("it was recovered".into()), ..trio(3) };
        assert_eq!(cluster(&behind).map(|check| check.grade), Some(Grade::Bad));
    }
}
