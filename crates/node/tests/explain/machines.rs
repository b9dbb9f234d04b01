//! Machines: a disk that is full, a node that nobody admitted.

use super::{
    order::{NOTHING, Order, RANDOM},
    society::{Node, brisk, found, free_port, space::Space, until, up_all},
    told::until_told,
};
use std::fs;

/// The disk, how much of it is left, and how much of that the store leaves to the journals.
const DISK_MIB: u32 = 32;
const LEFT_BYTES: u64 = 4 << 20;
const SETTINGS: &str = "[storage]\nreserve_bytes = 8388608\n";

#[test]
fn an_executor_whose_disk_is_full_is_named_and_its_doctor_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let homes = found(dir, 2, 1, brisk());
    fs::write(homes[1].join("config.toml"), SETTINGS).unwrap();
    let space = Space::disk(&homes[1], DISK_MIB);
    let genesis = dir.join("genesis.polity");
    let up = ["--genesis", &*genesis.to_string_lossy()];
    let mut nodes =
        [Node::up(&homes[0], &up, None), Node::up_in(space.way(), &homes[1], &up, None)];
    nodes.iter_mut().for_each(|node| node.ready(2));
    // With program and table there already, only what it finds needs room.
    let first = Order::of(RANDOM, "2of2").submit(&nodes[0]);
    until_told(&nodes[0], first, &["Finished: 1 of 1 task final"], "polity job get");
    let at = homes[1].display();
    space.way().shell(&format!(
        "free=$(($(stat -f -c '%a * %S' '{at}'))); \
         head -c $((free > {LEFT_BYTES} ? free - {LEFT_BYTES} : 0)) /dev/zero >> '{at}/ballast'"
    ));
    let second = Order::of(RANDOM, "2of2").submit(&nodes[0]);
    let facts = ["(owner owner 2): its machine has no room, or its store failed"];
    until_told(&nodes[0], second, &facts, "look on that machine: polity doctor");
    let doctor = nodes[1].polity(&["doctor"]);
    assert_eq!(doctor.code, Some(127), "{}", doctor.out);
    assert!(doctor.out.contains("✗ disk "), "{}", doctor.out);
    let words = doctor.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("No job and no output is taken"), "{}", doctor.out);
}

#[test]
fn a_node_that_nobody_admitted_refuses_orders_and_says_how_to_join() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let homes = found(dir, 1, 1, brisk());
    let mut founder = up_all(dir, &homes).remove(0);
    founder.ready(1);
    let stranger = cli::data::DataDir::at(dir.join("stranger"));
    stranger.owner_key_or_new([77; 32]).unwrap();
    let (genesis, port) = (dir.join("genesis.polity"), free_port().to_string());
    let up = ["--genesis", &*genesis.to_string_lossy(), "--listen", &port];
    let mut node = Node::up(stranger.root(), &up, None);
    until("it to answer", || node.status());
    fs::write(dir.join("nothing.wasm"), wat::parse_str(NOTHING).unwrap()).unwrap();
    let said = node.polity(&["run", "nothing.wasm", "--verify", "single"]);
    assert_eq!(said.code, Some(121), "{said:?}");
    assert!(said.err.contains("this node is not admitted yet"), "{}", said.err);
    assert!(said.err.contains("polity invite"), "{}", said.err);
    let doctor = node.polity(&["doctor", "--json"]);
    assert_eq!(doctor.code, Some(127));
    let checks = doctor.json()["checks"].clone();
    let admission = checks.as_array().unwrap().iter().find(|c| c["check"] == "admission").unwrap();
    assert_eq!(admission["grade"], "bad", "{admission}");
    assert!(admission["next"].as_str().unwrap().contains("polity up --join"), "{admission}");
}
