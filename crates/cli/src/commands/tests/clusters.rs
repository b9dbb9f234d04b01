//! Copies of a cluster, and going on alone; what becomes of the state is held by the tests of node.

use super::world::World;
use crate::exit::Exit;
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
