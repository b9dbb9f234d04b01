//! Receipts: what is checked, what is named, what is not proven.

use super::world::{House, World, type_in};
use crate::{
    data::DataDir,
    exit::Exit,
    verify::{self, Difference, Pins},
};
use std::fs;

fn swept() -> World {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv", "b.csv"]), Exit::Success);
    world
}

#[test]
fn one_more_byte_in_one_file_is_found_and_named() {
    let world = swept();
    world.write("out/b.csv", format!("{}x", world.read("out/b.csv")).as_bytes());
    let verdict = world.verdict();
    assert_eq!(verdict.exit(), Exit::Unverified);
    let line = format!("FAIL: {} (changed)\n", world.text("out/b.csv"));
    assert!(verdict.text().contains(&line), "{}", verdict.text());
    assert_eq!(verdict.json()["files"]["wrong"][0]["difference"], "changed");
    assert_eq!(world.type_in("verify @out/receipt.polity"), Exit::Unverified);
}

#[test]
fn a_missing_file_is_named_and_so_is_one_that_nobody_signed() {
    let world = swept();
    fs::remove_file(world.path("out/a.csv")).unwrap();
    world.write("out/c.csv", b"mine");
    let verdict = world.verdict();
    assert_eq!(verdict.exit(), Exit::Unverified);
    let Ok(held) = verdict.held else { panic!("it holds") };
    let files = held.files.unwrap();
    assert_eq!(files.wrong, [(world.path("out/a.csv"), Difference::Missing)]);
    assert_eq!(files.strangers, [world.path("out/c.csv")]);
}

#[test]
fn what_programs_printed_is_checked_too() {
    let world = swept();
    world.write("out/.polity/stdout/a.csv", b"never said");
    assert_eq!(world.verdict().exit(), Exit::Unverified);
}

#[test]
fn three_things_are_said_apart_and_then_what_is_not_proven() {
    let verdict = swept().verdict();
    let text = verdict.text();
    let mut at = 0;
    for part in [
        "bytes: 4 of 4 files are the ones",
        "signed: 2 tasks, each by 2 or more",
        "owner 2 (…",
        "accepted: at height 2, by a quorum of 4 validators",
        "pinned by test",
        "not proven:",
        "that owners with different keys are different people",
    ] {
        at += text[at..].find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    }
    let json = verdict.json();
    assert_eq!((&json["holds"], &json["exit"]), (&true.into(), &0.into()));
    assert_eq!(json["tasks"][1]["name"], "b.csv");
    assert_eq!(json["tasks"][0]["executors"][0]["owner_name"], "owner 2");
}

#[test]
fn who_was_chosen_by_the_home_is_said_with_what_that_costs() {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv", "chosen.csv"]), Exit::Success);
    let verdict = world.verdict();
    assert_eq!(verdict.exit(), Exit::Success);
    let text = verdict.text();
    for part in [
        "of 1 of 2 tasks one of 2 was chosen by its home, the others drawn",
        "that the node which its home chose is not corrupt: the other one is drawn",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = verdict.json();
    assert!(json["tasks"][0]["chosen_by_home"].is_null());
    assert_eq!(json["tasks"][1]["chosen_by_home"], json["tasks"][1]["executors"][0]["node"]);
    assert!(!swept().verdict().text().contains("chosen by its home"));
}

#[test]
fn without_a_pin_it_has_its_own_code() {
    let world = swept();
    let receipt = world.path("out/receipt.polity");
    let verdict = verify::check(&receipt, None, &Pins::default()).unwrap();
    assert_eq!((verdict.exit(), verdict.exit().code()), (Exit::Unpinned, 1));
    assert!(verdict.text().contains("not pinned"));
}

#[test]
fn the_network_is_pinned_by_hash_by_file_or_by_the_data_directory() {
    let world = swept();
    let elsewhere = world.text("elsewhere");
    let verify = |genesis: &str| {
        let receipt = world.text("out/receipt.polity");
        let args = ["verify", &receipt, "--data", &elsewhere, "--genesis", genesis];
        type_in(&House::default(), &args)
    };
    let network = world.polity.genesis.network().to_string();
    assert_eq!(verify(&network), Exit::Success);
    world.write("genesis.polity", &world.polity.genesis.encode());
    assert_eq!(verify(&world.text("genesis.polity")), Exit::Success);
    assert_eq!(verify(&"a".repeat(52)), Exit::Unverified, "another network");
    assert_eq!(verify("nonsense"), Exit::Usage);
    assert_eq!(world.type_in("verify @out/receipt.polity"), Exit::Success);
}

#[test]
fn it_holds_after_everything_else_is_gone() {
    let world = swept();
    let network = world.polity.genesis.network().to_string();
    let (receipt, outputs) = (world.text("moved.polity"), world.text("results"));
    fs::rename(world.path("out/receipt.polity"), &receipt).unwrap();
    fs::rename(world.path("out"), &outputs).unwrap();
    fs::remove_dir_all(world.data.root()).unwrap();
    let verify = |args: &[&str]| {
        let mut all = vec!["verify", receipt.as_str(), "--genesis", network.as_str()];
        all.extend(args);
        type_in(&House::default(), &all)
    };
    assert_eq!(verify(&["--outputs", &outputs]), Exit::Success);
    assert_eq!(verify(&[]), Exit::Success, "the receipt alone, no files beside it");
    assert_eq!(verify(&["--outputs", "/none"]), Exit::Usage);
}

#[test]
fn a_receipt_of_another_polity_is_refused() {
    let world = swept();
    let other = DataDir::at(world.path("other"));
    let mut genesis = world.polity.genesis.clone();
    genesis.name = "another".into();
    other.keep_genesis(&genesis).unwrap();
    let receipt = world.text("out/receipt.polity");
    let args = ["--data", &world.text("other"), "verify", &receipt];
    assert_eq!(type_in(&House::default(), &args), Exit::Unverified);
}

#[test]
fn every_flipped_byte_of_a_receipt_is_refused() {
    let world = swept();
    let good = fs::read(world.path("out/receipt.polity")).unwrap();
    let pins = Pins::one(world.polity.genesis.network(), "test");
    assert!(verify::hold(&good, &pins).is_ok());
    for at in 0..good.len() {
        let mut wrong = good.clone();
        wrong[at] ^= 1 << (at % 8);
        assert!(verify::hold(&wrong, &pins).is_err(), "byte {at}");
    }
    assert!(verify::hold(&good[..good.len() - 1], &pins).is_err());
    assert!(verify::hold(&[], &pins).is_err());
}

#[test]
fn what_is_no_receipt_fails_and_what_is_not_there_cannot_be_read() {
    let world = World::new();
    world.write("text", b"hello");
    assert_eq!(world.type_in("verify @text"), Exit::Unverified);
    assert_eq!(world.type_in("verify @nothing"), Exit::Usage);
}
