//! Jobs from the command line to files, and every exit code.

use super::{
    polity::Fault,
    world::{House, World, listing, type_in},
};
use crate::exit::Exit;
use std::fs;

#[test]
fn a_sweep_ends_with_its_results_and_a_receipt_that_holds() {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv", "b.csv", "two.csv"]), Exit::Success);
    let expected = [
        ".polity/job",
        ".polity/run",
        ".polity/stdout/a.csv",
        ".polity/stdout/b.csv",
        ".polity/stdout/two.csv",
        "a.csv",
        "b.csv",
        "receipt.polity",
        "two.csv/two.csv",
        "two.csv/zz/more",
    ];
    assert_eq!(listing(&world.path("out")), expected);
    assert_eq!(world.read("out/a.csv"), "a.csv of a.csv\n");
    assert_eq!(world.read("out/.polity/stdout/b.csv"), "said by b.csv\n");
    assert_eq!(world.verdict().exit(), Exit::Success);
    assert_eq!(world.type_in("verify @out/receipt.polity"), Exit::Success);
    assert_eq!(world.type_in("verify @out --json"), Exit::Success);
}

#[test]
fn a_single_task_writes_at_the_top() {
    let world = World::new();
    world.write("x.csv", b"1");
    assert_eq!(world.type_in("run @program.wasm --input @x.csv -o @out"), Exit::Success);
    let expected =
        [".polity/job", ".polity/run", ".polity/stdout/x.csv", "receipt.polity", "x.csv"];
    assert_eq!(listing(&world.path("out")), expected);
    assert_eq!(world.type_in("run @program.wasm --json -o @out2"), Exit::Success);
}

#[test]
fn the_programs_own_code_is_given_back() {
    assert_eq!(World::new().sweep(&["a.csv", "exit3.csv"]), Exit::Program(3));
}

#[test]
fn a_trap_is_stopped() {
    assert_eq!(World::new().sweep(&["a.csv", "exit3.csv", "trap.csv"]), Exit::Stopped);
}

#[test]
fn a_task_without_agreement_is_not_agreed_and_the_others_are_kept() {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv", "lost.csv"]), Exit::NotAgreed);
    assert_eq!(world.read("out/a.csv"), "a.csv of a.csv\n");
    assert_eq!(world.verdict().exit(), Exit::Success, "the receipt holds and says so");
}

#[test]
fn a_job_whose_time_is_over_is_a_timeout() {
    assert_eq!(World::new().sweep(&["a.csv", "late.csv"]), Exit::Timeout);
}

#[test]
fn a_refusal_leaves_no_directory_behind() {
    let world = World::with(Fault::Refuses, 4);
    assert_eq!(world.sweep(&["a.csv"]), Exit::Refused);
    assert!(!world.path("out").exists());
}

#[test]
fn too_few_owners_for_what_was_asked_is_a_refusal() {
    let world = World::with(Fault::None, 2);
    let run = "run @program.wasm -o @out";
    assert_eq!(world.type_in(&format!("{run} --verify 3of5")), Exit::Refused);
    assert_eq!(world.type_in(run), Exit::Success, "the best there is");
    let Ok(held) = world.verdict().held else { panic!("it holds") };
    assert_eq!(held.receipt.body.order.payload.verification.to_string(), "2of2");
}

#[test]
fn without_a_node_there_is_no_node() {
    let world = World::new();
    world.data.remove_api().unwrap();
    assert_eq!(world.sweep(&["a.csv"]), Exit::NoNode);
    // A node that died left its address behind.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.data.set_api(port, "token").unwrap();
    assert_eq!(world.sweep(&["a.csv"]), Exit::NoNode);
    assert!(!world.path("out").exists());
}

#[test]
fn another_token_is_refused() {
    let world = World::new();
    let place = world.data.api().unwrap().unwrap();
    world.data.set_api(place.addr, "another token").unwrap();
    assert_eq!(world.sweep(&["a.csv"]), Exit::Refused);
}

#[test]
fn a_receipt_that_does_not_hold_or_says_something_else_is_unverified() {
    for fault in [Fault::ForgesReceipt, Fault::TellsSomethingElse] {
        assert_eq!(World::with(fault, 4).sweep(&["a.csv"]), Exit::Unverified, "{fault:?}");
    }
}

#[test]
fn results_that_nobody_has_are_unverified_and_can_be_fetched_later() {
    let world = World::with(Fault::LosesResults, 4);
    assert_eq!(world.sweep(&["a.csv"]), Exit::Unverified);
    assert!(world.path("out/receipt.polity").exists());
    assert_eq!(world.type_in("job get last -o @out"), Exit::Unverified);
}

#[test]
fn a_stream_that_breaks_off_is_taken_up_again() {
    let world = World::with(Fault::BreaksOff, 4);
    assert_eq!(world.sweep(&["a.csv", "b.csv", "c.csv"]), Exit::Success);
    assert_eq!(world.verdict().exit(), Exit::Success);
}

