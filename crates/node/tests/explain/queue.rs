//! Jobs that wait in the queue, or that no node may be given.

use super::{
    executors::two,
    order::{NOTHING, Order, counting},
    society::{Node, brisk},
    told::until_told,
};
use identity::SecretKey;
use protocol::{Class, Needs, Priority, Terms};
use std::{collections::BTreeSet, fs, path::Path};

/// Two owners of whom the first one's node votes.
fn plain(dir: &Path) -> Vec<Node> {
    two(dir, brisk(), ["", ""])
}

/// A job with these needs.
fn needing(needs: Needs) -> Order<'static> {
    Order { terms: Terms { needs, ..Terms::default() }, ..Order::of(NOTHING, "single") }
}

#[test]
fn a_job_that_is_paused_says_so_and_goes_on_when_it_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = two(dir.path(), brisk(), ["[work]\nnode_tasks = 1\n"; 2]);
    let order = Order { tasks: 50, ..Order::of(&counting(20), "single") };
    let job = order.submit(&nodes[0]);
    nodes[0].polity(&["job", "pause", &job.to_string()]).ok();
    let facts = ["Paused: nobody new is given a task of it", "of 50 tasks"];
    until_told(&nodes[0], job, &facts, "polity job resume");
    nodes[0].polity(&["job", "resume", &job.to_string()]).ok();
    until_told(&nodes[0], job, &["Finished: 50 of 50 tasks final"], "");
}

#[test]
fn nodes_that_are_cordoned_are_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = plain(dir.path());
    for n in 0..2 {
        let key = nodes[n].status().unwrap()["node"].as_str().unwrap().to_string();
        nodes[0].polity(&["node", "cordon", &key, "--reason", "new disk"]).ok();
    }
    let job = Order::of(NOTHING, "single").submit(&nodes[0]);
    let facts = ["Of 2 nodes none can be given a task of it now.", "Cordoned (new disk): "];
    until_told(&nodes[0], job, &facts, "polity node uncordon");
    let key = nodes[1].status().unwrap()["node"].as_str().unwrap().to_string();
    nodes[0].polity(&["node", "uncordon", &key]).ok();
    until_told(&nodes[0], job, &["Finished: 1 of 1 task final"], "");
}

#[test]
fn a_node_that_its_owner_looks_after_is_given_nothing_until_that_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = plain(dir.path());
    for n in 0..2 {
        let key = nodes[n].status().unwrap()["node"].as_str().unwrap().to_string();
        nodes[0].polity(&["node", "window", &key, "--for", "1h"]).ok();
    }
    let job = Order::of(NOTHING, "single").submit(&nodes[0]);
    let facts =
        ["none can be given a task of it now.", "Looked after by their owners now, or soon"];
    until_told(&nodes[0], job, &facts, "");
    let key = nodes[0].status().unwrap()["node"].as_str().unwrap().to_string();
    nodes[0].polity(&["node", "window", &key, "--none"]).ok();
    until_told(&nodes[0], job, &["Finished: 1 of 1 task final"], "");
}

#[test]
fn a_label_that_no_node_carries_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = plain(dir.path());
    let labels = [("zone".to_string(), "moon".to_string())].into();
    let job = needing(Needs { labels, ..Needs::default() }).submit(&nodes[0]);
    let facts = ["Of 2 nodes none", "Without the label zone=moon: "];
    until_told(&nodes[0], job, &facts, "labels = { zone");
}

#[test]
fn a_processor_that_nobody_has_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = plain(dir.path());
    let arch = Some("riscv64".to_string());
    let job = needing(Needs { arch, ..Needs::default() }).submit(&nodes[0]);
    until_told(&nodes[0], job, &["Of 2 nodes none", "Not riscv64: "], "ask for less");
}

#[test]
fn more_cores_than_any_node_has_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = plain(dir.path());
    let job = needing(Needs { cpus: 4_096, ..Needs::default() }).submit(&nodes[0]);
    until_told(&nodes[0], job, &["Of 2 nodes none", "Fewer than 4,096 cores: "], "ask for less");
}

#[test]
fn data_that_nobody_may_see_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = plain(dir.path());
    let job = needing(Needs { class: Class::Restricted, ..Needs::default() }).submit(&nodes[0]);
    until_told(&nodes[0], job, &["Of 2 nodes none", "May not see restricted data: "], "");
}

#[test]
fn owners_that_the_job_does_not_name_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = plain(dir.path());
    let owners = BTreeSet::from([SecretKey::from_seed([77; 32]).public()]);
    let job = needing(Needs { owners, ..Needs::default() }).submit(&nodes[0]);
    until_told(&nodes[0], job, &["Of 2 nodes none", "Of owners that the job does not name: "], "");
}

