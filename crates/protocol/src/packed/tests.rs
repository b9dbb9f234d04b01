//! Forms that could be read, and are not the one that a receipt has.

#[path = "../../tests/fixture/mod.rs"]
mod fixture;

use super::Packed;
use crate::port::Alone;
use fixture::{agreements, outcome, receipt};
use identity::{Digest, canonical};
use objects::Cid;

type Change = fn(&mut Packed);

fn form() -> Packed {
    Packed::of(&receipt())
}

/// What a change makes of a good form.
fn read(change: Change) -> Result<(), &'static str> {
    let mut form = form();
    change(&mut form);
    form.open(&Alone).map(drop)
}

#[test]
fn what_a_receipt_is_written_as_is_read() {
    let read = form().open(&Alone).expect("it is whole");
    assert!(read == receipt());
    assert_eq!(canonical::encode(&Packed::of(&read)), canonical::encode(&form()));
}

#[test]
fn nobody_writes_what_is_usual() {
    let usual = "it is not written as receipts are";
    let changes: [(&str, Change); 13] = [
        ("the name of an input", |f| f.tasks[0].1[0].0 = Some("0.csv".into())),
        ("the path of an output", |f| f.outcomes[0].content.3[0].0 = Some("0.csv".into())),
        ("the job of an outcome", |f| f.outcomes[1].job = Some(outcome(1).job)),
        ("the engine of an outcome", |f| f.outcomes[1].fingerprint = Some(Digest([8; 32]))),
        ("the job of commitments", |f| f.commits[0].0 = Some(outcome(0).job)),
        ("their count", |f| f.commits[1].1 = Some(1)),
        ("their root", |f| f.commits[2].2 = Some(agreements().commits[2].statement.payload.root)),
        ("a commitment", |f| f.commits[3].5[0].2 = Some(agreements().commits[3].leaves[0].hidden)),
        ("the root of reveals", |f| {
            f.reveals[2].2 = Some(agreements().reveals[2].statement.payload.root);
        }),
        ("a revealed outcome", |f| f.reveals[0].5[0].3 = Some(outcome(0).digest())),
        ("a set", |f| f.reveals[1].5[0].4 = Some(agreements().reveals[1].leaves[0].set)),
        ("the order of a part", |f| f.parts[0].order = Some(agreements().order)),
        ("an agreed outcome", |f| f.parts[0].tasks[1].1 = Some(outcome(1).digest())),
    ];
    for (name, change) in changes {
        assert_eq!(read(change), Err(usual), "{name}");
    }
}

#[test]
fn who_was_first_is_written_once_and_in_order() {
    let (usual, broken) =
        ("it is not written as receipts are", "it refers to something that it does not hold");
    let node = |n: u8| identity::PublicKey([n; 32]);
    for (firsts, said) in [
        (vec![(node(1), vec![0]), (node(2), vec![1])], Ok(())),
        (vec![(node(1), vec![0, 1])], Ok(())),
        (vec![(node(2), vec![0]), (node(1), vec![1])], Err(usual)),
        (vec![(node(1), vec![0]), (node(1), vec![1])], Err(usual)),
        (vec![(node(1), vec![1, 0])], Err(usual)),
        (vec![(node(1), vec![0]), (node(2), vec![0])], Err(usual)),
        (vec![(node(1), vec![])], Err(usual)),
        (vec![(node(1), vec![2])], Err(broken)),
    ] {
        let mut form = form();
        form.parts[0].firsts = firsts.clone();
        let bytes = canonical::encode(&form);
        let read = form.open(&Alone);
        if let Ok(receipt) = &read {
            assert_eq!(canonical::encode(&Packed::of(receipt)), bytes, "one form");
        }
        assert_eq!(read.map(drop), said, "{firsts:?}");
    }
}

#[test]
fn everything_stands_where_it_is_used_first_and_once() {
    let usual = "it is not written as receipts are";
    let changes: [(&str, Change); 9] = [
        ("names in another order", |f| {
            f.cids.swap(0, 1);
            let swap = |at: &mut u32| *at = [1, 0].get(*at as usize).copied().unwrap_or(*at);
            f.tasks.iter_mut().for_each(|task| swap(&mut task.1[0].1));
        }),
        ("a name that nobody uses", |f| f.cids.push(Cid::of_value(&outcome(7)))),
        ("a name twice", |f| {
            f.cids.push(f.cids[0]);
            let content = &mut f.outcomes.last_mut().expect("there are two").content;
            content.5 = f.cids.len() as u32 - 1;
        }),
        ("batches in another order", |f| {
            f.commits.swap(0, 1);
            f.parts[0].commits.swap(0, 1);
        }),
        ("a batch that nobody uses", |f| {
            f.parts[0].commits.pop();
        }),
        ("reveals that nobody uses", |f| {
            f.parts[0].reveals.pop();
        }),
        ("a batch before its turn", |f| f.parts[0].reveals.swap(1, 2)),
        ("a batch written twice", |f| {
            let super::PackedBatch(job, count, root, by, signature, leaves) = &f.commits[0];
            let again = super::PackedBatch(*job, *count, *root, *by, *signature, leaves.clone());
            f.parts[0].commits.push(f.commits.len() as u32);
            f.commits.push(again);
        }),
        ("reveals written twice", |f| {
            let super::PackedBatch(job, count, root, by, signature, leaves) = &f.reveals[0];
            let again = super::PackedBatch(*job, *count, *root, *by, *signature, leaves.clone());
            f.parts[0].reveals.push(f.reveals.len() as u32);
            f.reveals.push(again);
        }),
    ];
    for (name, change) in changes {
        assert_eq!(read(change), Err(usual), "{name}");
    }
}

#[test]
fn what_is_referred_to_is_there() {
    let broken = "it refers to something that it does not hold";
    let changes: [(&str, Change); 4] = [
        ("a name", |f| {
            f.cids.pop();
        }),
        ("a batch", |f| f.parts[0].commits.push(f.commits.len() as u32)),
        ("an outcome", |f| {
            f.outcomes.pop();
        }),
        ("a reveal that opens a commitment", |f| f.reveals[0].5[0].1.0 += 9),
    ];
    for (name, change) in changes {
        assert_eq!(read(change), Err(broken), "{name}");
    }
}
