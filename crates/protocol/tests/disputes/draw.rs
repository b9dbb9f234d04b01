//! Who is drawn: nobody of a barred party, and no auditor of the executors' parties.

use crate::fixture::key;
use identity::{Digest, PublicKey};
use objects::{Cid, Codec};
use proptest::{collection::vec, prelude::*};
use protocol::{
    Height, JobId, NodeRecord, OwnerRecord, Roster, TaskIndex, Time,
    draw::{auditors, candidates, is_audited, walk},
};
use std::collections::BTreeSet;

fn job(n: u64) -> JobId {
    JobId(Cid::of(Codec::Raw, &n.to_be_bytes()))
}

/// One owner of a random roster.
#[derive(Clone, Debug)]
struct Owner {
    /// Index of an earlier owner, or none.
    sponsor: Option<prop::sample::Index>,
    second: Option<prop::sample::Index>,
    nodes: u8,
    barred: bool,
}

fn owner() -> impl Strategy<Value = Owner> {
    let index = || proptest::option::of(any::<prop::sample::Index>());
    (index(), index(), 1u8..4, proptest::bool::weighted(0.2))
        .prop_map(|(sponsor, second, nodes, barred)| Owner { sponsor, second, nodes, barred })
}

fn owner_key(n: usize) -> PublicKey {
    PublicKey([n as u8 + 1; 32])
}

fn roster_of(owners: &[Owner]) -> Roster {
    let mut roster = Roster::default();
    for (n, owner) in owners.iter().enumerate() {
        let earlier = |index: &prop::sample::Index| owner_key(index.index(n));
        let sponsor = owner.sponsor.as_ref().filter(|_| n > 0).map(earlier);
        let barred = owner.barred.then_some(Time(9));
        let seconds = BTreeSet::new();
        let record = OwnerRecord { name: n.to_string(), sponsor, seconds, barred };
        roster.set_owner(owner_key(n), record);
        for node in 0..owner.nodes {
            let mut bytes = [n as u8 + 1; 32];
            bytes[0] = 100 + node;
            roster.set_node(PublicKey(bytes), NodeRecord { owner: owner_key(n), since: Height(0) });
        }
        // As the ledger has it: of a sponsored owner, and from another party.
        if let (Some(second), Some(_)) = (&owner.second, sponsor) {
            let by = earlier(second);
            if roster.party(&by) != roster.party(&owner_key(n)) {
                roster.second(&owner_key(n), by);
            }
        }
    }
    roster
}

/// Parties of the roster with an owner that is barred, found the long way.
fn barred(roster: &Roster) -> BTreeSet<PublicKey> {
    let is_barred = |party: &PublicKey| {
        roster
            .owners()
            .any(|(owner, record)| record.barred.is_some() && roster.party(owner) == *party)
    };
    roster.owners().map(|(owner, _)| roster.party(owner)).filter(is_barred).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn candidates_are_all_nodes_but_those_of_barred_parties(
        owners in vec(owner(), 1..9), beacon: [u8; 32], task in 0u32..50,
    ) {
        let roster = roster_of(&owners);
        let barred = barred(&roster);
        let drawn = candidates(&Digest(beacon), &job(1), TaskIndex(task), &roster);
        let nodes: BTreeSet<_> = drawn.iter().map(|candidate| candidate.node).collect();
        prop_assert_eq!(nodes.len(), drawn.len());
        for (node, record) in roster.nodes() {
            let out = barred.contains(&roster.party(&record.owner));
            prop_assert_eq!(nodes.contains(node), !out);
        }
        prop_assert_eq!(walk(&drawn, &[], usize::MAX).len(), roster.parties());
    }

    #[test]
    fn auditors_are_never_of_the_executors_parties(
        owners in vec(owner(), 1..9), beacon: [u8; 32], task in 0u32..50, k in 0usize..4,
        count in 0usize..5,
    ) {
        let (roster, beacon, task) = (roster_of(&owners), Digest(beacon), TaskIndex(task));
        let drawn = candidates(&Digest([1; 32]), &job(1), task, &roster);
        let executors = walk(&drawn, &[], k);
        let named = auditors(&beacon, (&job(1), task), &roster, &executors, count);
        let party = |node: &PublicKey| roster.party_of_node(node).unwrap();
        let parties: BTreeSet<_> = named.iter().map(party).collect();
        prop_assert_eq!(parties.len(), named.len(), "all of different parties");
        let theirs: BTreeSet<_> = executors.iter().map(party).collect();
        prop_assert!(parties.is_disjoint(&theirs));
        prop_assert!(parties.is_disjoint(&barred(&roster)));
        prop_assert_eq!(named.len(), count.min(roster.parties() - executors.len()));
        prop_assert_eq!(&named, &auditors(&beacon, (&job(1), task), &roster, &executors, count));
    }
}

