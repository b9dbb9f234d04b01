//! What waits for the ledger, and for validators.

use super::{
    order::{NOTHING, Order, counting},
    society::{Node, brisk, found, until, up_all},
    told::{told, until_parties, until_told},
};
use protocol::{Params, Placement};
use std::{fs, path::Path};

/// Four validators of which two are dead.
fn standing(dir: &Path) -> Vec<Node> {
    let homes = found(dir, 4, 4, brisk());
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(4));
    until("a block", || (nodes[0].height() > 0).then_some(()));
    nodes.drain(2..).for_each(|node| drop(node.kill()));
    until_parties(&mut nodes[0], 2);
    nodes
}

const STANDS: &str = "The ledger stands: a block needs 3 of the 4 validators, and this node sees 2, itself among \
     them; the last block here, ";

#[test]
fn what_is_agreed_on_and_not_final_says_that_the_ledger_stands_and_who_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = standing(dir.path());
    let job = Order::of(NOTHING, "2of2").submit(&nodes[0]);
    let facts = [
        "0 of 1 task final, 1 agreed and not final yet",
        "Enough nodes agree (exit 0)",
        "it was offered to the validators ",
        STANDS,
        "Away: owner 3, owner 4.",
    ];
    until_told(&nodes[0], job, &facts, "polity up");
    let doctor = nodes[0].polity(&["doctor"]);
    assert_eq!(doctor.code, Some(127), "{}", doctor.out);
    assert!(doctor.out.contains("✗ validators  This node sees 2 of 4, and 3 make a"), "{doctor:?}");
    assert!(doctor.out.lines().all(|line| line.chars().count() <= 80), "{}", doctor.out);
}

#[test]
fn a_sealed_order_that_waits_for_its_block_says_that_the_ledger_stands() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = standing(dir.path());
    let placement = Placement::Sealed;
    let job = Order { placement, ..Order::of(NOTHING, "2of2") }.submit(&nodes[0]);
    let facts = ["The order is sealed: it waits to be put on the ledger", STANDS];
    until_told(&nodes[0], job, &facts, "polity up");
}

#[test]
fn a_dispute_that_is_open_says_how_many_have_ruled_and_until_when_they_may() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 3, 3, Params { demonstration: true, ..brisk() });
    fs::write(homes[2].join("config.toml"), "misbehave = \"wrong-result\"\n").unwrap();
    let mut nodes = up_all(dir.path(), &homes);
    nodes.iter_mut().for_each(|node| node.ready(3));
    // The liar lies about one of three tasks, and to run one again takes a while.
    let tasks = 16;
    let job = Order { tasks, ..Order::of(&counting(30), "3of3") }.submit(&nodes[0]);
    let facts = [
        "Outcomes differ. A dispute is open since height ",
        " of 3 validators have ruled, and 3 must find the same until ",
        "(block time)",
    ];
    until_told(&nodes[0], job, &facts, "polity ledger disputes");
    let text = told(&nodes[0], job).text;
    assert!(!text.contains("owner 1 lied"), "nobody is guilty before the verdict: {text}");
}
