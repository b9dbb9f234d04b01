//! Lies: who is named, what the evidence shows, and what this machine finds by itself.

use super::{
    lies,
    world::{Engine, House, World, type_in},
};
use crate::{
    exit::Exit,
    verify::{self, Checked, Materials, Pins},
};
use protocol::{Decided, Evidence, TaskTable};
use std::fs;

/// A sweep of an honest task, one that was lied about, and one that rests on the verdict.
fn lied() -> World {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv", "lie.csv", "verdict.csv"]), Exit::Success);
    assert_eq!(world.type_in("ledger disputes"), Exit::Success);
    world
}

/// The evidence about `lie.csv`, in a file.
fn evidence(world: &World) -> String {
    let id = lies_of(world).swap_remove(0);
    assert_eq!(world.type_in(&format!("ledger evidence {id} -o @evidence.polity")), Exit::Success);
    world.text("evidence.polity")
}

fn lies_of(world: &World) -> Vec<String> {
    use api::NodeApi;
    let infos = futures::executor::block_on(world.polity.evidence()).unwrap();
    infos.into_iter().map(|info| info.id.to_string()).collect()
}

fn pins(world: &World) -> Pins {
    Pins::one(world.polity.genesis.network(), "test")
}

fn check(world: &World, file: &str) -> Checked {
    verify::check_any(&world.path(file), None, &pins(world)).unwrap()
}

/// Runs a file's tasks again with the inputs under other names.
fn rerun(world: &World, file: &str, engine: Engine) -> Checked {
    let house = House { engine, ..House::default() };
    let materials = Materials {
        program: Some(world.path("program.wasm")),
        inputs: vec![world.path("in")],
        tasks: Vec::new(),
    };
    let mut checked = check(world, file);
    checked.rerun(&materials, &house, &|_, _| {}).unwrap();
    checked
}

fn assert_says(text: &str, parts: &[&str]) {
    let mut at = 0;
    for part in parts {
        at += text[at..].find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    }
    let wide = text.lines().find(|line| line.chars().count() > 80 && !line.contains('/'));
    assert_eq!(wide, None);
}

#[test]
fn a_receipt_names_who_was_refuted_and_what_rests_on_a_verdict() {
    let world = lied();
    let verdict = world.verdict();
    assert_eq!(verdict.exit(), Exit::Success);
    assert_says(
        &verdict.text(),
        &[
            "drawn: fast",
            "REFUTED   …",
            "of owner 4 (…",
            "wrong in 2 tasks by verdict of the validators: lie.csv verdict.csv",
            "VERDICT   1 task rests on a verdict, not on enough replicas: verdict.csv",
            "who lied, if the validators agreed to lie",
            "the order of the draw: placement was fast",
        ],
    );
    let json = verdict.json();
    assert_eq!(json["refuted"][0]["owner_name"], "owner 4");
    assert_eq!(json["refuted"][0]["tasks"], serde_json::json!([1, 2]));
    assert_eq!((&json["tasks"][1]["decided"], &json["placement"]), (&false.into(), &"fast".into()));
    assert_eq!(json["tasks"][2]["decided"], true);
}

#[test]
fn a_sealed_order_has_nothing_to_grind() {
    let world = World::new();
    let run = "run @program.wasm --placement sealed -o @out";
    assert_eq!(world.type_in(run), Exit::Success);
    let text = world.verdict().text();
    assert!(text.contains("drawn: sealed") && !text.contains("order of the draw"), "{text}");
}

#[test]
fn what_the_ledger_holds_against_nodes_can_be_listed_and_kept() {
    let world = lied();
    let id = lies_of(&world).swap_remove(0);
    let short = &id[id.len() - 8..];
    for line in [
        "ledger disputes --json",
        "ledger sanctions",
        "ledger sanctions --json",
        "ledger evidence",
        "ledger evidence --json",
        &format!("ledger evidence {short} -o @one.polity"),
        &format!("ledger evidence {id} -o @two.polity --json"),
        "node list",
        "node list --json",
        "job describe last",
        "job explain",
        "job explain last lie.csv",
        "job explain last --json",
        "verify @one.polity",
        "verify @two.polity --json",
    ] {
        assert_eq!(world.type_in(line), Exit::Success, "{line}");
    }
    for line in [
        "ledger evidence zzzzzzzz",
        "ledger evidence -o @three.polity",
        &format!("ledger evidence {id} -o @one.polity"),
        "job explain last nothing.csv",
    ] {
        assert_eq!(world.type_in(line), Exit::Usage, "{line}");
    }
}

