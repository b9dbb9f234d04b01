//! A network that splits in two halves, neither of which may decide anything alone.

use super::society::{
    Node, brisk, found_at,
    halves::{Halves, LEFT, RIGHT},
    inputs, program, until,
};

/// What a validator's log must hold so that its leader timeouts can be counted, and its word for
/// one: the vote to skip a leader, cast again and again while nobody answers.
const LOG: &str = "warn,node=info,commonware_consensus::simplex::actors::voter=debug";
const TIMEOUT: &str = "broadcasting nullify";
/// Leader timeouts of every validator that pass while the network is split.
const TIMEOUTS: usize = 12;

/// Orders a job and comes back when its replicas agree, which takes no validators.
fn agree(node: &Node, out: &str) {
    let run =
        ["run", "copy.wasm", "--fresh", "--each", "in/*.txt", "--arg", "{}", "--verify", "2of2"];
    let mut args = run.to_vec();
    args.extend(["--wait", "agreed", "-o", out]);
    node.polity(&args).ok();
}

/// Fetches the last job of a node, waiting until it is final.
fn fetch(node: &Node, out: &str) {
    node.polity(&["job", "get", "last", "-o", out]).ok();
    node.polity(&["verify", out]).ok();
}

fn heights(nodes: &[Node]) -> Vec<u64> {
    nodes.iter().map(Node::height).collect()
}

/// Leaders that each validator gave up so far.
fn skips_of(nodes: &[Node]) -> Vec<usize> {
    nodes.iter().map(|node| node.log().matches(TIMEOUT).count()).collect()
}

/// Waits until every node sees so many parties, itself among them.
fn seen(nodes: &mut [Node], parties: u64) {
    for node in nodes {
        until(&format!("{} to see {parties} parties", node.data.display()), || {
            (node.status()?["parties"].as_u64()? == parties).then_some(())
        });
    }
}

#[test]
fn two_halves_finalise_nothing_and_one_whole_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 3);
    let places = [(LEFT, 4001), (LEFT, 4002), (RIGHT, 4001), (RIGHT, 4002)];
    let homes = found_at(dir, &places, 4, brisk());
    let halves = Halves::new();
    let genesis = dir.join("genesis.polity");
    let genesis = genesis.to_string_lossy();
    let mut nodes: Vec<_> = homes
        .iter()
        .zip([&halves.left, &halves.left, &halves.right, &halves.right])
        .map(|(home, half)| {
            let way = half.way().with("POLITY_LOG", LOG);
            Node::up_in(&way, home, &["--genesis", &genesis], None)
        })
        .collect();
    nodes.iter_mut().for_each(|node| node.ready(4));
    agree(&nodes[0], "whole");
    fetch(&nodes[0], "whole");

    halves.cut();
    seen(&mut nodes, 2);
    agree(&nodes[0], "left");
    agree(&nodes[2], "right");
    // What had the votes of a quorum before the cut has arrived by now.
    let (before, skips) = (heights(&nodes), skips_of(&nodes));
    until("leaders to be given up", || {
        assert_eq!(heights(&nodes), before, "blocks after the cut");
        let enough = |(now, before): (usize, &usize)| now >= before + TIMEOUTS;
        skips_of(&nodes).into_iter().zip(&skips).all(enough).then_some(())
    });
    for node in [&nodes[0], &nodes[2]] {
        let list = node.polity(&["job", "list", "--json"]).ok().json();
        let last = &list.as_array().unwrap()[0];
        assert_eq!((&last["state"], &last["settled"]), (&"running".into(), &0.into()), "{last}");
    }

    halves.heal();
    seen(&mut nodes, 4);
    fetch(&nodes[0], "left");
    fetch(&nodes[2], "right");
    let target = before.iter().max().unwrap() + 10;
    for node in &nodes {
        until("blocks after the healing", || (node.height() >= target).then_some(()));
    }
    // Each block names the one before it: who agrees on the last agrees on all.
    for height in before.iter().chain([&target]) {
        let height = height.to_string();
        let of = |node: &Node| {
            node.polity(&["ledger", "block", &height, "--json"]).ok().json()["block"].to_string()
        };
        let expected = of(&nodes[0]);
        assert!(nodes.iter().all(|node| of(node) == expected), "block {height}");
    }
}
