//! Who runs a task: the same answer for everyone who knows the beacon.
//!
//! Parties are ranked by a digest of (beacon, job, task, party), the nodes of a party likewise. The
//! candidates are walked in that order: a node is either chosen, or skipped for a stated reason, or
//! passed because its party runs a replica already. Parties of which an owner is sanctioned are no
//! candidates. Nobody chooses its jobs; a home that skips too often shows it in every receipt.

use crate::{JobId, Roster, TaskIndex};
use identity::{Digest, PublicKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a candidate was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Not connected when it was its turn.
    Offline,
    /// It had too much to do.
    Busy,
    /// It did not accept the order.
    Refused,
    /// It accepted and did not answer in time, or went away.
    Lost,
    /// It answered that it has no result.
    NoResult,
    /// A verdict refuted its outcome.
    Refuted,
    /// Its owner was sanctioned after the draw. The ledger checks this one.
    Sanctioned,
}

/// A candidate that was passed over. The reason is the home's word; nobody else can check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The node.
    pub node: PublicKey,
    /// Why.
    pub reason: SkipReason,
}

/// A candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whom its owner counts as.
    pub party: PublicKey,
    /// The node.
    pub node: PublicKey,
}

/// All candidates of a task, in the order in which they must be asked.
pub fn candidates(
    beacon: &Digest,
    job: &JobId,
    task: TaskIndex,
    roster: &Roster,
) -> Vec<Candidate> {
    ranked("polity draw", beacon, (job, task), roster)
}

fn ranked(
    domain: &'static str,
    beacon: &Digest,
    (job, task): (&JobId, TaskIndex),
    roster: &Roster,
) -> Vec<Candidate> {
    let job = job.0.to_bytes();
    let rank = |key: &PublicKey| {
        Digest::of(domain, &[beacon.as_bytes(), &job, &task.0.to_be_bytes(), &key.0])
    };
    let barred = roster.barred_parties();
    let mut parties: BTreeMap<PublicKey, Vec<(Digest, PublicKey)>> = BTreeMap::new();
    for (node, _) in roster.nodes() {
        let Some(party) = roster.party_of_node(node) else { continue };
        if !barred.contains(&party) {
            parties.entry(party).or_default().push((rank(node), *node));
        }
    }
    let mut ranked: Vec<_> = parties.into_iter().map(|(p, nodes)| (rank(&p), p, nodes)).collect();
    ranked.sort();
    let mut all = Vec::new();
    for (_, party, mut nodes) in ranked {
        nodes.sort();
        all.extend(nodes.into_iter().map(|(_, node)| Candidate { party, node }));
    }
    all
}

/// Whether a task that became final is run again by others, of which `per_mille` of a thousand are.
/// The beacon is that of the block after the one that made it final: nobody knew it then.
pub fn is_audited(beacon: &Digest, job: &JobId, task: TaskIndex, per_mille: u16) -> bool {
    let parts: [&[u8]; 3] = [beacon.as_bytes(), &job.0.to_bytes(), &task.0.to_be_bytes()];
    let digest = Digest::of("polity audit", &parts);
    let number = digest.as_bytes().iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte));
    number % 1_000 < u64::from(per_mille)
}

/// Who runs it again: the first `count` nodes of a draw of their own, all of different parties, and
/// none of a party of the executors.
pub fn auditors(
    beacon: &Digest,
    (job, task): (&JobId, TaskIndex),
    roster: &Roster,
    executors: &[PublicKey],
    count: usize,
) -> Vec<PublicKey> {
    let theirs: Vec<_> = executors.iter().filter_map(|node| roster.party_of_node(node)).collect();
    let mut candidates = ranked("polity auditors", beacon, (job, task), roster);
    candidates.retain(|candidate| !theirs.contains(&candidate.party));
    walk(&candidates, &[], count)
}