#[test]
fn bad_input_is_said_before_anything_is_sent() {
    let world = World::new();
    world.write("text.wasm", b"text");
    world.write("one/x.csv", b"1");
    world.write("two/x.csv", b"2");
    world.write("one_x.csv", b"3");
    world.write("job.toml", b"program = \"program.wasm\"\nfule = 1\n");
    world.write("full/something", b"1");
    let lines = [
        "run @missing.wasm",
        "run @text.wasm",
        "run @program.wasm --each @nothing/*.csv",
        "run @program.wasm --each @one/x.csv @one_x.csv @two/x.csv",
        "run @program.wasm --each @one",
        "run @program.wasm --param x=1..1000001",
        "run @program.wasm --collect @none/all.csv",
        "run @job.toml",
        "run @program.wasm --input @missing.csv",
        "run @program.wasm --input @one",
        "run @program.wasm -o @full",
        "run @program.wasm --timeout 365d -o @out",
    ];
    for line in lines {
        assert_eq!(world.type_in(line), Exit::Usage, "{line}");
    }
    assert!(!world.path("out").exists());
}

#[test]
fn an_order_needs_the_key_of_the_nodes_owner_and_its_network() {
    let world = World::new();
    fs::remove_file(world.data.root().join("owner.key")).unwrap();
    world.data.owner_key_or_new([9; 32]).unwrap();
    assert_eq!(world.sweep(&["a.csv"]), Exit::Usage);
    fs::remove_file(world.data.root().join("genesis.polity")).unwrap();
    assert_eq!(world.sweep(&["a.csv"]), Exit::Usage);
}

#[test]
fn a_dry_run_orders_nothing() {
    let world = World::new();
    let line = "run @program.wasm --arg {} -o @out --dry-run";
    assert_eq!(world.type_in(line), Exit::Success);
    assert_eq!(world.type_in(&format!("{line} --json")), Exit::Success);
    assert!(!world.path("out").exists());
    assert_eq!(world.type_in("job get last"), Exit::Usage, "there is no job");
}

#[test]
fn waiting_less_gives_less() {
    let world = World::new();
    let run = "run @program.wasm --fresh --wait";
    assert_eq!(world.type_in(&format!("{run} agreed -o @agreed")), Exit::Success);
    assert!(world.path("agreed/task").exists() && !world.path("agreed/receipt.polity").exists());
    assert_eq!(world.type_in(&format!("{run} outcome -o @outcome")), Exit::Success);
    assert!(!world.path("outcome/task").exists());
}

#[test]
fn a_job_can_be_looked_at_and_fetched_again() {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv", "b.csv", "lost.csv"]), Exit::NotAgreed);
    let id = world.read("out/.polity/job");
    let id = id.trim();
    let short = &id[id.len() - 8..];
    fs::remove_file(world.path("out/a.csv")).unwrap();
    world.write("out/b.csv", b"damaged");
    assert_eq!(world.type_in(&format!("job get {short} -o @out")), Exit::NotAgreed);
    assert_eq!(world.read("out/a.csv"), "a.csv of a.csv\n");
    assert_eq!(world.verdict().exit(), Exit::Success, "what was damaged is fetched again");
    for line in [
        "job list",
        "job list --json",
        "job describe last",
        &format!("job describe {id} --json"),
        "job logs last",
        "job logs last a.csv --json",
        "job logs last a.csv --stderr",
        "job logs last a.csv b.csv --stdout",
        "job logs last --follow",
        "job logs last --follow --json",
        "job describe --tasks",
        "node list",
        "node describe",
        "node list --json",
        "ledger head",
        "ledger block 0",
        "ledger block 0 --json",
    ] {
        assert_eq!(world.type_in(line), Exit::Success, "{line}");
    }
    for line in [
        "job logs last nothing.csv",
        "job describe zzzzzzzz",
        "job describe x",
        "node describe zzzzzzzz",
        "ledger block 7",
    ] {
        assert_eq!(world.type_in(line), Exit::Usage, "{line}");
    }
    assert_eq!(world.type_in("job get last -o @in"), Exit::Usage, "something else is there");
    assert_eq!(world.type_in("job cancel last"), Exit::Refused, "it is finished");
    assert_eq!(world.type_in("job pause last"), Exit::Refused, "it is finished");
    assert_eq!(world.type_in("job resume last"), Exit::Refused, "it is finished");
    assert_eq!(world.type_in("job explain last --nodes"), Exit::Success);
    assert_eq!(world.type_in("top --once"), Exit::Success);
    assert_eq!(world.type_in("top --once --json"), Exit::Success);
    assert_eq!(world.type_in("top"), Exit::Usage, "there is no terminal");
}

#[test]
fn the_same_inputs_are_not_sent_twice() {
    let world = World::new();
    assert_eq!(world.sweep(&["a.csv"]), Exit::Success);
    // The program is gone from this machine's disk between the check and the sending only if it
    // is needed: everything is there already, so a second job sends its table alone.
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @again"), Exit::Success);
    assert_eq!(world.read("again/a.csv"), world.read("out/a.csv"));
}

#[test]
fn a_data_directory_that_others_can_read_the_key_of_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let key = world.data.root().join("owner.key");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.sweep(&["a.csv"]), Exit::Usage);
}

#[test]
fn a_demo_without_a_program_says_where_to_get_one() {
    assert_eq!(type_in(&House::default(), &["demo"]), Exit::Usage);
}
