//! The pages for newcomers, typed as they are written: their sources are built, their programs run
//! on the node that `polity run` starts, and what they say is seen.

use crate::person::{Newcomer, root, tools};
use std::{fs, os::unix::fs::symlink};

#[test]
fn the_first_commands_of_the_readme() {
    let newcomer = Newcomer::new();
    // A checkout, and what `cargo xtask guests` puts into it.
    symlink(root().join("examples"), newcomer.at("work/examples")).unwrap();
    fs::create_dir(newcomer.at("work/target")).unwrap();
    symlink(tools().parent().unwrap(), newcomer.at("work/target/guests")).unwrap();
    newcomer.follow("README.md");
}

#[test]
fn the_first_two_minutes() {
    Newcomer::new().follow("docs/quickstart.md");
}

#[test]
fn a_guest_in_rust() {
    Newcomer::new().follow("docs/guests/rust.md");
}

#[test]
fn a_guest_in_c() {
    Newcomer::new().follow("docs/guests/c.md");
}

#[test]
fn a_guest_in_assemblyscript() {
    let newcomer = Newcomer::new();
    // What the page's `npm install` gives, at the version that it names.
    let page = fs::read_to_string(root().join("docs/guests/assemblyscript.md")).unwrap();
    let package = root().join("examples/guests/assemblyscript/package.json");
    let package: serde_json::Value = serde_json::from_slice(&fs::read(package).unwrap()).unwrap();
    for (name, version) in package["devDependencies"].as_object().unwrap() {
        let version = version.as_str().unwrap();
        assert!(page.contains(&format!(" {name}@{version}")), "the page installs another {name}");
    }
    symlink(tools().join("node_modules"), newcomer.at("work/node_modules")).unwrap();
    newcomer.follow("docs/guests/assemblyscript.md");
}
