//! Executors that are silent, gone, busy, or have no result.

use super::{
    order::{NOTHING, Order, counting},
    society::{Node, brisk, found, up_all},
    told::until_told,
};
use identity::Digest;
use protocol::Params;
use std::{fs, path::Path};

/// Two owners, of whom the first one's node votes.
pub(crate) fn two(dir: &Path, params: Params, settings: [&str; 2]) -> Vec<Node> {
    let homes = found(dir, 2, 1, params);
    for (home, settings) in homes.iter().zip(settings) {
        fs::write(home.join("config.toml"), settings).unwrap();
    }
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(2));
    nodes
}

#[test]
fn a_silent_executor_is_named_with_the_end_of_its_lease() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params { demonstration: true, ..brisk() };
    let nodes = two(dir.path(), params, ["", "misbehave = \"silent\"\n"]);
    let job = Order::of(NOTHING, "2of2").submit(&nodes[0]);
    let facts =
        ["No answer yet from …", "(owner owner 2), asked ", "counts as lost)", "committed: …"];
    let told = until_told(&nodes[0], job, &facts, "");
    let after = told.split("(who says nothing until ").nth(1).unwrap();
    assert!(after.contains("Z (in "), "{told}");
}

#[test]
fn an_executor_that_went_away_is_named_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = two(dir.path(), brisk(), ["", ""]);
    let job = Order::of(&counting(100_000), "2of2").submit(&nodes[0]);
    until_told(&nodes[0], job, &["No answer yet from …", "(owner owner 2)"], "");
    drop(nodes.remove(1).kill());
    let facts = [
        "of 2 owners only owner 1 is there. Not connected: owner 2.",
        "(owner owner 2): did not answer in time, or went away",
    ];
    until_told(&nodes[0], job, &facts, "polity up");
}

#[test]
fn whoever_works_on_other_jobs_is_waited_for_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = two(dir.path(), brisk(), ["[work]\nnode_tasks = 1\n", ""]);
    let first = Order::of(&counting(100_000), "2of2").submit(&nodes[0]);
    until_told(&nodes[0], first, &["No answer yet from …"], "");
    let second = Order::of(NOTHING, "2of2").submit(&nodes[0]);
    let facts =
        ["none can be given a task of it now. Busy with as much as they may", "(owner owner 2)"];
    until_told(&nodes[0], second, &facts, "");
}

#[test]
fn a_program_that_nobody_can_run_is_said_to_be_none_also_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = two(dir.path(), brisk(), ["", ""]);
    let program = b"#!/bin/sh".to_vec();
    let job = Order { program, ..Order::of(NOTHING, "2of2") }.submit(&nodes[0]);
    let facts = ["(owner owner 1)", "(owner owner 2)", "the program is none that it can run"];
    until_told(&nodes[0], job, &facts, "wasm32-wasip1");
    let ended = ["Finished: 0 of 1 task final, 1 not agreed.", facts[2], "too few nodes could"];
    until_told(&nodes[0], job, &ended, "wasm32-wasip1");
}

#[test]
fn an_order_for_another_engine_says_which_one_and_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = two(dir.path(), brisk(), ["", ""]);
    let engine = Digest([9; 32]);
    let job = Order { engine, ..Order::of(NOTHING, "2of2") }.submit(&nodes[0]);
    let facts =
        ["The order names another engine (…", "of 1 other node that told what they have, 0 can"];
    until_told(&nodes[0], job, &facts, "order it again with this version");
    let ended = ["it has another engine than the order names", "too few nodes could run it"];
    until_told(&nodes[0], job, &ended, "polity doctor");
}

#[test]
fn what_the_home_has_lost_is_named_and_so_is_the_receipt_that_it_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = two(dir.path(), brisk(), ["", ""]);
    let other = nodes.remove(1).kill();
    let job = Order::of(NOTHING, "2of2").submit(&nodes[0]);
    until_told(&nodes[0], job, &["Not connected: owner 2."], "polity up");
    let home = nodes.remove(0).stop();
    fs::remove_dir_all(home.join("store")).unwrap();
    let mut back = Node::up(&home, &[], None);
    back.ready(1);
    let _other = Node::up(&other, &[], None);
    let facts =
        ["it could not have the program or an input", "This node, its home, has lost the program"];
    until_told(&back, job, &facts, "order it again, with all its files");
    let over = ["the receipt is being written", " failed: its task table "];
    until_told(&back, job, &over, "polity doctor");
}
