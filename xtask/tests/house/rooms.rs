//! The rooms of the house: what `cargo metadata` says of them, and the floor each one is on.

use serde_json::Value;
use std::{path::PathBuf, process::Command};

/// Words are pure values, minds decide, hands touch the world, doors translate, the node wires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Floor {
    Words,
    Minds,
    Sim,
    Hands,
    Doors,
    Node,
    Xtask,
}

/// Every room. Words stand in the order in which they may see each other.
pub(crate) const ROOMS: [(&str, Floor); 16] = [
    ("identity", Floor::Words),
    ("objects", Floor::Words),
    ("protocol", Floor::Words),
    ("api", Floor::Words),
    ("ledger", Floor::Minds),
    ("work", Floor::Minds),
    ("sim", Floor::Sim),
    ("network", Floor::Hands),
    ("consensus", Floor::Hands),
    ("cluster", Floor::Hands),
    ("storage", Floor::Hands),
    ("execution", Floor::Hands),
    ("gateway", Floor::Doors),
    ("cli", Floor::Doors),
    ("node", Floor::Node),
    ("xtask", Floor::Xtask),
];

/// The floor of a room, if it is one.
pub(crate) fn floor_of(name: &str) -> Option<Floor> {
    ROOMS.iter().find(|(room, _)| *room == name).map(|(_, floor)| *floor)
}

/// One crate of the workspace.
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) floor: Floor,
    pub(crate) description: String,
    /// The directory of its manifest.
    pub(crate) directory: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a manifest.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether only tests and benches need it.
    pub(crate) dev: bool,
}

/// The root of the checkout. It is asked for at run time: two checkouts can share a target
/// directory, and with it this program.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where this crate is");
    let here = PathBuf::from(here);
    here.parent().expect("xtask lies in the root").into()
}

/// All crates of the workspace.
pub(crate) fn rooms() -> Vec<Room> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    list(&metadata["packages"]).iter().map(room).collect()
}

fn room(package: &Value) -> Room {
    let name = text(&package["name"]);
    let floor = floor_of(&name).unwrap_or_else(|| {
        panic!(
            "{name} is a new room: give it a floor in xtask/tests/house/rooms.rs and a line in \
             ARCHITECTURE.md"
        )
    });
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let dependency = |value: &Value| Dependency {
        name: text(&value["name"]),
        dev: value["kind"].as_str() == Some("dev"),
    };
    Room {
        name,
        floor,
        description: package["description"].as_str().unwrap_or_default().into(),
        directory: manifest.parent().expect("a manifest lies in a directory").into(),
        dependencies: list(&package["dependencies"]).iter().map(dependency).collect(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("cargo metadata: a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("cargo metadata: a text").into()
}

#[test]
fn every_room_of_the_list_is_there() {
    let there: Vec<String> = rooms().into_iter().map(|room| room.name).collect();
    let gone = ROOMS.iter().filter(|(room, _)| !there.iter().any(|name| name == room));
    crate::hold(
        "Take what is no crate off the list in xtask/tests/house/rooms.rs:",
        gone.map(|(room, _)| (*room).into()).collect(),
    );
}