/// Walks the candidates: those that `skipped` names are passed over, as are further nodes of a
/// party that was chosen. Gives the first `count` nodes that remain.
pub fn walk(candidates: &[Candidate], skipped: &[Skip], count: usize) -> Vec<PublicKey> {
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if chosen.len() == count {
            break;
        }
        let passed = skipped.iter().any(|skip| skip.node == candidate.node)
            || chosen.iter().any(|other| other.party == candidate.party);
        if !passed {
            chosen.push(*candidate);
        }
    }
    chosen.into_iter().map(|candidate| candidate.node).collect()
}

/// Whether `chosen` are the nodes that the walk gives, and every skip stands before its end. A node
/// that replaces a lost one may start later than those that rank after it, so order is free.
pub fn is_fair(candidates: &[Candidate], skipped: &[Skip], chosen: &[PublicKey]) -> bool {
    let place = |node: &PublicKey| candidates.iter().position(|c| c.node == *node);
    let Some(places) = chosen.iter().map(place).collect::<Option<Vec<_>>>() else { return false };
    let Some(end) = places.iter().max() else { return false };
    let before_end = |skip: &Skip| place(&skip.node).is_some_and(|at| at < *end);
    let distinct = skipped.windows(2).all(|pair| pair[0].node < pair[1].node);
    let mut sorted = chosen.to_vec();
    sorted.sort_by_key(place);
    distinct && skipped.iter().all(before_end) && walk(candidates, skipped, chosen.len()) == sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Height, NodeRecord, OwnerRecord};
    use objects::{Cid, Codec};

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    /// Owners 1 to 4 with nodes 11 to 14; owner 1 has node 21 too; owner 5 (node 15) is 1's.
    fn roster() -> Roster {
        let mut roster = Roster::default();
        for n in 1..=5 {
            let sponsor = (n == 5).then_some(key(1));
            let record = OwnerRecord {
                name: n.to_string(),
                sponsor,
                seconds: Default::default(),
                barred: None,
            };
            roster.set_owner(key(n), record);
            roster.set_node(key(10 + n), NodeRecord { owner: key(n), since: Height(0) });
        }
        roster.set_node(key(21), NodeRecord { owner: key(1), since: Height(0) });
        roster
    }

    fn order(task: u32) -> Vec<Candidate> {
        let job = JobId(Cid::of(Codec::Raw, b"job"));
        candidates(&Digest([9; 32]), &job, TaskIndex(task), &roster())
    }

    #[test]
    fn sponsored_owners_and_second_machines_are_one_party() {
        for task in 0..200 {
            let chosen = walk(&order(task), &[], 9);
            assert_eq!(chosen.len(), 4, "four parties");
            let of_one = chosen.iter().filter(|n| [key(11), key(21), key(15)].contains(n));
            assert_eq!(of_one.count(), 1);
        }
    }

    #[test]
    fn a_second_voucher_from_elsewhere_makes_an_owner_its_own_party() {
        let mut roster = roster();
        assert_eq!(roster.parties(), 4);
        assert!(roster.second(&key(5), key(2)));
        assert_eq!(roster.parties(), 5);
    }

    #[test]
    fn every_party_is_chosen_first_equally_often() {
        let mut first = BTreeMap::new();
        for task in 0..4_000 {
            *first.entry(order(task)[0].party).or_insert(0) += 1;
        }
        assert!(first.values().all(|n| (850..1_150).contains(n)), "{first:?}");
    }

    #[test]
    fn only_the_walk_is_fair() {
        let order = order(1);
        let chosen = walk(&order, &[], 2);
        assert!(is_fair(&order, &[], &chosen));
        assert!(!is_fair(&order, &[], &[chosen[0], chosen[0]]), "nobody twice");
        let further = walk(&order, &[], 3)[2];
        assert!(!is_fair(&order, &[], &[chosen[0], further]), "nobody passed over in silence");
        let skip = [Skip { node: order[0].node, reason: SkipReason::Offline }];
        assert!(!is_fair(&order, &skip, &chosen), "a skipped node cannot be chosen");
        assert!(is_fair(&order, &skip, &walk(&order, &skip, 2)));
        assert!(!is_fair(&order, &[], &[]));
    }
}