fn plain(sponsor: Option<u8>) -> OwnerRecord {
    let sponsor = sponsor.map(|n| key(n).public());
    OwnerRecord { name: "x".into(), sponsor, seconds: BTreeSet::new(), barred: None }
}

/// Owners 1 to 3, and 4 whom 1 sponsored; each has one node.
fn small() -> Roster {
    let mut roster = Roster::default();
    for n in 1..=4 {
        roster.set_owner(key(n).public(), plain((n == 4).then_some(1)));
        let record = NodeRecord { owner: key(n).public(), since: Height(0) };
        roster.set_node(key(100 + n).public(), record);
    }
    roster
}

fn drawn(roster: &Roster) -> BTreeSet<PublicKey> {
    let drawn = candidates(&Digest([1; 32]), &job(1), TaskIndex(0), roster);
    drawn.into_iter().map(|candidate| candidate.node).collect()
}

#[test]
fn a_sanction_reaches_whom_the_owner_sponsored_and_who_sponsored_it() {
    for barred in [1, 4] {
        let mut roster = small();
        assert!(roster.bar(&key(barred).public(), Some(Time(5))));
        assert_eq!(drawn(&roster), [102, 103].map(|n| key(n).public()).into(), "{barred}");
        assert_eq!(roster.parties(), 2);
        assert!(roster.bar(&key(barred).public(), None));
        assert_eq!(drawn(&roster).len(), 4);
    }
}

#[test]
fn a_seconded_owner_answers_for_itself() {
    for (barred, left) in [(1, [102, 103, 104]), (4, [101, 102, 103])] {
        let mut roster = small();
        roster.second(&key(4).public(), key(2).public());
        roster.bar(&key(barred).public(), Some(Time(5)));
        assert_eq!(drawn(&roster), left.map(|n| key(n).public()).into(), "{barred}");
    }
    assert!(!small().bar(&key(9).public(), None), "there is no such owner");
}

#[test]
fn audits_pick_as_many_of_a_thousand_as_the_genesis_says() {
    let picked = |per_mille: u16| {
        let of = |n: u64| {
            let beacon = Digest::of("beacon", &[&(n / 100).to_be_bytes()]);
            is_audited(&beacon, &job(n % 7), TaskIndex(n as u32), per_mille)
        };
        (0..20_000).filter(|n| of(*n)).count()
    };
    assert_eq!((picked(0), picked(1_000)), (0, 20_000));
    // Four standard deviations around the mean.
    for (per_mille, range) in [(20, 320..=480), (500, 9_717..=10_283)] {
        let found = picked(per_mille);
        assert!(range.contains(&found), "{found} at {per_mille}");
    }
}

#[test]
fn another_beacon_picks_other_tasks_and_other_auditors() {
    let roster = small();
    let (mut picks, mut names) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..64_u8 {
        let beacon = Digest([n; 32]);
        let pick: Vec<_> =
            (0..64).map(|task| is_audited(&beacon, &job(1), TaskIndex(task), 500)).collect();
        picks.insert(pick);
        names.insert(auditors(&beacon, (&job(1), TaskIndex(0)), &roster, &[key(102).public()], 1));
    }
    assert_eq!(picks.len(), 64);
    assert_eq!(names.len(), 3, "101 and 104 are one party with two nodes, 103 the other one");
}
