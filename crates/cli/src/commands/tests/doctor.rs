//! What `polity doctor` makes of directories and nodes; what it says is held by the tests of node.

use super::world::{Engine, House, World, type_in};
use crate::exit::Exit;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_machine_with_a_node_that_is_well_is_well() {
    let world = World::new();
    assert_eq!(world.type_in("doctor"), Exit::Success);
    assert_eq!(world.type_in("doctor --json"), Exit::Success);
}

#[test]
fn it_needs_neither_a_node_nor_a_directory() {
    let world = World::new();
    world.data.remove_api().unwrap();
    assert_eq!(world.type_in("doctor"), Exit::Success);
    let none = world.text("nothing/here");
    assert_eq!(type_in(&House::default(), &["doctor", "--data", &none]), Exit::Success);
    assert!(!world.path("nothing").exists(), "and it makes none");
}

#[test]
fn secrets_that_others_can_read_are_a_problem() {
    let world = World::new();
    let key = world.data.root().join("owner.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.type_in("doctor"), Exit::Internal);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.type_in("doctor"), Exit::Success);
}

#[test]
fn settings_that_cannot_be_read_are_a_problem() {
    let world = World::new();
    fs::write(world.data.root().join("config.toml"), "colour = 1").unwrap();
    assert_eq!(world.type_in("doctor"), Exit::Internal);
}

#[test]
fn a_machine_that_fails_the_known_answers_is_a_problem() {
    let world = World::new();
    let house = House { engine: Engine::Wrong, ..House::default() };
    assert_eq!(world.type_to(&house, "doctor"), Exit::Internal);
}

#[test]
fn a_node_that_does_not_answer_is_a_problem() {
    let world = World::new();
    // Somebody else listens where this process says that its node does.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    world.data.set_api(other.local_addr().unwrap(), "token").unwrap();
    drop(other);
    assert_eq!(world.type_in("doctor"), Exit::Internal);
}
