//! Who runs a task: the same answer for everyone who knows the beacon.
//!
//! Parties are ranked by a digest of (beacon, job, task, party), the nodes of a party likewise. The
//! candidates are walked in that order: a node is either chosen, or skipped for a stated reason, or
//! passed because its party runs a replica already. Parties of which an owner is sanctioned are no
//! candidates. Nobody chooses its jobs; a home that skips too often shows it in every receipt.
//!
//! One replica may be given to a candidate of the home's choice, if all others are drawn: these are
//! what the walk gives when the party of the first one counts as chosen already.

use crate::{JobId, Roster, TaskIndex};
use identity::{Digest, Hasher, PublicKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// It is not what the job needs, or its owner takes no work for it now.
    Unfit,
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
    ranked("polity draw", beacon, (job, task), roster).collect()
}

/// Those that come first among the candidates, until all of `named` are among them: enough to tell
/// whether these were chosen fairly.
pub fn first_candidates(
    beacon: &Digest,
    (job, task): (&JobId, TaskIndex),
    roster: &Roster,
    named: impl Iterator<Item = PublicKey>,
) -> Vec<Candidate> {
    let mut missing: BTreeSet<_> = named.collect();
    let mut ranked = ranked("polity draw", beacon, (job, task), roster);
    let mut first = Vec::new();
    while !missing.is_empty()
        && let Some(candidate) = ranked.next()
    {
        missing.remove(&candidate.node);
        first.push(candidate);
    }
    first
}

/// The candidates in order; nodes are ranked only when their party's turn comes.
fn ranked(
    domain: &str,
    beacon: &Digest,
    (job, task): (&JobId, TaskIndex),
    roster: &Roster,
) -> impl Iterator<Item = Candidate> {
    // All ranks begin with the same parts, which are hashed once.
    let mut common = Hasher::new(domain);
    common.part(beacon.as_bytes());
    common.part(&job.0.to_bytes());
    common.part(&task.0.to_be_bytes());
    let rank = move |key: &PublicKey| {
        let mut hasher = common.clone();
        hasher.part(&key.0);
        hasher.finish()
    };
    let of_party = |(party, nodes)| (rank(party), party, nodes);
    let mut parties: Vec<(Digest, &PublicKey, &Vec<PublicKey>)> =
        roster.drawn_parties().map(of_party).collect();
    parties.sort_unstable();
    parties.into_iter().flat_map(move |(_, party, nodes)| {
        let mut nodes: Vec<_> = nodes.iter().map(|node| (rank(node), *node)).collect();
        nodes.sort_unstable();
        nodes.into_iter().map(|(_, node)| Candidate { party: *party, node })
    })
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
    let others = ranked("polity auditors", beacon, (job, task), roster)
        .filter(|candidate| !theirs.contains(&candidate.party));
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in others {
        if chosen.len() == count {
            break;
        }
        if chosen.last().is_none_or(|last| last.party != candidate.party) {
            chosen.push(candidate);
        }
    }
    chosen.into_iter().map(|candidate| candidate.node).collect()
}

/// Walks the candidates: those that `skipped` names are passed over, as are further nodes of a
/// party that was chosen. Gives the first `count` nodes that remain.
pub fn walk(candidates: &[Candidate], skipped: &[Skip], count: usize) -> Vec<PublicKey> {
    walk_beside(None, candidates, skipped, count)
}

/// The same beside a replica of `party`, of which no further node is chosen then.
pub fn walk_beside(
    party: Option<&PublicKey>,
    candidates: &[Candidate],
    skipped: &[Skip],
    count: usize,
) -> Vec<PublicKey> {
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if chosen.len() == count {
            break;
        }
        let passed = skipped.iter().any(|skip| skip.node == candidate.node)
            || party == Some(&candidate.party)
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
    !chosen.is_empty() && are_drawn(None, candidates, skipped, chosen)
}

/// Whether `first` is one of `chosen` and any candidate that was not skipped, and the others are
/// the nodes that the walk gives beside its party. Where there are no others nobody is skipped.
pub fn is_fair_beside(
    first: &PublicKey,
    candidates: &[Candidate],
    skipped: &[Skip],
    chosen: &[PublicKey],
) -> bool {
    let Some(Candidate { party, .. }) = candidates.iter().find(|c| c.node == *first) else {
        return false;
    };
    let others: Vec<_> = chosen.iter().copied().filter(|node| node != first).collect();
    others.len() + 1 == chosen.len()
        && skipped.iter().all(|skip| skip.node != *first)
        && are_drawn(Some(party), candidates, skipped, &others)
}

