//! Words and minds know no clock, randomness, file, socket or environment.

use crate::{
    hold,
    rooms::{Floor, ROOMS},
    source::{File, files, mentions},
};

/// What neither words nor minds may mention.
const IMPURE: [&str; 15] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "tokio",
    "thread_rng",
    "OsRng",
    "getrandom",
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
];
/// The same modules inside `use std::{…}`.
const IMPURE_STD: [&str; 5] = ["fs", "net", "env", "process", "thread"];
/// What minds may not mention besides: they decide, they do not wait.
const WAITING: [&str; 3] = ["async", ".await", "futures"];

#[test]
fn words_and_minds_do_not_touch_the_world() {
    let mut faults = Vec::new();
    for (room, floor) in ROOMS {
        let mut forbidden = IMPURE.to_vec();
        match floor {
            Floor::Words => {}
            Floor::Minds => forbidden.extend(WAITING),
            _ => continue,
        }
        for file in files(&[&format!("crates/{room}/src")]).iter().filter(|file| !file.is_test()) {
            for (number, code) in file.code() {
                let found = forbidden.iter().filter(|word| mentions(code, word));
                faults.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
            }
            faults.extend(grouped(file));
        }
    }
    hold(
        "Words and minds are pure. Take time and randomness as arguments, and let a hand or `node` \
         touch the world:",
        faults,
    );
}

/// Modules of the standard library that are imported in one group with others.
fn grouped(file: &File) -> Vec<String> {
    let code: String = file.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let groups = code.split("std::{").skip(1).filter_map(|rest| rest.split_once(';'));
    let names: Vec<&str> = groups.map(|(group, _)| group).collect();
    IMPURE_STD
        .iter()
        .filter(|module| names.iter().any(|group| mentions(group, module)))
        .map(|module| format!("{}: std::{module}", file.path))
        .collect()
}