#[test]
fn a_job_behind_others_says_how_many_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = two(dir.path(), brisk(), ["[work]\nnode_tasks = 1\n"; 2]);
    let urgent = Terms { priority: Priority::Critical, ..Terms::default() };
    let long = Order { tasks: 40, terms: urgent, ..Order::of(&counting(3_000), "single") };
    let first = long.submit(&nodes[0]);
    until_told(&nodes[0], first, &["40 tasks"], "");
    let low = Terms { priority: Priority::Low, ..Terms::default() };
    let job = Order { tasks: 2, terms: low, ..Order::of(NOTHING, "single") }.submit(&nodes[0]);
    let facts = ["In the queue 1 job goes before it: its priority is low."];
    until_told(&nodes[0], job, &facts, "polity job pause JOB");
    nodes[0].polity(&["job", "cancel", &first.to_string()]).ok();
    until_told(&nodes[0], job, &["Finished: 2 of 2 tasks final"], "");
}

#[test]
fn a_submitter_that_has_as_much_at_work_as_it_may_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = two(dir.path(), brisk(), ["[work.quota]\nreplicas = 1\n"; 2]);
    let order = Order { tasks: 20, ..Order::of(&counting(3_000), "single") };
    let job = order.submit(&nodes[0]);
    let facts = ["Its submitter has 1 replica", "may have 1"];
    until_told(&nodes[0], job, &facts, "polity job cancel JOB");
}

/// The owner of a node.
fn owner_of(node: &mut Node) -> String {
    let key = node.status().unwrap()["node"].as_str().unwrap().to_string();
    let nodes = node.polity(&["node", "list", "--json"]).ok().json();
    let all = nodes.as_array().expect("a list");
    let own = all.iter().find(|info| info["node"] == key.as_str()).expect("it is admitted");
    own["owner"].as_str().expect("a key").to_string()
}

#[test]
fn an_owner_with_a_quota_of_its_own_is_told_so_and_refused_what_is_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = plain(dir.path());
    let owner = owner_of(&mut nodes[0]);
    nodes[0].polity(&["cluster", "quota", &owner, "--jobs", "1", "--replicas", "1"]).ok();
    let order = Order { tasks: 20, ..Order::of(&counting(3_000), "single") };
    let job = order.submit(&nodes[0]);
    until_told(&nodes[0], job, &["Its submitter has 1 replica", "may have 1"], "");
    let shown = nodes[0].polity(&["cluster", "quota"]).ok().out;
    assert!(shown.contains("1 of 1") && shown.contains("its own"), "{shown}");
    fs::write(dir.path().join("nothing.wasm"), wat::parse_str(NOTHING).unwrap()).unwrap();
    let run = ["run", "nothing.wasm", "--verify", "single", "-o", "over"];
    let refused = nodes[0].polity(&run);
    assert_eq!(refused.code, Some(121), "{refused:?}");
    assert!(refused.err.contains("1 jobs of yours are under way here"), "{}", refused.err);
    nodes[0].polity(&["cluster", "quota", &owner, "--default"]).ok();
    nodes[0].polity(&["job", "cancel", &job.to_string()]).ok();
    nodes[0].polity(&run).ok();
}

#[test]
fn what_is_held_back_for_others_is_not_given_until_that_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = plain(dir.path());
    let other = owner_of(&mut nodes[1]);
    let keys: Vec<String> = nodes
        .iter_mut()
        .map(|node| node.status().unwrap()["node"].as_str().unwrap().to_string())
        .collect();
    let held = ["--owner", &other, "--node", &keys[0], "--node", &keys[1], "--cpus", "4096"];
    let reserve = ["cluster", "reserve", "nightly", "--for", "1h"];
    nodes[0].polity(&[&reserve[..], &held].concat()).ok();
    let shown = nodes[0].polity(&["cluster", "reserve"]).ok().out;
    assert!(shown.contains("nightly") && shown.contains("4,096 cores"), "{shown}");
    let job = needing(Needs { cpus: 1, ..Needs::default() }).submit(&nodes[0]);
    until_told(&nodes[0], job, &["Of 2 nodes none can be given a task of it now."], "");
    nodes[0].polity(&["cluster", "reserve", "nightly", "--none"]).ok();
    until_told(&nodes[0], job, &["Finished: 1 of 1 task final"], "");
    let gone = nodes[0].polity(&["cluster", "reserve", "nightly", "--none"]);
    assert!(gone.err.contains("nothing is held back that is called 'nightly'"), "{gone:?}");
}
