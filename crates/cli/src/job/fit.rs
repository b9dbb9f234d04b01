//! Whether any node can ever run a job, found out before anything is sent.

use crate::{exit::Exit, failure::Failure, text};
use api::NodeInfo;
use identity::PublicKey;
use protocol::{Class, Job, Profile};
use std::collections::{BTreeMap, BTreeSet};

/// Checks that nodes of enough parties fit. Who was never heard of may fit: nobody knows. Free disk
/// and distance change, and are not looked at.
///
/// # Errors
/// How many nodes there are, and what they lack.
pub(crate) fn check(job: &Job, submitter: &PublicKey, nodes: &[NodeInfo]) -> Result<(), Failure> {
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    let mut parties = BTreeSet::new();
    for node in nodes {
        match misfit(job, submitter, node) {
            None => {
                parties.insert(node.party);
            }
            Some(reason) => *why.entry(reason).or_default() += 1,
        }
    }
    let k = usize::from(job.verification.k);
    if parties.len() >= k || why.is_empty() {
        return Ok(());
    }
    let all = text::plural(nodes.len(), "node");
    let mut reasons: Vec<_> = why.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let reasons: Vec<_> =
        reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let reasons = reasons.join(", ");
    let message = match parties.len() {
        0 => format!("no node can ever run this: of {all}, {reasons}"),
        few => format!(
            "{k} different parties must agree, and nodes of {few} can ever run this: of {all}, {reasons}"
        ),
    };
    Err(Failure::new(Exit::Refused, message).next("see what they are with: polity node describe"))
}

/// Why a node can never run a job; none if it can, or if that is not known.
pub(crate) fn misfit(job: &Job, submitter: &PublicKey, node: &NodeInfo) -> Option<String> {
    let needs = &job.terms.needs;
    if !needs.nodes.is_empty() && !needs.nodes.contains(&node.node) {
        return Some("not named by --node".into());
    }
    if !needs.owners.is_empty() && !needs.owners.contains(&node.owner) {
        return Some("of an owner not named by --owner".into());
    }
    let own = node.owner == *submitter;
    match needs.class {
        Class::Internal if !own && !needs.owners.contains(&node.owner) => {
            return Some("of other owners, and the data is internal".into());
        }
        Class::Restricted if !own => {
            return Some("of other owners, and the data is restricted".into());
        }
        _ => {}
    }
    node.profile.as_ref().and_then(|profile| lacks(job, profile))
}

/// What a machine lacks.
fn lacks(job: &Job, profile: &Profile) -> Option<String> {
    let needs = &job.terms.needs;
    let (name, value) = Class::RESTRICTED;
    let restricted = (needs.class == Class::Restricted).then_some((name, value));
    let labels = needs.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let missing = labels
        .chain(restricted)
        .find(|(name, value)| profile.labels.get(*name).map(String::as_str) != Some(*value));
    if let Some((name, value)) = missing {
        return Some(format!("without {name}={value}"));
    }
    if let Some(arch) = needs.arch.as_ref().filter(|arch| **arch != profile.arch) {
        return Some(format!("of {}, not {arch}", profile.arch));
    }
    if needs.cpus > profile.cores {
        return Some(format!("with fewer than {} cores", needs.cpus));
    }
    if usize::from(needs.gpus) > profile.gpus.len() {
        return Some(match needs.gpus {
            1 => "without a GPU".into(),
            gpus => format!("with fewer than {gpus} GPUs"),
        });
    }
    if needs.cpus > 0 && job.limits.memory_bytes > profile.memory_bytes {
        return Some(format!("with less than {}", text::size(job.limits.memory_bytes)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{Digest, NetworkId};
    use objects::{Cid, Codec};
    use protocol::{Limits, Needs, Placement, Terms, Time, Verification};

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn node(n: u8, profile: Option<Profile>) -> NodeInfo {
        NodeInfo {
            node: key(100 + n),
            owner: key(n),
            owner_name: n.to_string(),
            party: key(n),
            barred_until: None,
            lost: Vec::new(),
            validator: true,
            connected: true,
            addresses: Vec::new(),
            about: None,
            profile,
            rtt_ms: None,
            load: None,
        }
    }

    fn machine(zone: &str, cores: u16) -> Option<Profile> {
        let labels = [("zone".to_string(), zone.to_string())].into();
        let memory_bytes = 16 << 30;
        Some(Profile { labels, cores, memory_bytes, arch: "x86_64".into(), ..Profile::default() })
    }

    fn job(needs: Needs, k: u16) -> Job {
        let cid = Cid::of(Codec::Raw, b"");
        Job {
            network: NetworkId(Digest::default()),
            home: key(101),
            program: cid,
            table: cid,
            tasks: 1,
            engine: Digest::default(),
            seed: Digest::default(),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k, n: 3 },
            issued: Time(1),
            expires: Time(2),
            nonce: Digest::default(),
            terms: Terms { needs, ..Terms::default() },
        }
    }

    fn said(needs: Needs, k: u16) -> Option<String> {
        let nodes = [node(1, machine("north", 4)), node(2, machine("south", 16))];
        check(&job(needs, k), &key(1), &nodes).err().map(|failure| failure.message)
    }

    #[test]
    fn what_no_node_has_is_said_with_how_many_lack_it() {
        let labels = |zone: &str| [("zone".to_string(), zone.to_string())].into();
        assert_eq!(said(Needs::default(), 2), None);
        assert_eq!(said(Needs { labels: labels("north"), ..Needs::default() }, 1), None);
        for (needs, k, expected) in [
            (
                Needs { labels: labels("east"), ..Needs::default() },
                1,
                "no node can ever run this: of 2 nodes, 2 without zone=east",
            ),
            (
                Needs { labels: labels("north"), ..Needs::default() },
                2,
                "nodes of 1 can ever run this: of 2 nodes, 1 without zone=north",
            ),
            (Needs { cpus: 32, ..Needs::default() }, 1, "2 with fewer than 32 cores"),
            (Needs { gpus: 1, ..Needs::default() }, 1, "2 without a GPU"),
            (
                Needs { arch: Some("riscv64".into()), ..Needs::default() },
                1,
                "2 of x86_64, not riscv64",
            ),
            (Needs { nodes: [key(9)].into(), ..Needs::default() }, 1, "2 not named by --node"),
            (Needs { owners: [key(9)].into(), ..Needs::default() }, 1, "2 of an owner not named"),
            (
                Needs { class: Class::Internal, ..Needs::default() },
                2,
                "1 of other owners, and the data is internal",
            ),
            (Needs { class: Class::Restricted, ..Needs::default() }, 1, "1 without restricted=yes"),
        ] {
            let message = said(needs, k).unwrap();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn who_was_never_heard_of_may_fit() {
        let needs = Needs { cpus: 32, ..Needs::default() };
        let misfit_of = |profile| misfit(&job(needs.clone(), 1), &key(1), &node(1, profile));
        assert_eq!(misfit_of(None), None);
        assert!(misfit_of(machine("north", 4)).is_some());
    }
}
