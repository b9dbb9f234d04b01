//! What every crate owes its reader: the lints of the house, and one sentence that is the same
//! everywhere.

use crate::{
    hold,
    rooms::{Room, rooms, root},
};
use std::{fs, path::Path};
use toml::{Table, Value};

/// Crates with modules in [`crate::files::UNSAFE_FILES`] cannot inherit `forbid`; they state all
/// lints themselves, with this one at `deny`.
const UNSAFE_LINT: &str = "unsafe_code";

#[test]
fn every_crate_keeps_the_lints_of_the_house() {
    let house = table(&root().join("Cargo.toml"));
    let wanted = &house["workspace"]["lints"];
    let mut faults = Vec::new();
    for room in rooms() {
        let manifest = table(&room.directory.join("Cargo.toml"));
        match manifest.get("lints") {
            None => faults.push(format!("{} has no [lints]", room.name)),
            Some(lints) if lints.get("workspace") == Some(&Value::Boolean(true)) => {}
            Some(lints) => faults.extend(missing_lints(&room.name, wanted, lints)),
        }
    }
    hold("Write `[lints] workspace = true` in the manifest of:", faults);
}

fn missing_lints(name: &str, wanted: &Value, lints: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for tool in ["rust", "clippy"] {
        let wanted = wanted[tool].as_table().expect("a table of lints");
        for (lint, level) in wanted {
            let own = lints.get(tool).and_then(|list| list.get(lint));
            let denied = lint == UNSAFE_LINT && own.and_then(Value::as_str) == Some("deny");
            if own != Some(level) && !denied {
                faults
                    .push(format!("{name} states its own lints, without {tool}.{lint} = {level}"));
            }
        }
    }
    faults
}

#[test]
fn every_crate_says_the_same_sentence_everywhere() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).map(|text| plain(&text));
    let mut faults = Vec::new();
    for room in rooms() {
        let sentence = plain(&room.description);
        if !sentence.ends_with('.') {
            faults.push(format!("{}: the description in Cargo.toml is no sentence", room.name));
        }
        let opening = plain(&opening(&room));
        if !opening.starts_with(&sentence) {
            faults.push(format!(
                "{}: Cargo.toml says '{sentence}', the first file opens with '{opening}'",
                room.name
            ));
        }
        if map.as_ref().is_ok_and(|map| !map.contains(&sentence)) {
            faults.push(format!("{}: ARCHITECTURE.md lacks '{sentence}'", room.name));
        }
    }
    faults.extend(map.err().map(|error| format!("ARCHITECTURE.md: {error}")));
    hold(
        "A crate's one sentence is the same in Cargo.toml (description), at the top of lib.rs (or \
         main.rs) and in ARCHITECTURE.md:",
        faults,
    );
}

/// The first paragraph of a crate's first file.
fn opening(room: &Room) -> String {
    let source = room.directory.join("src");
    let text =
        ["lib.rs", "main.rs"].iter().find_map(|name| fs::read_to_string(source.join(name)).ok());
    let text = text.unwrap_or_else(|| panic!("{} has neither lib.rs nor main.rs", room.name));
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ")
}

/// A text without marks of Markdown and with single spaces.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(['`', '*'], "")
}

fn table(path: &Path) -> Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