#[test]
fn an_owner_is_vouched_for_by_its_key_or_the_end_of_it() {
    let world = World::new();
    let stranger = identity::SecretKey::from_seed([55; 32]).public();
    assert_eq!(world.type_in(&format!("vouch {stranger}")), Exit::Success);
    let member = world.polity.genesis.founders[1].by.short();
    assert_eq!(world.type_in(&format!("vouch {member} --json")), Exit::Refused);
    assert_eq!(world.type_in("vouch zzzzzzzz"), Exit::Usage);
}

#[test]
fn evidence_says_who_lied_about_what_and_what_was_found() {
    let world = lied();
    evidence(&world);
    let checked = check(&world, "evidence.polity");
    assert_eq!(checked.exit(), Exit::Success);
    assert_says(
        &checked.text(),
        &[
            "job       bafy",
            "task      lie.csv",
            "verdict   ",
            "found by a quorum of 4 validators",
            "REFUTED   …",
            "of owner 4 (…",
            "claimed a wrong outcome of lie.csv",
            "confirmed …",
            "of owner 2 (…",
            "pinned by test",
            "not proven:",
            "that the validators did not agree to lie",
        ],
    );
    let json = checked.json();
    assert_eq!((&json["holds"], &json["exit"]), (&true.into(), &0.into()));
    assert_eq!(json["accused"][0]["owner_name"], "owner 4");
    assert_eq!(json["verdict"]["name"], "lie.csv");
    let unpinned = verify::check_any(&world.path("evidence.polity"), None, &Pins::default());
    assert_eq!(unpinned.unwrap().exit(), Exit::Unpinned);
}

#[test]
fn two_statements_of_one_key_are_evidence_without_a_task() {
    let world = World::new();
    let evidence = lies::contradiction(&world.polity.genesis, &world.polity.nodes[2]);
    world.write("evidence.polity", &evidence.encode());
    let checked = check(&world, "evidence.polity");
    assert_eq!(checked.exit(), Exit::Success);
    assert_says(
        &checked.text(),
        &["PROVEN    …", "of owner 3 (…", "ruled in two ways about task 3"],
    );
    assert_eq!(world.type_in("verify @evidence.polity --rerun"), Exit::Usage);
}

#[test]
fn forged_and_damaged_evidence_is_refused() {
    let world = lied();
    let good = fs::read(evidence(&world)).unwrap();
    assert!(verify::prove(&good, &pins(&world)).is_ok());
    for at in 0..good.len() {
        let mut wrong = good.clone();
        wrong[at] ^= 1 << (at % 8);
        assert!(verify::prove(&wrong, &pins(&world)).is_err(), "byte {at}");
    }
    assert!(verify::prove(&good[..good.len() - 1], &pins(&world)).is_err());

    // With a right checksum, but less than a quorum, or without the liar's claim.
    let forge = |change: fn(&mut Decided)| {
        let mut evidence = Evidence::decode(&good).unwrap();
        let protocol::Proof::Verdict(decided) = &mut evidence.proof else { panic!("a verdict") };
        change(decided);
        world.write("forged.polity", &evidence.encode());
        world.type_in("verify @forged.polity")
    };
    assert_eq!(forge(|_| ()), Exit::Success);
    assert_eq!(forge(|decided| drop(decided.verdicts.pop())), Exit::Unverified);
    assert_eq!(forge(|decided| decided.disputes.clear()), Exit::Unverified);
    let fewer = |decided: &mut Decided| {
        let (args, mut rows) = (decided.table.args.clone(), decided.table.rows().to_vec());
        rows.pop();
        decided.table = TaskTable::of(args, rows);
    };
    assert_eq!(forge(fewer), Exit::Unverified);
    assert_eq!(
        forge(|decided| decided.disputes[0].payload.claims.truncate(1)),
        Exit::Unverified,
        "the filer signed another dispute"
    );
}

#[test]
fn evidence_of_another_polity_is_refused() {
    let world = lied();
    let file = evidence(&world);
    let other = "a".repeat(52);
    let args = ["verify", &file, "--genesis", &other, "--data", &world.text("elsewhere")];
    assert_eq!(type_in(&House::default(), &args), Exit::Unverified);
}

