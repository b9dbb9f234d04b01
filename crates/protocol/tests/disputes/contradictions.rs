//! Two statements prove a lie only if no honest node makes both.

use super::elsewhere;
use crate::fixture::{
    disputed::{Replica, accusation, contradictions, other, replica, verdict, vote},
    key, network, order, outcome,
};
use identity::{Digest, canonical};
use protocol::{Contradiction, Job, Proposal, Ruling, TaskIndex, Verdicts, VoteKind, VotePair};

fn proves(contradiction: &Contradiction) -> bool {
    contradiction.check(network()).is_ok()
}

fn commits(first: Replica, second: Replica) -> Contradiction {
    Contradiction::Commits { first: first.commit(), second: second.commit() }
}

fn reveals(first: Replica, second: Replica) -> Contradiction {
    Contradiction::Reveals { first: first.reveal(), second: second.reveal() }
}

fn opening(first: Replica, second: Replica) -> Contradiction {
    Contradiction::Opening { commit: first.commit(), reveal: second.reveal() }
}

/// The same replica elsewhere: what it says there may differ.
fn elsewhere_of(of: Replica) -> [(&'static str, Replica); 4] {
    let job = Job { nonce: Digest([77; 32]), ..order().payload }.id();
    [
        ("another job", Replica { job, ..of }),
        ("another task", Replica { task: TaskIndex(1), ..of }),
        ("another attempt", Replica { attempt: 9, ..of }),
        ("another key", Replica { node: 102, ..of }),
    ]
}

#[test]
fn each_kind_names_who_signed_and_what_it_did() {
    for (name, contradiction, cause) in contradictions(104) {
        let expected = Ok((key(104).public(), cause));
        assert_eq!(contradiction.check(network()), expected, "{name}");
        assert!(contradiction.check(elsewhere()).is_err(), "{name}");
    }
}

#[test]
fn statements_contradict_each_other_in_either_order() {
    let (one, two) = (replica(104, &outcome(2)), replica(104, &other(2)));
    for make in [commits, reveals, opening] {
        assert_eq!(make(one, two).check(network()), make(two, one).check(network()));
    }
    let pair = [verdict(101, Some(&outcome(2))), verdict(101, Some(&other(2)))];
    let of = |first: usize, second: usize| {
        let (first, second) = (pair[first].clone(), pair[second].clone());
        Contradiction::Verdicts { first, second }.check(network())
    };
    assert_eq!(of(0, 1), of(1, 0));
    assert!(of(0, 1).is_ok());
}

#[test]
fn what_is_said_twice_is_no_contradiction() {
    let one = replica(104, &outcome(2));
    assert!(!proves(&commits(one, one)));
    assert!(!proves(&reveals(one, one)));
    assert!(!proves(&opening(one, one)), "the reveal opens it");
    let said = verdict(101, Some(&outcome(2)));
    assert!(!proves(&Contradiction::Verdicts { first: said.clone(), second: said }));
}

#[test]
fn another_set_is_no_other_reveal() {
    // A home may show one node two sets. That is the home's lie, not the node's.
    let one = replica(104, &outcome(2));
    assert!(!proves(&reveals(one, Replica { set: 2, ..one })));
    assert!(!proves(&opening(one, Replica { set: 2, ..one })));
    assert!(proves(&reveals(one, Replica { salt: 8, ..one })), "two salts are two reveals");
    assert!(proves(&opening(one, Replica { salt: 8, ..one })));
    assert!(proves(&commits(one, Replica { salt: 8, ..one })));
}

#[test]
fn one_batch_may_come_in_several_sizes() {
    // The same commitment signed alone and among others: two roots, one statement.
    let one = replica(104, &outcome(2));
    let leaves = vec![one.commit().leaf];
    let alone = protocol::CommitBatch::sign(one.job, leaves, network(), &key(104));
    let first = alone.quote(one.task, protocol::Attempt(one.attempt)).unwrap();
    assert_ne!(first.statement, one.commit().statement);
    assert!(!proves(&Contradiction::Commits { first, second: one.commit() }));
}

#[test]
fn statements_about_different_replicas_prove_nothing() {
    let one = replica(104, &outcome(2));
    for (name, two) in elsewhere_of(replica(104, &other(2))) {
        for make in [commits, reveals, opening] {
            assert!(!proves(&make(one, two)), "{name}: {:?}", make(one, two));
            assert!(!proves(&make(two, one)), "{name}: {:?}", make(two, one));
        }
    }
}

#[test]
fn verdicts_of_one_validator_that_differ_are_a_contradiction() {
    let id = order().payload.id();
    let rule = |node: u8, rulings: &[(u32, Option<u32>)]| {
        let ruling = |(task, found): &(u32, Option<u32>)| Ruling {
            job: id,
            task: TaskIndex(*task),
            outcome: found.map(|n| outcome(n).digest()),
        };
        Verdicts::sign(rulings.iter().map(ruling).collect(), network(), &key(node))
    };
    let proves = |first, second| proves(&Contradiction::Verdicts { first, second });
    let base = || rule(101, &[(0, Some(0)), (1, Some(1))]);
    assert!(proves(base(), rule(101, &[(1, Some(0))])), "the second of two");
    assert!(!proves(base(), rule(101, &[(1, None)])), "not to have run it is no finding");
    assert!(!proves(rule(101, &[(1, None)]), base()));
    assert!(!proves(base(), rule(101, &[(1, Some(1)), (2, Some(0))])), "the same, and more");
    assert!(!proves(base(), rule(101, &[(2, Some(0))])), "other tasks");
    assert!(!proves(base(), rule(102, &[(1, Some(0))])), "two validators");
    let mut forged = rule(101, &[(1, Some(1))]);
    forged.payload.rulings[0].outcome = Some(outcome(0).digest());
    assert!(!proves(base(), forged), "not signed so");
}

#[test]
fn votes_of_a_view_that_stand_beside_each_other_prove_nothing() {
    let proposal = Proposal { parent_view: 299, payload: Digest([1; 32]) };
    let pair = |node: u8, first, second| {
        proves(&Contradiction::Votes(VotePair {
            first: vote(101, first),
            second: vote(node, second),
        }))
    };
    let (notarize, finalize) = (VoteKind::Notarize(proposal), VoteKind::Finalize(proposal));
    assert!(pair(101, VoteKind::Nullify, finalize));
    assert!(!pair(101, notarize, finalize));
    assert!(!pair(101, notarize, VoteKind::Nullify), "given up after it was notarized");
    assert!(!pair(102, VoteKind::Nullify, finalize), "two validators");
}

#[test]
fn an_accusation_proves_nothing_against_another_key() {
    for (name, contradiction, cause) in contradictions(104) {
        let good = accusation(102, 104, contradiction.clone());
        assert_eq!(good.payload.check(network()), Ok(cause), "{name}");
        assert!(good.check(network()).is_ok() && good.check(elsewhere()).is_err(), "{name}");
        for against in [101, 102, 103, 105] {
            let wrong = accusation(102, against, contradiction.clone());
            assert!(wrong.payload.check(network()).is_err(), "{name} against {against}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_contradiction_proves_nothing_or_the_same() {
    for (name, contradiction, _) in contradictions(104) {
        let bytes = canonical::encode(&contradiction);
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let read = canonical::decode::<Contradiction>(&wrong, wrong.len());
            assert!(!read.is_ok_and(|read| proves(&read)), "{name}, bit {bit}");
        }
    }
}
