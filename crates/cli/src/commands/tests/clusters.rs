//! Copies of a cluster, and going on alone; what becomes of the state is held by the tests of node.

use super::{polity::Fault, world::World};
use crate::{background, exit::Exit};
use api::backup;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_copy_is_written_whole_and_for_its_owner_only() {
    let world = World::new();
    let path = world.path("home.backup");
    let line = format!("cluster backup -o {}", path.display());
    assert_eq!(world.type_in(&line), Exit::Success);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let network = world.polity.genesis.network();
    let head = backup::check(&mut fs::File::open(&path).unwrap(), network).unwrap();
    assert_eq!((head.payload.index, head.payload.members.len()), (1_234, 3));
    let bytes = fs::read(&path).unwrap();
    assert_eq!(world.type_in(&line), Exit::Usage, "nothing is written over");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let drafts = fs::read_dir(path.parent().unwrap()).unwrap();
    let is_draft = |name: String| name.starts_with(".draft-");
    assert!(!drafts.flatten().any(|entry| is_draft(entry.file_name().into_string().unwrap())));
}

#[test]
fn whoever_says_yes_is_not_asked() {
    let world = World::new();
    assert_eq!(world.type_in("cluster recover --yes"), Exit::Success);
    assert_eq!(world.type_in("cluster recover --yes --json"), Exit::Success);
    world.write("home.backup", b"copy");
    let restore = format!("cluster restore {} --yes", world.text("home.backup"));
    assert_eq!(world.type_in(&restore), Exit::Success);
    let none = format!("cluster restore {} --yes", world.text("none"));
    assert_eq!(world.type_in(&none), Exit::Refused);
}

#[test]
fn a_machine_of_several_may_be_stopped_while_the_others_go_on() {
    let world = World::with(Fault::Lingers, 4);
    world.write("in/a", b"a");
    assert_eq!(world.type_in("run @program.wasm --each @in/a --detach"), Exit::Success);
    let left = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(background::jobs_running(&world.data)).unwrap()
    };
    assert_eq!(left(), 0);
    // The last one is told what it leaves undone.
    for node in world.polity.genesis.founders.iter().map(|founder| founder.payload.node).skip(1) {
        world.type_in(&format!("cluster remove {node}"));
    }
    assert_eq!(left(), 1);
}

#[test]
fn a_node_outside_the_cluster_is_given_nothing_new_and_not_waited_for() {
    let world = World::new();
    let nodes: Vec<_> = world.polity.genesis.founders.iter().map(|f| f.payload.node).collect();
    assert_eq!(world.type_in(&format!("node drain {}", nodes[3])), Exit::Success);
    // Nor is there one that begins or ends so.
    assert_eq!(world.type_in("node drain zzzz"), Exit::Usage);
    assert_eq!(world.type_in(&format!("cluster transfer …{}", nodes[1].short())), Exit::Success);
}

#[test]
fn a_machine_that_was_removed_is_let_in_again_by_its_key() {
    let world = World::new();
    let members = || world.polity.removed().len();
    let key = world.polity.nodes[1].public();
    assert_eq!(world.type_in(&format!("cluster remove {key}")), Exit::Success);
    assert_eq!(members(), 1);
    // One that is no member is kept out by its whole key, and by nothing less.
    assert_eq!(world.type_in("cluster remove nobody"), Exit::Usage);
    let other = identity::SecretKey::from_seed([77; 32]).public();
    assert_eq!(world.type_in(&format!("cluster remove {other}")), Exit::Success);
    for node in [key, other] {
        assert_eq!(world.type_in(&format!("cluster add {node}")), Exit::Success);
    }
    assert_eq!(members(), 0);
}
