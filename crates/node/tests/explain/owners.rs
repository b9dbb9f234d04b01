//! Owners that are away, or may not be drawn.

use super::{
    order::{NOTHING, Order},
    society::{brisk, found, up_all},
    told::{until_parties, until_told},
};
use protocol::Params;
use std::fs;

#[test]
fn too_few_owners_are_there_and_those_that_are_away_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 3, 1, brisk());
    let mut nodes = up_all(dir.path(), &homes);
    nodes.iter_mut().for_each(|node| node.ready(3));
    nodes.drain(1..).for_each(|node| drop(node.kill()));
    until_parties(&mut nodes[0], 1);
    let job = Order::of(NOTHING, "2of2").submit(&nodes[0]);
    let facts = [
        "2 different owners must agree, and of 3 owners only owner 1 is there.",
        "Not connected: owner 2, owner 3.",
        "The order is good until ",
    ];
    until_told(&nodes[0], job, &facts, "polity up");
}

#[test]
fn one_of_the_owners_that_are_needed_is_missing_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 3, 1, brisk());
    let mut nodes = up_all(dir.path(), &homes);
    nodes.iter_mut().for_each(|node| node.ready(3));
    drop(nodes.remove(2).kill());
    until_parties(&mut nodes[0], 2);
    let job = Order::of(NOTHING, "3of3").submit(&nodes[0]);
    let facts = [
        "3 different owners must agree, and of 3 owners 2 are there (owner 1, owner 2).",
        "Not connected: owner 3.",
        "Committed: ",
    ];
    until_told(&nodes[0], job, &facts, "polity node list");
}

#[test]
fn an_owner_that_is_sanctioned_is_named_and_until_when() {
    let dir = tempfile::tempdir().unwrap();
    let homes = found(dir.path(), 3, 1, Params { demonstration: true, ..brisk() });
    fs::write(homes[2].join("config.toml"), "misbehave = \"wrong-result\"\n").unwrap();
    let mut nodes = up_all(dir.path(), &homes);
    nodes.iter_mut().for_each(|node| node.ready(3));
    drop(nodes.remove(1).kill());
    until_parties(&mut nodes[0], 2);
    // It waits for the one that is away, while another job finds the third one lying.
    let waits = Order::of(NOTHING, "3of3").submit(&nodes[0]);
    until_told(&nodes[0], waits, &["Not connected: owner 2."], "polity up");
    let tasks = 40;
    Order { tasks, ..Order::of(NOTHING, "2of2") }.submit(&nodes[0]);
    let facts = ["only owner 1 is there", "Not connected: owner 2.", "owner 3 is not drawn until "];
    until_told(&nodes[0], waits, &facts, "polity up");
}
