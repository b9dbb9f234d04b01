//! A quoted leaf proves what its node said, and nothing else.

use super::elsewhere;
use crate::fixture::{
    disputed::{TASK, other, replica},
    key, network, order, outcome,
};
use identity::{Digest, Signed, canonical};
use protocol::{
    Attempt, CommitBatch, CommitQuote, Commitment, Commits, RevealQuote, TaskIndex, limits,
    merkle::Inclusion,
};

fn batch(leaves: u32) -> CommitBatch {
    let leaf = |task: u32| Commitment {
        task: TaskIndex(task),
        attempt: Attempt(0),
        hidden: Digest([task as u8; 32]),
    };
    let leaves = (0..leaves).map(leaf).collect();
    CommitBatch::sign(order().payload.id(), leaves, network(), &key(104))
}

#[test]
fn every_leaf_of_a_batch_of_any_size_can_be_quoted() {
    for leaves in (1..=9).chain([64, 100]) {
        let batch = batch(leaves);
        for task in 0..leaves {
            let quote = batch.quote(TaskIndex(task), Attempt(0)).unwrap();
            assert_eq!(quote.check(network()), Ok(()), "leaf {task} of {leaves}");
            assert_eq!((quote.by(), quote.leaf.task), (key(104).public(), TaskIndex(task)));
            assert_eq!(quote.job(), order().payload.id());
        }
        assert_eq!(batch.quote(TaskIndex(leaves), Attempt(0)), None);
        assert_eq!(batch.quote(TaskIndex(0), Attempt(1)), None);
    }
}

#[test]
fn every_flipped_bit_of_a_quote_is_refused() {
    let one = replica(104, &outcome(2));
    let commit = canonical::encode(&one.commit());
    let reveal = canonical::encode(&one.reveal());
    let commits =
        |bytes: &[u8]| canonical::decode::<CommitQuote>(bytes, 4096).map(|q| q.check(network()));
    let reveals =
        |bytes: &[u8]| canonical::decode::<RevealQuote>(bytes, 4096).map(|q| q.check(network()));
    assert_eq!((commits(&commit), reveals(&reveal)), (Ok(Ok(())), Ok(Ok(()))));
    for bit in 0..commit.len() * 8 {
        let mut wrong = commit.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!matches!(commits(&wrong), Ok(Ok(()))), "bit {bit} of a commitment");
    }
    for bit in 0..reveal.len() * 8 {
        let mut wrong = reveal.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!matches!(reveals(&wrong), Ok(Ok(()))), "bit {bit} of a reveal");
    }
}

#[test]
fn a_leaf_that_stands_elsewhere_or_nowhere_is_refused() {
    let good = replica(104, &outcome(2)).commit();
    type Change = fn(&mut CommitQuote);
    let changes: [(&str, Change); 9] = [
        ("another task", |q| q.leaf.task = TaskIndex(3)),
        ("another attempt", |q| q.leaf.attempt = Attempt(9)),
        ("another commitment", |q| q.leaf.hidden = Digest([1; 32])),
        ("another place", |q| q.proof.index = 0),
        ("a place outside", |q| q.proof.index = 3),
        ("a larger tree", |q| q.proof.size = 4),
        ("a shorter path", |q| q.proof.path.truncate(1)),
        ("a longer path", |q| q.proof.path.push(Digest([1; 32]))),
        ("another batch", |q| q.statement = replica(104, &other(2)).commit().statement),
    ];
    assert_eq!(good.check(network()), Ok(()));
    assert!(good.check(elsewhere()).is_err());
    for (name, change) in changes {
        let mut wrong = good.clone();
        change(&mut wrong);
        assert!(wrong.check(network()).is_err(), "{name}");
    }
}

#[test]
fn the_signed_count_is_the_size_of_the_tree() {
    let good = batch(3).quote(TASK, Attempt(0)).unwrap();
    let signed = |count| {
        let payload = Commits { count, ..good.statement.payload.clone() };
        CommitQuote { statement: Signed::new(payload, network(), &key(104)), ..good.clone() }
    };
    assert_eq!(signed(3).check(network()), Ok(()));
    for count in [0, 1, 2, 4, u32::MAX] {
        assert!(signed(count).check(network()).is_err(), "{count}");
    }
}

#[test]
fn a_batch_of_more_leaves_than_may_be_is_no_quote() {
    let most = limits::BATCH_LEAVES as u32;
    let holds = |leaves: u32| {
        let batch = batch(leaves);
        batch.quote(TaskIndex(7), Attempt(0)).unwrap().check(network()).is_ok()
    };
    assert!(holds(most));
    assert!(!holds(most + 1));
}

#[test]
fn a_proof_of_another_leaf_of_the_same_batch_is_refused() {
    let batch = batch(5);
    let leaves: Vec<_> = batch.leaves.iter().map(canonical::encode).collect();
    for at in 0..5 {
        let proof = Inclusion::of(&leaves, at).unwrap();
        for (place, leaf) in batch.leaves.iter().enumerate() {
            let quote = CommitQuote {
                statement: batch.statement.clone(),
                leaf: *leaf,
                proof: proof.clone(),
            };
            assert_eq!(quote.check(network()).is_ok(), place == at, "leaf {place}, proof {at}");
        }
    }
}
