//! Sweeps as people make them: parameters, lists, job files, collected outputs.

use super::world::{World, listing};
use crate::exit::Exit;
use std::fs;

#[test]
fn every_combination_of_parameters_is_a_task_with_a_readable_name() {
    let world = World::new();
    let run = "run @program.wasm --param x=1..2,y=a,b --arg {x}{y} -o @out";
    assert_eq!(world.type_in(run), Exit::Success);
    let results = listing(&world.path("out"));
    for name in ["x=1,y=a", "x=1,y=b", "x=2,y=a", "x=2,y=b"] {
        assert!(results.contains(&name.to_string()), "{results:?}");
    }
    let Ok(held) = world.verdict().held else { panic!("it holds") };
    let table = &held.receipt.body.table;
    assert_eq!(table.args_of(&table.rows()[3]), ["2b"]);
    assert_eq!(table.rows()[3].params, [("x".into(), "2".into()), ("y".into(), "b".into())]);
    assert_eq!(world.type_in("verify @out"), Exit::Success);
}

#[test]
fn files_and_parameters_are_combined_and_a_case_file_is_not() {
    let world = World::new();
    world.write("in/a.csv", b"a");
    world.write("in/b.csv", b"b");
    world.write("cases.csv", b"x,y\n1,2\n3,4\n");
    let run = "run @program.wasm --each @in/*.csv --param-file @cases.csv --arg {} -o @out";
    assert_eq!(world.type_in(run), Exit::Success);
    let Ok(held) = world.verdict().held else { panic!("it holds") };
    let table = &held.receipt.body.table;
    let names: Vec<_> = table.rows().iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["a.csv,x=1,y=2", "a.csv,x=3,y=4", "b.csv,x=1,y=2", "b.csv,x=3,y=4"]);
    assert_eq!(table.args_of(&table.rows()[2]), ["b.csv"], "arguments still name the file");
}

#[test]
fn an_array_counts_from_nought_and_a_seed_makes_other_tasks_of_the_same_cases() {
    let world = World::new();
    assert_eq!(world.type_in("run @program.wasm --array 3 -o @out"), Exit::Success);
    assert_eq!(world.read("out/index=2"), "index=2 of index=2\n");
    assert_eq!(world.type_in("run @program.wasm --array 3 --seed more -o @more"), Exit::Success);
    let orders = world.polity.orders();
    assert_eq!(orders.len(), 2, "another seed is known to nobody");
    assert_ne!(orders[0].0.seed, orders[1].0.seed);
}

#[test]
fn files_of_one_name_run_under_different_ones() {
    let world = World::new();
    world.write("one/x.csv", b"1");
    world.write("two/x.csv", b"2");
    assert_eq!(world.type_in("run @program.wasm --each @*/x.csv -o @out"), Exit::Success);
    assert_eq!(world.read("out/one_x.csv"), "one_x.csv of one_x.csv\n");
    assert!(world.path("out/two_x.csv").exists());
}

#[test]
fn what_tasks_printed_and_wrote_is_collected_in_order() {
    let world = World::new();
    let collect = "--collect @out/said --collect @files={}";
    let run = &format!("run @program.wasm --param x=2,10,1 -o @out {collect}");
    assert_eq!(world.type_in(run), Exit::Success);
    assert_eq!(world.read("out/said"), "said by x=2\nsaid by x=10\nsaid by x=1\n");
    assert_eq!(world.read("files"), "x=2 of x=2\nx=10 of x=10\nx=1 of x=1\n");
}

#[test]
fn what_failed_is_left_out_of_what_is_collected_and_a_header_is_kept_once() {
    let world = World::new();
    for name in ["a.csv", "exit3.csv", "lost.csv", "z.csv"] {
        world.write(&format!("in/{name}"), name.as_bytes());
    }
    let run = "run @program.wasm --each @in/* -o @out --collect @all --collect-header";
    assert_eq!(world.type_in(run), Exit::NotAgreed);
    assert_eq!(world.read("all"), "said by a.csv\nsaid by z.csv\n", "another first line is kept");
    // Everything is known but what failed, and is collected again.
    fs::remove_file(world.path("all")).unwrap();
    let again = "run @program.wasm --each @in/* --collect @all -o @again";
    assert_eq!(world.type_in(again), Exit::NotAgreed);
    assert_eq!(world.read("all"), "said by a.csv\nsaid by z.csv\n");
}

#[test]
fn collecting_waits_for_files() {
    let world = World::new();
    let run = "run @program.wasm --wait outcome --collect @all -o @out";
    assert_eq!(world.type_in(run), Exit::Success);
    assert_eq!(world.read("all"), "said by task\n");
    let single = "run @program.wasm --wait outcome --verify single --seed 2 -o @single";
    assert_eq!(world.type_in(single), Exit::Success);
    assert!(world.path("single/task").exists(), "the first outcome is the only one");
}

#[test]
fn a_job_file_does_what_its_command_line_did() {
    let world = World::new();
    world.write("in/a.csv", b"a");
    let run = "run @program.wasm --each @in/*.csv --param x=1..3 --arg {x} -o @out";
    assert_eq!(world.type_in(&format!("{run} --save @job.toml --dry-run")), Exit::Success);
    assert!(!world.path("out").exists() && world.polity.orders().is_empty());
    assert_eq!(world.type_in("run @job.toml"), Exit::Success);
    assert!(world.path("out/a.csv,x=3").exists());
    assert_eq!(world.type_in(&format!("{run} --save @job.toml")), Exit::Success, "the same file");
    assert_eq!(world.polity.orders().len(), 1, "and the same run: all is known");
    assert_eq!(world.type_in("run @job.toml --param x=9 -o @nine"), Exit::Success);
    assert!(world.path("nine/a.csv,x=9").exists());
    assert_eq!(world.type_in("run @job.toml --fuel 1 --save @job.toml"), Exit::Usage);
}

#[test]
fn a_job_waits_for_others() {
    let world = World::new();
    assert_eq!(world.type_in("run @program.wasm -o @out"), Exit::Success);
    let first = world.read("out/.polity/job");
    let line = format!("run @program.wasm --seed 2 --after last --after {} -o @two", first.trim());
    assert_eq!(world.type_in(&line), Exit::Success);
    let (_, after) = &world.polity.orders()[1];
    assert_eq!(after.iter().map(ToString::to_string).collect::<Vec<_>>(), [first.trim()]);
    let line = "run @program.wasm --seed 3 --after zzzzzzzz -o @three";
    assert_eq!(world.type_in(line), Exit::Usage);
}

#[test]
fn whoever_leaves_fetches_results_later() {
    let world = World::new();
    assert_eq!(world.type_in("run @program.wasm --detach"), Exit::Success);
    assert_eq!(world.type_in("run @program.wasm --seed 2 --detach -o @out"), Exit::Success);
    assert_eq!(listing(&world.path("out")), [".polity/job", ".polity/run"]);
    assert_eq!(world.type_in("job follow last -o @out"), Exit::Success);
    assert_eq!(world.type_in("verify @out"), Exit::Success);
    assert!(world.path("out/task").exists());
}
