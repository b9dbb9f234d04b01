//! A node that is long in starting: what it is asked meanwhile is done once it runs.

use super::society::{Node, brisk, found, inputs, polity, program, until};
use std::{
    fs::File,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long the worker goes on starting after it was given its work: longer than its home would
/// try to reach a node that takes no messages.
const START: Duration = Duration::from_secs(2);

/// The first validator cannot vote before it has asked two others, so its start takes as long as
/// they let it wait.
#[test]
fn a_worker_that_still_starts_does_what_it_was_given_once_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 2);
    let homes = found(dir, 5, 4, brisk());
    let genesis = dir.join("genesis.polity");
    let genesis = genesis.to_string_lossy();
    let up = |n: usize| Node::up(&homes[n], &["--genesis", &genesis], None);
    let waits = |node: &Node, asked: u32| {
        let line = format!("waiting for other validators before voting asked={asked}");
        until("a validator to wait for others", || node.log().contains(&line).then_some(()));
    };

    let mut home = up(4);
    let worker = up(0);
    waits(&worker, 0);
    home.ready(2);
    let args = ["run", "copy.wasm", "--each", "in/*.txt", "--arg", "{}", "--verify", "2of2"];
    let log = dir.join("client.log");
    let mut client = Command::new(super::society::POLITY)
        .args(args)
        .args(["-o", "out", "--data", "owner-5"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    until("both nodes to be asked", || {
        let list = home.polity(&["job", "list", "--json"]).ok().json();
        let job = list.as_array()?.first()?["job"].as_str()?.to_string();
        let job = home.polity(&["job", "describe", &job, "--json"]).ok().json();
        let asked = |task: &serde_json::Value| task["replicas"].as_array().map(Vec::len) == Some(2);
        job["tasks"].as_array()?.iter().all(asked).then_some(())
    });
    // However long it takes, nobody else is asked in its place, and it is not forgotten.
    let asked = Instant::now();
    until("a long start", || {
        let list = home.polity(&["job", "list", "--json"]).ok().json();
        assert_eq!(list[0]["agreed"], 0, "{list}");
        (asked.elapsed() >= START).then_some(())
    });
    let others = [up(1), up(2)];
    let ended = until("the job to end", || client.try_wait().unwrap());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(ended.success(), "{said}\n{}\n{}", home.log(), worker.log());
    polity(dir, &["verify", "out", "--genesis", "genesis.polity"]).ok();
    drop(others);
}