fn are_drawn(
    beside: Option<&PublicKey>,
    candidates: &[Candidate],
    skipped: &[Skip],
    chosen: &[PublicKey],
) -> bool {
    let place = |node: &PublicKey| candidates.iter().position(|c| c.node == *node);
    let Some(places) = chosen.iter().map(place).collect::<Option<Vec<_>>>() else { return false };
    let end = places.iter().max();
    let before_end = |skip: &Skip| place(&skip.node).is_some_and(|at| Some(&at) < end);
    let distinct = skipped.windows(2).all(|pair| pair[0].node < pair[1].node);
    let mut sorted = chosen.to_vec();
    sorted.sort_by_key(place);
    distinct
        && skipped.iter().all(before_end)
        && walk_beside(beside, candidates, skipped, chosen.len()) == sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Height, NodeRecord, OwnerRecord};
    use objects::{Cid, Codec};
    use std::collections::BTreeMap;

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
    fn the_first_candidates_tell_the_same_as_all_of_them() {
        let (beacon, job, roster) = (Digest([9; 32]), JobId(Cid::of(Codec::Raw, b"job")), roster());
        let skip = |node| Skip { node, reason: SkipReason::Busy };
        for task in 0..50 {
            let all = order(task);
            let (task, stranger) = (TaskIndex(task), key(99));
            let nodes = || all.iter().map(|candidate| candidate.node).chain([stranger]);
            for (one, other) in nodes().flat_map(|one| nodes().map(move |other| (one, other))) {
                let first =
                    first_candidates(&beacon, (&job, task), &roster, [one, other].into_iter());
                assert_eq!(first, all[..first.len()]);
                for (skips, chosen) in [(vec![], vec![one, other]), (vec![skip(one)], vec![other])]
                {
                    let said = is_fair(&first, &skips, &chosen);
                    assert_eq!(said, is_fair(&all, &skips, &chosen), "{task} {one} {other}");
                }
            }
        }
    }

    #[test]
    fn a_party_that_is_barred_later_is_drawn_no_more() {
        let mut roster = roster();
        let (beacon, job) = (Digest([9; 32]), JobId(Cid::of(Codec::Raw, b"job")));
        let parties = |roster: &Roster| {
            let drawn = candidates(&beacon, &job, TaskIndex(0), roster);
            drawn.iter().map(|candidate| candidate.party).collect::<BTreeSet<_>>()
        };
        assert_eq!(parties(&roster).len(), 4);
        let before = roster.clone();
        roster.bar(&key(2), Some(crate::Time(5)));
        assert!(!parties(&roster).contains(&key(2)));
        roster.set_node(key(30), NodeRecord { owner: key(9), since: Height(1) });
        assert!(parties(&roster).contains(&key(9)));
        assert_eq!(parties(&before).len(), 4);
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

    #[test]
    fn one_may_be_first_by_score_and_all_others_are_drawn() {
        let skip = |node| Skip { node, reason: SkipReason::Lost };
        for task in 0..50 {
            let order = order(task);
            for first in &order {
                let others: Vec<_> =
                    order.iter().filter(|other| other.party != first.party).copied().collect();
                let drawn = walk(&others, &[], 2);
                let fair = |skipped: &[Skip], others: &[PublicKey]| {
                    let chosen: Vec<_> = [&[first.node], others].concat();
                    is_fair_beside(&first.node, &order, skipped, &chosen)
                };
                assert!(fair(&[], &drawn) && fair(&[], &drawn[..1]) && fair(&[], &[]));
                let lost = [skip(drawn[0])];
                assert!(fair(&lost, &walk(&others, &lost, 1)), "one was lost");
                assert!(!fair(&[], &drawn[1..]), "nobody passed over in silence");
                assert!(!fair(&[skip(drawn[1])], &drawn[..1]), "nobody behind the end");
                assert!(!fair(&[skip(drawn[0])], &[]), "nobody beside it was asked");
                assert!(!fair(&[], &[drawn[0], drawn[0]]), "nobody twice");
                assert!(!fair(&[], &[first.node]), "not itself");
                assert!(!fair(&[skip(first.node)], &drawn), "not if it was passed over");
                assert!(!is_fair_beside(&key(99), &order, &[], &[key(99), drawn[0]]));
                assert!(!is_fair_beside(&first.node, &order, &[], &drawn), "it ran the task");
                for second in order.iter().filter(|other| other.party == first.party) {
                    assert!(!fair(&[], &[drawn[0], second.node]), "one of a party");
                }
            }
        }
    }
}
