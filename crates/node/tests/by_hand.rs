//! The road of two owners by hand, with the commands that a person types.

#![allow(clippy::unwrap_used)]

mod society;

use society::{Node, POLITY, Said, free_port, inputs, polity, program, until};
use std::{fs, path::Path, process::Command};

/// Runs a command line without any network, where the machine lets us.
fn polity_offline(dir: &Path, args: &[&str]) -> Said {
    let probe = Command::new("unshare").args(["-n", "true"]).status();
    if probe.is_ok_and(|status| status.success()) {
        let mut command = Command::new("unshare");
        command.args(["-n", POLITY]).args(args).current_dir(dir);
        return command.output().unwrap().into();
    }
    polity(dir, args)
}

fn founding_line(dir: &Path, home: &str, name: &str) -> String {
    let port = free_port().to_string();
    let said =
        polity(dir, &["key", "show", "--data", home, "--listen", &port, "--name", name]).ok();
    let line = said.out.split_whitespace().find(|word| word.starts_with("polityfound1"));
    line.unwrap_or_else(|| panic!("no founding line in {}", said.out)).to_string()
}

#[test]
fn two_owners_found_a_third_joins_and_a_stranger_verifies_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let lines = [founding_line(dir, "one", "One"), founding_line(dir, "two", "Two")];
    let said = polity(dir, &["found", &lines[0], &lines[1], "-o", "net.polity"]).ok();
    assert!(said.err.contains("no fault") || said.out.contains("no fault"), "{said:?}");

    let genesis = dir.join("net.polity");
    let genesis = genesis.to_string_lossy().into_owned();
    let mut one = Node::up(&dir.join("one"), &["--genesis", &genesis], None);
    let mut two = Node::up(&dir.join("two"), &["--genesis", &genesis], None);
    one.ready(2);
    two.ready(2);

    // A third owner, whose line comes by stdin.
    let line = one.polity(&["invite"]).ok();
    let line = line.out.lines().find(|l| l.starts_with("polityjoin1")).unwrap().to_string();
    fs::write(dir.join("line.txt"), &line).unwrap();
    let at = format!("@{}", dir.join("line.txt").display());
    let port = free_port().to_string();
    let mut three =
        Node::up(&dir.join("three"), &["--join", &at, "--name", "Three", "--listen", &port], None);
    three.ready(2);
    // What its owner waits for is said.
    for said in ["is admitted to polity", "the node is ready"] {
        until(said, || three.log().contains(said).then_some(()));
    }
    let nodes = three.polity(&["node", "list", "--json"]).ok().json();
    assert_eq!(nodes.as_array().map(Vec::len), Some(3), "{nodes}");

    // One more machine of the first owner.
    let line = one.polity(&["invite", "--mine"]).ok();
    let line = line.out.lines().find(|l| l.starts_with("polityjoin1")).unwrap().to_string();
    let port = free_port().to_string();
    let args = ["--join", "-", "--listen", &port];
    let mut mine = Node::up(&dir.join("mine"), &args, Some(&format!("{line}\n")));
    mine.ready(2);
    let nodes = mine.polity(&["node", "list", "--json"]).ok().json();
    assert_eq!(nodes.as_array().map(Vec::len), Some(4), "{nodes}");

    // A directory belongs to one node at a time.
    let second = Node::up(&dir.join("one"), &[], None).failed();
    assert!(second.contains("in use"), "{second}");

    program(dir);
    inputs(dir, 5);
    let run = ["run", "copy.wasm", "--each", "in/*.txt", "--arg", "{}", "--verify", "2of2", "-o"];
    let mut args = run.to_vec();
    args.extend(["out", "--data", "two"]);
    let said = polity(dir, &args);
    assert_eq!(said.code, Some(0), "{}\n{}\n{}", said.err, one.log(), two.log());
    for n in 0..5 {
        let input = fs::read(dir.join(format!("in/{n}.txt"))).unwrap();
        assert_eq!(fs::read(dir.join(format!("out/{n}.txt"))).unwrap(), input, "{n}");
    }
    // The one who joined can order work too.
    let mut args = run.to_vec();
    args.extend(["third", "--data", "three"]);
    polity(dir, &args).ok();

    // A spent line lets nobody in.
    let again = Node::up(&dir.join("four"), &["--join", &at, "--name", "Four"], None);
    let said = again.failed();
    assert!(said.contains("spent"), "{said}");

    for node in [one, two, three, mine] {
        fs::remove_dir_all(node.stop()).unwrap();
    }
    let network = polity_offline(dir, &["verify", "out", "--genesis", "net.polity"]);
    assert_eq!(network.code, Some(0), "{network:?}");
    let third = polity_offline(dir, &["verify", "third/receipt.polity", "--genesis", "net.polity"]);
    assert_eq!(third.code, Some(0), "{third:?}");
    let unpinned = polity_offline(dir, &["verify", "out"]);
    assert!(!matches!(unpinned.code, Some(0) | None), "{unpinned:?}");

    every_flipped_bit_is_refused(&dir.join("out/receipt.polity"), &dir.join("net.polity"));

    let output = dir.join("out/3.txt");
    let mut bytes = fs::read(&output).unwrap();
    bytes[0] ^= 1;
    fs::write(&output, bytes).unwrap();
    let forged = polity_offline(dir, &["verify", "out", "--genesis", "net.polity"]);
    assert_ne!(forged.code, Some(0));
    assert!(format!("{}{}", forged.out, forged.err).contains("3.txt"), "{forged:?}");
}

/// Of this very receipt: all bits, one after the other.
fn every_flipped_bit_is_refused(receipt: &Path, genesis: &Path) {
    let network = protocol::Genesis::decode(&fs::read(genesis).unwrap()).unwrap().network();
    let mut bytes = fs::read(receipt).unwrap();
    let holds = |bytes: &[u8]| {
        protocol::Receipt::decode(bytes).is_ok_and(|receipt| receipt.verify(Some(network)).is_ok())
    };
    assert!(holds(&bytes));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!holds(&bytes), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}
