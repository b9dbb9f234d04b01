//! What happens when nodes die, come back, or lost what they must not lose.

#![allow(clippy::unwrap_used)]

mod society;

use society::{Node, brisk, found, inputs, polity, program, until, up_all};
use std::{fs, path::Path};

fn run(dir: &Path, home: &str, out: &str) {
    let args = [
        "run",
        "copy.wasm",
        "--fresh",
        "--each",
        "in/*.txt",
        "--arg",
        "{}",
        "-o",
        out,
        "--data",
        home,
    ];
    let said = polity(dir, &args);
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
}

#[test]
fn one_of_four_validators_dies_and_returns_and_a_follower_answers_for_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 6);
    // Five founders; the fifth one's node does not vote.
    let homes = found(dir, 5, 4, brisk());
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(5));
    run(dir, "owner-1", "before");

    let behind = nodes[3].height();
    let dead = nodes.remove(3).kill();
    run(dir, "owner-1", "without");
    run(dir, "owner-5", "by-follower");
    until("200 blocks", || (nodes[0].height() >= behind + 200).then_some(()));

    let mut back = Node::up(&dead, &[], None);
    back.ready(5);
    let target = nodes[0].height();
    until("the returned validator to catch up", || (back.height() >= target).then_some(()));
    run(dir, "owner-4", "after");

    // The follower and the validators tell the same blocks. (Each has the votes of a quorum, but
    // not of the same one.)
    let follower = &nodes[3];
    for height in [1, behind, target] {
        let text = height.to_string();
        let of = |node: &Node| {
            node.polity(&["ledger", "block", &text, "--json"]).ok().json()["block"].to_string()
        };
        let expected = of(&nodes[0]);
        assert!(expected.len() > 100 && of(follower) == expected, "block {height}");
        assert!(of(&back) == expected, "block {height}");
    }
}

#[test]
fn a_validator_that_lost_its_votes_does_not_vote_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let homes = found(dir, 4, 4, brisk());
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(4));
    until("some blocks", || (nodes[0].height() >= 8).then_some(()));

    // The journal is gone.
    let data = nodes.remove(3).kill();
    fs::remove_dir_all(data.join("consensus")).unwrap();
    let said = Node::up(&data, &[], None).failed();
    assert!(said.contains("votes") && said.contains("polity invite --mine"), "{said}");

    // All is gone but the keys and the genesis: the others' chain shows that this key voted.
    for gone in ["consensus", "chain", "cluster", "store", "cache", "validator"] {
        let path = data.join(gone);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
    fs::write(data.with_extension("log"), "").unwrap();
    let said = Node::up(&data, &[], None).failed();
    assert!(said.contains("votes"), "{said}");
}

#[test]
fn a_home_that_is_killed_finishes_its_jobs_after_its_return() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 40);
    let homes = found(dir, 4, 4, brisk());
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(4));
    let args = [
        "run",
        "copy.wasm",
        "--fresh",
        "--each",
        "in/*.txt",
        "--arg",
        "{}",
        "-o",
        "out",
        "--data",
        "owner-1",
    ];
    let client = std::process::Command::new(society::POLITY)
        .args(args)
        .current_dir(dir)
        .stderr(fs::File::create(dir.join("client.log")).unwrap())
        .spawn();
    let mut client = client.unwrap();
    let job = until("the job to be admitted", || {
        let said = nodes[0].polity(&["job", "list", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&said.out).ok()?;
        Some(list.as_array()?.first()?["job"].as_str()?.to_string())
    });
    let home = nodes.remove(0).kill();
    let mut back = Node::up(&home, &[], None);
    back.ready(4);
    // Whoever waited goes on waiting, and is told.
    let ended = client.wait().unwrap();
    let said = fs::read_to_string(dir.join("client.log")).unwrap();
    assert!(ended.success(), "{said}\n{}", back.log());
    let said = back.polity(&["job", "get", &job, "-o", "fetched"]);
    assert_eq!(said.code, Some(0), "{}\n{}\n{}", said.out, said.err, back.log());
    for n in 0..40 {
        let input = fs::read(dir.join(format!("in/{n}.txt"))).unwrap();
        assert_eq!(fs::read(dir.join(format!("fetched/{n}.txt"))).unwrap(), input, "{n}");
    }
    polity(dir, &["verify", "fetched", "--genesis", "genesis.polity"]).ok();
}
