//! What every file owes its reader.

use crate::{
    hold,
    source::{files, mentions},
};

/// Where Rust files are.
const PLACES: [&str; 5] = ["bench", "crates", "xtask", "examples", "fuzz"];
/// Lines of a file, its tests not counted, from which on it asks to be two.
const LINES_MAX: usize = 600;
/// The only files with `unsafe`, and why they need it.
pub(crate) const UNSAFE_FILES: [(&str, &str); 4] = [
    ("bench/erasure/src/isal.rs", "calls ISA-L, which is C, to be compared with it; never shipped"),
    (
        "crates/execution/src/aot.rs",
        "wasmtime loads compiled programs only in unsafe code; the file's own tag proves them ours",
    ),
    (
        "crates/node/src/memory.rs",
        "two calls of the C library, which say how many places the allocator has, and give memory back",
    ),
    (
        "crates/storage/src/erasure/kernel.rs",
        "vector loads and stores, each on an array of their length, and calls of functions for \
         features that were found before",
    ),
];

#[test]
fn every_file_opens_with_what_it_is_for() {
    let faults = files(&PLACES)
        .iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect();
    hold("Begin the file with a `//!` line that says what it is for:", faults);
}

#[test]
fn no_file_is_too_long_to_read() {
    let faults = files(&PLACES)
        .iter()
        .map(|file| (&file.path, file.shipped().len()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    hold("A file past 600 lines without its tests is two files. Split:", faults);
}

#[test]
fn unsafe_code_stays_in_the_files_that_are_named_for_it() {
    let mut faults = Vec::new();
    let mut unused: Vec<&str> = UNSAFE_FILES.iter().map(|(path, _)| *path).collect();
    for file in files(&PLACES) {
        let uses = file.code().find(|(_, code)| mentions(code, "unsafe")).map(|(number, _)| number);
        // The rules themselves have to name the word.
        let Some(number) = uses.filter(|_| !file.path.starts_with("xtask/tests/house/")) else {
            continue;
        };
        match unused.iter().position(|path| *path == file.path) {
            Some(at) => drop(unused.remove(at)),
            None => faults.push(format!("{}:{number}: unsafe", file.path)),
        }
    }
    faults.extend(unused.iter().map(|path| format!("{path} has no unsafe any more: off the list")));
    hold(
        "Name a file that needs `unsafe`, with the reason, in xtask/tests/house/files.rs:",
        faults,
    );
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[", "ignore");
    let mut faults = Vec::new();
    for file in files(&PLACES) {
        let lines = file.text.lines().enumerate();
        let found = lines.filter(|(_, line)| line.trim_start().starts_with(mark));
        faults.extend(found.map(|(index, _)| format!("{}:{}", file.path, index + 1)));
    }
    hold("A test that does not run holds nothing. Mend it or delete it:", faults);
}
