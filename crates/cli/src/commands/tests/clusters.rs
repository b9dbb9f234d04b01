//! Copies of a cluster, and going on alone; what becomes of the state is held by the tests of node.

use super::{polity::Fault, world::World};
use crate::{background, exit::Exit};
use api::{Quota, backup};
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

#[test]
fn an_owner_is_given_a_quota_and_it_is_taken_back() {
    let world = World::new();
    let owner = world.polity.genesis.founders[1].by;
    assert_eq!(world.type_in("cluster quota"), Exit::Success);
    assert_eq!(
        world.type_in(&format!("cluster quota {owner} --jobs 2 --tasks 1000")),
        Exit::Success
    );
    let quota = Quota { jobs: 2, tasks: 1_000, replicas: 65_536 };
    assert_eq!(world.polity.quotas(), [(owner, quota)].into());
    // What is not said stays.
    assert_eq!(world.type_in(&format!("cluster quota {owner} --replicas 8")), Exit::Success);
    let quota = Quota { replicas: 8, ..quota };
    assert_eq!(world.polity.quotas(), [(owner, quota)].into());
    assert_eq!(world.type_in(&format!("cluster quota {owner} --json")), Exit::Success);
    assert_eq!(world.polity.quotas(), [(owner, quota)].into());
    assert_eq!(world.type_in(&format!("cluster quota {owner} --default")), Exit::Success);
    assert!(world.polity.quotas().is_empty());
    for wrong in ["--jobs 2", "nobody --jobs 2"] {
        assert_eq!(world.type_in(&format!("cluster quota {wrong}")), Exit::Usage, "{wrong}");
    }
}

#[test]
fn capacity_is_held_back_for_a_time_and_given_back() {
    let world = World::new();
    let founder = &world.polity.genesis.founders[1];
    let (owner, node) = (founder.by, founder.payload.node);
    let line = format!(
        "cluster reserve nightly --owner {owner} --node {node} --cpus 2 --memory 1G --in 6h --for 2h"
    );
    assert_eq!(world.type_in(&line), Exit::Success);
    let kept = world.polity.reservations()["nightly"].clone();
    assert_eq!((kept.owner, kept.cpus, kept.memory_bytes, kept.gpus), (owner, 2, 1 << 30, 0));
    assert_eq!(kept.nodes, [node].into());
    assert_eq!(kept.until.since_ms(kept.from), 7_200_000);
    assert_eq!(world.type_in("cluster reserve"), Exit::Success);
    // Who says nothing means the node that is asked, and its owner.
    assert_eq!(world.type_in("cluster reserve now --gpus 1 --for 1h"), Exit::Success);
    let asked = world.polity.nodes[0].public();
    let kept = world.polity.reservations()["now"].clone();
    let founders = &world.polity.genesis.founders;
    let own = founders.iter().find(|founder| founder.payload.node == asked).unwrap();
    assert_eq!((kept.owner, kept.nodes), (own.by, [asked].into()));
    assert_eq!(world.type_in("cluster reserve nightly --none"), Exit::Success);
    assert_ne!(world.type_in("cluster reserve nightly --none"), Exit::Success, "it is gone");
    assert_eq!(world.polity.reservations().len(), 1);
    for wrong in ["x --cpus 1", "--cpus 1 --for 1h", "x --none --for 1h"] {
        assert_eq!(world.type_in(&format!("cluster reserve {wrong}")), Exit::Usage, "{wrong}");
    }
}
