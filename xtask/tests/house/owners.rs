//! One owner per heavy library.

use crate::{
    hold,
    rooms::{Floor, rooms},
};

/// A library by the beginning of its name, and the rooms that may know it.
const OWNERS: [(&str, &[&str]); 14] = [
    ("libp2p", &["network"]),
    ("commonware-", &["consensus"]),
    ("openraft", &["cluster"]),
    ("wasmtime", &["execution"]),
    ("cranelift", &["execution"]),
    ("redb", &["storage"]),
    ("axum", &["gateway"]),
    ("hyper", &["gateway"]),
    ("tonic", &["gateway"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ratatui", &["cli"]),
    ("ed25519-", &["identity"]),
    // Errors without a type are for people: libraries have one enum each.
    ("anyhow", &["cli", "node", "xtask"]),
];

/// What words and minds must not build on: clocks, randomness, executors, the operating system.
const IMPURE: [&str; 8] =
    ["tokio", "rand", "getrandom", "tracing", "rustix", "libc", "async-std", "chrono"];

#[test]
fn every_heavy_library_has_one_owner() {
    let mut faults = Vec::new();
    for room in rooms() {
        for dependency in &room.dependencies {
            let owners =
                OWNERS.iter().find(|(prefix, _)| dependency.name.starts_with(prefix)).map(|o| o.1);
            if let Some(owners) = owners.filter(|owners| !owners.contains(&room.name.as_str())) {
                faults.push(format!(
                    "{} uses {}, which belongs to {}",
                    room.name,
                    dependency.name,
                    owners.join(" and ")
                ));
            }
        }
    }
    hold("Heavy libraries stay behind a port of `protocol`. Ask their owner through it:", faults);
}

#[test]
fn words_and_minds_build_on_nothing_that_touches_the_world() {
    let mut faults = Vec::new();
    for room in rooms().iter().filter(|r| matches!(r.floor, Floor::Words | Floor::Minds)) {
        for dependency in room.dependencies.iter().filter(|d| !d.dev) {
            if IMPURE.contains(&dependency.name.as_str()) {
                faults.push(format!("{} depends on {}", room.name, dependency.name));
            }
        }
    }
    hold("Words and minds are pure: take time and randomness as arguments:", faults);
}