#[test]
fn this_machine_finds_the_lie_again_without_trusting_anybody() {
    let world = lied();
    evidence(&world);
    fs::rename(world.path("in/lie.csv"), world.path("in/other name")).unwrap();
    let checked = rerun(&world, "evidence.polity", Engine::Right);
    assert_eq!(checked.exit(), Exit::Success);
    assert_says(
        &checked.text(),
        &[
            "OK        rerun: 1 of 1 task gave the same on this machine",
            "lie.csv: this machine found the same as the validators:",
            "of owner 4 (…",
            "is a lie",
        ],
    );
    assert!(!checked.text().contains("agree to lie"), "that is not a question any more");
    assert_eq!(checked.json()["rerun"][0]["same"], true);
}

#[test]
fn what_this_machine_finds_otherwise_has_its_own_ends() {
    let world = lied();
    evidence(&world);
    let wrong = rerun(&world, "evidence.polity", Engine::Wrong);
    assert_eq!(wrong.exit(), Exit::Unverified);
    assert_says(&wrong.text(), &["FAIL      lie.csv: this machine found what …", "owner 4"]);
    let another = rerun(&world, "evidence.polity", Engine::Another);
    assert_eq!((another.exit(), another.exit().code()), (Exit::NotComparable, 2));
    assert_says(&another.text(), &["??        lie.csv", "not comparable"]);

    let receipt = "out/receipt.polity";
    assert_eq!(rerun(&world, receipt, Engine::Right).exit(), Exit::Success);
    let wrong = rerun(&world, receipt, Engine::Wrong);
    assert_eq!(wrong.exit(), Exit::Unverified);
    assert_says(&wrong.text(), &["a.csv: another outcome on this machine: it differs in fuel"]);
    let another = rerun(&world, receipt, Engine::Another);
    assert_eq!(another.exit(), Exit::NotComparable);
    assert_says(&another.text(), &["this machine has another engine", "the job's ", "here  "]);
}

#[test]
fn all_tasks_of_a_receipt_run_again_or_only_those_that_are_named() {
    let world = lied();
    let (all, one) = (House::default(), House::default());
    let line = "verify @out --rerun --program @program.wasm --inputs @in";
    assert_eq!(world.type_to(&all, line), Exit::Success);
    assert_eq!(all.rerun.lock().unwrap().len(), 3);
    assert_eq!(world.type_to(&one, &format!("{line} --task lie.csv")), Exit::Success);
    let ran = one.rerun.lock().unwrap().pop().unwrap();
    assert_eq!(
        (ran.task.0, &ran.inputs[0].1[..], &ran.program[..]),
        (1, &b"lie.csv"[..], &b"\0asm"[..])
    );
    assert_eq!(world.type_in(&format!("{line} --task nothing.csv")), Exit::Usage);
    let slow = House { engine: Engine::Slow, ..House::default() };
    assert_eq!(world.type_to(&slow, line), Exit::Internal);
}

#[test]
fn a_changed_file_fails_whatever_the_rerun_finds_and_a_pin_still_counts() {
    let world = lied();
    let line = "--rerun --program @program.wasm --inputs @in";
    world.write("out/a.csv", b"changed");
    assert_eq!(world.type_in(&format!("verify @out {line}")), Exit::Unverified);
    let mut unpinned = verify::check_any(
        &world.path("out/receipt.polity"),
        Some(&world.path("in")),
        &Pins::default(),
    )
    .unwrap();
    assert_eq!(unpinned.exit(), Exit::Unverified, "other files");
    evidence(&world);
    unpinned = verify::check_any(&world.path("evidence.polity"), None, &Pins::default()).unwrap();
    let materials = Materials {
        program: Some(world.path("program.wasm")),
        inputs: vec![world.path("in/lie.csv")],
        tasks: Vec::new(),
    };
    unpinned.rerun(&materials, &House::default(), &|_, _| {}).unwrap();
    assert_eq!(unpinned.exit(), Exit::Unpinned);
}

#[test]
fn what_a_rerun_lacks_is_listed_by_name_and_content() {
    let world = lied();
    let mut checked = check(&world, "out/receipt.polity");
    let inputs = vec![world.path("in/a.csv")];
    let materials = Materials { program: None, inputs, tasks: Vec::new() };
    let failure = checked.rerun(&materials, &House::default(), &|_, _| {}).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    for part in ["the program  bafk", "lie.csv  bafk", "verdict.csv  bafk"] {
        assert!(failure.message.contains(part), "{part} in {failure}");
    }
    assert!(!failure.message.contains("  a.csv"), "{failure}");
    assert!(failure.next.unwrap().contains("--inputs"));
    assert_eq!(world.type_in("verify @out --program @program.wasm"), Exit::Usage, "no --rerun");
}
