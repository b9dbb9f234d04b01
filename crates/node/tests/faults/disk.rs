//! A disk that fills: the node on it says so and stops, and nobody else is harmed.

use super::{
    load::assert_copied,
    society::{Node, brisk, found, inputs, polity, program, space::Space, until},
};
use std::{fs, path::Path};

/// The disk, and how much of it the store leaves to the journals.
const DISK_MIB: u32 = 32;
const SETTINGS: &str = "[storage]\nreserve_bytes = 8388608\n";
/// What is left at first: less than the reserve, and enough for the journals.
const LEFT_BYTES: u64 = 4 << 20;

/// A job of a node whose disk has room: it ends well, whatever happens elsewhere.
fn ends_well(dir: &Path, home: &Path, out: &str) {
    let run =
        ["run", "copy.wasm", "--fresh", "--each", "in/*.txt", "--arg", "{}", "--verify", "2of3"];
    let home = home.to_string_lossy();
    let mut args = run.to_vec();
    args.extend(["-o", out, "--data", &home]);
    polity(dir, &args).ok();
    assert_copied(dir, &dir.join(out));
    polity(dir, &["verify", out, "--genesis", "genesis.polity"]).ok();
}

/// Leaves so many bytes of a disk.
fn fill(space: &Space, at: &Path, left_bytes: u64) {
    let at = at.display();
    space.way().shell(&format!(
        "free=$(($(stat -f -c '%a * %S' '{at}'))); \
         head -c $((free > {left_bytes} ? free - {left_bytes} : 0)) /dev/zero >> '{at}/ballast'"
    ));
}

/// Takes what is left of a disk. The node may take some of it first: then `head` meets the end.
fn fill_up(space: &Space, at: &Path) {
    let at = at.display();
    space.way().shell(&format!(
        "head -c {DISK_MIB}M /dev/zero >> '{at}/ballast' 2>/dev/null || test -s '{at}/ballast'"
    ));
}

/// The whole story of one node, `full`, out of five of which the last one does not vote.
fn a_disk_fills(full: usize) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 3);
    let homes = found(dir, 5, 4, brisk());
    fs::write(homes[full].join("config.toml"), SETTINGS).unwrap();
    let space = Space::disk(&homes[full], DISK_MIB);
    let genesis = dir.join("genesis.polity");
    let genesis = genesis.to_string_lossy();
    let mut nodes: Vec<_> = homes
        .iter()
        .enumerate()
        .map(|(n, home)| {
            let way = if n == full { space.way().clone() } else { Default::default() };
            Node::up_in(&way, home, &["--genesis", &genesis], None)
        })
        .collect();
    nodes.iter_mut().for_each(|node| node.ready(5));
    ends_well(dir, &homes[0], "before");

    // Below the reserve: what wants space is refused, and the journals go on.
    fill(&space, &homes[full], LEFT_BYTES);
    fs::write(dir.join("in/new.txt"), "nobody has this yet").unwrap();
    let order =
        ["run", "copy.wasm", "--fresh", "--each", "in/*.txt", "--arg", "{}", "-o", "refused"];
    let refused = nodes[full].polity(&order);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(refused.err.contains("the disk is full"), "{refused:?}");
    assert!(refused.err.contains("free some space"), "{refused:?}");
    ends_well(dir, &homes[0], "lean");
    let height = nodes[0].height();
    until("the lean node to follow", || (nodes[full].height() > height).then_some(()));

    // Nothing is left, whatever the node frees itself: its journals fail, and it stops.
    let mut node = nodes.remove(full);
    let from = node.log().len();
    until("the full node to stop", || {
        fill_up(&space, &homes[full]);
        node.is_over().then_some(())
    });
    let said = node.gave_up(from);
    let path = homes[full].to_string_lossy();
    let reason = format!("error: the disk of {path} is full; free some space there");
    assert!(said.contains(&reason), "{said}");
    ends_well(dir, &homes[0], "without");

    // No start without room either; with room all goes on.
    let again = Node::up_in(space.way(), &homes[full], &[], None);
    let said = again.gave_up(from + said.len());
    assert!(said.contains(&reason), "{said}");
    space.way().shell(&format!("rm '{path}/ballast'"));
    let target = nodes[0].height();
    let mut back = Node::up_in(space.way(), &homes[full], &[], None);
    back.ready(5);
    until("the node to catch up", || (back.height() >= target).then_some(()));
    let mut order = order.to_vec();
    order.extend(["--verify", "2of3"]);
    back.polity(&order).ok();
}

#[test]
fn a_full_disk_of_a_follower_harms_nobody_else() {
    a_disk_fills(4);
}

#[test]
fn a_full_disk_of_a_validator_harms_nobody_else() {
    a_disk_fills(3);
}
