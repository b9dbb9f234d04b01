//! What is known is not computed again, what runs already is followed, what failed runs once more.

use super::{
    polity::Fault,
    world::{Engine, House, World, listing},
};
use crate::{exit::Exit, job::manifest::Manifest, verify};
use std::fs;

/// A world in which these were run, and their results are in `out`.
fn swept(names: &[&str]) -> World {
    let world = World::new();
    world.sweep(names);
    world
}

fn orders(world: &World) -> usize {
    world.polity.orders().len()
}

#[test]
fn the_same_run_again_is_answered_from_its_receipt() {
    let world = swept(&["a.csv", "b.csv", "two.csv"]);
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @again"), Exit::Success);
    assert_eq!(orders(&world), 1);
    let mut expected = listing(&world.path("out"));
    expected.retain(|path| path != ".polity/job");
    assert_eq!(listing(&world.path("again")), expected);
    let receipt = |dir: &str| fs::read(world.path(dir).join("receipt.polity")).unwrap();
    assert_eq!(receipt("again"), receipt("out"));
    for place in ["verify @again", "verify @again/receipt.polity", "verify @out --json"] {
        assert_eq!(world.type_in(place), Exit::Success, "{place}");
    }
    world.write("again/b.csv", b"changed");
    assert_eq!(world.type_in("verify @again"), Exit::Unverified);
    fs::remove_file(world.path("again/two.csv/zz/more")).unwrap();
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @again"), Exit::Success);
    assert_eq!(world.type_in("verify @again"), Exit::Success, "what was missing is there again");
    assert_eq!(orders(&world), 1);
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @again --fresh"), Exit::Success);
    assert_eq!(orders(&world), 2);
    assert_eq!(world.type_in("verify @again"), Exit::Success);
}

#[test]
fn only_what_is_not_known_is_ordered_and_every_receipt_is_checked() {
    let world = swept(&["a.csv", "b.csv"]);
    world.write("in/c.csv", b"c.csv");
    fs::remove_file(world.path("in/a.csv")).unwrap();
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @more"), Exit::Success);
    let jobs = world.polity.orders();
    assert_eq!((jobs.len(), jobs[1].0.tasks), (2, 1));
    let known = format!(".polity/receipts/{}.polity", jobs[0].0.id());
    let expected = [
        ".polity/job",
        &known,
        ".polity/run",
        ".polity/stdout/b.csv",
        ".polity/stdout/c.csv",
        "b.csv",
        "c.csv",
        "receipt.polity",
    ];
    assert_eq!(listing(&world.path("more")), expected);
    assert_eq!(world.read("more/b.csv"), "b.csv of b.csv\n");
    for place in ["verify @more", "verify @more --json", "verify @more/receipt.polity"] {
        assert_eq!(world.type_in(place), Exit::Success, "{place}");
    }
    for file in ["more/b.csv", "more/c.csv"] {
        let right = world.read(file);
        world.write(file, b"changed");
        assert_eq!(world.type_in("verify @more"), Exit::Unverified, "{file}");
        world.write(file, right.as_bytes());
    }
    let mut forged = fs::read(world.path("more").join(&known)).unwrap();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    world.write(&format!("more/{known}"), &forged);
    assert_eq!(world.type_in("verify @more"), Exit::Unverified);
    fs::remove_file(world.path("more").join(&known)).unwrap();
    assert_ne!(world.type_in("verify @more"), Exit::Success);
}

#[test]
fn of_many_receipts_one_is_told_whole_and_what_is_wrong() {
    let world = World::new();
    for x in 1..=5 {
        let run = format!("run @program.wasm --param x={x} --verify 2of3 -o @{x}");
        assert_eq!(world.type_in(&run), Exit::Success);
    }
    assert_eq!(world.type_in("run @program.wasm --param x=1..6 -o @out"), Exit::Success);
    let pins = verify::Pins::one(world.polity.genesis.network(), "test");
    let check = || verify::check_at(&world.path("out"), None, &pins).unwrap();
    let text = check().text();
    assert_eq!(text.matches("not proven").count(), 1, "{text}");
    assert_eq!(text.matches(": 1 task, 2 files").count(), 5, "{text}");
    world.write("out/x=6", b"changed");
    let text = check().text();
    assert!(text.contains("FAIL: ") && text.contains("x=6 (changed)"), "{text}");
}

#[test]
fn a_directory_cannot_say_that_a_receipt_is_about_what_it_is_not() {
    let world = swept(&["a.csv", "b.csv"]);
    world.write("in/c.csv", b"c.csv");
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @more"), Exit::Success);
    let right = Manifest::read(&world.path("more")).unwrap().unwrap();
    let verify = |manifest: &Manifest| {
        manifest.write(&world.path("more")).unwrap();
        world.type_in("verify @more")
    };
    let mut renamed = right.clone();
    let tasks = &mut renamed.known[0].tasks;
    (tasks[0].1, tasks[1].1) = (tasks[1].1.clone(), tasks[0].1.clone());
    assert_eq!(verify(&renamed), Exit::Unverified, "results are not interchanged");
    let mut less = right.clone();
    less.known[0].tasks.pop();
    assert_eq!(verify(&less), Exit::Unverified, "a task has no receipt");
    let mut other = right.clone();
    other.known[0].job = world.polity.orders()[1].0.id();
    assert_ne!(verify(&other), Exit::Success);
    assert_eq!(verify(&right), Exit::Success);
}

#[test]
fn tasks_of_several_receipts_are_run_again_by_their_names() {
    let world = swept(&["a.csv", "b.csv"]);
    world.write("in/c.csv", b"c.csv");
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @more"), Exit::Success);
    let verify = "verify @more --rerun --program @program.wasm --inputs @in";
    for (line, ran) in [(verify.to_string(), 3), (format!("{verify} --task b.csv"), 1)] {
        let house = House::default();
        assert_eq!(world.type_to(&house, &line), Exit::Success);
        assert_eq!(house.rerun.lock().unwrap().len(), ran);
    }
    let wrong = House { engine: Engine::Wrong, ..House::default() };
    assert_eq!(world.type_to(&wrong, verify), Exit::Unverified);
    assert_eq!(world.type_in(&format!("{verify} --task d.csv")), Exit::Usage);
}

#[test]
fn less_agreement_than_is_asked_for_is_not_taken() {
    let world = World::new();
    world.write("x.csv", b"x");
    let run = "run @program.wasm --input @x.csv";
    assert_eq!(world.type_in(&format!("{run} --verify 2of3 -o @two")), Exit::Success);
    assert_eq!(world.type_in(&format!("{run} --verify single -o @single")), Exit::Success);
    assert_eq!(orders(&world), 1, "more is enough");
    assert_eq!(world.type_in(&format!("{run} --verify 3of3 -o @three")), Exit::Success);
    assert_eq!(orders(&world), 2, "less is not");
    let sealed = format!("{run} --verify single --placement sealed -o @sealed");
    assert_eq!(world.type_in(&sealed), Exit::Success);
    assert_eq!(orders(&world), 3, "nor is another draw");
    assert_eq!(world.type_in(&format!("{run} --verify single --fuel 5G -o @fuel")), Exit::Success);
    assert_eq!(orders(&world), 4, "nor another limit");
    assert_eq!(world.type_in(&format!("{run} --verify 2of3 --wall 5m -o @wall")), Exit::Success);
    assert_eq!(orders(&world), 4, "wall time changes no result");
}

#[test]
fn a_receipt_that_does_not_hold_is_not_used() {
    let world = World::with(Fault::ForgesReceipt, 4);
    assert_eq!(world.sweep(&["a.csv"]), Exit::Unverified);
    assert_eq!(world.type_in("run @program.wasm --each @in/* -o @again"), Exit::Unverified);
    assert_eq!(orders(&world), 2, "it ran once more");
    let world = swept(&["a.csv"]);
    world.polity.lose_receipts();
    world.type_in("run @program.wasm --each @in/* -o @again");
    assert_eq!(orders(&world), 2);
}

#[test]
fn a_job_that_runs_already_is_followed() {
    let world = World::with(Fault::Lingers, 4);
    let run = "run @program.wasm --array 3";
    assert_eq!(world.type_in(&format!("{run} --detach -o @out")), Exit::Success);
    assert_eq!(world.type_in(&format!("{run} --detach --fresh")), Exit::Success);
    assert_eq!(orders(&world), 2, "that was wanted");
    assert_eq!(world.type_in(&format!("{run} --detach -o @out")), Exit::Success);
    assert_eq!(world.type_in(&format!("{run} -o @out")), Exit::Success);
    assert_eq!(orders(&world), 2);
    assert_eq!(world.type_in("verify @out"), Exit::Success);
    assert_eq!(world.type_in(&format!("{run} -o @more --after last")), Exit::Success);
    assert_eq!(orders(&world), 2, "it is known by now");
}

#[test]
fn half_of_a_run_that_is_known_is_fetched_by_whoever_comes_back_to_the_other_half() {
    let world = World::with(Fault::Lingers, 4);
    let run = "run @program.wasm --param";
    assert_eq!(world.type_in(&format!("{run} x=1,2 --detach")), Exit::Success);
    assert_eq!(world.type_in("job get last -o @two"), Exit::Success);
    assert_eq!(world.type_in(&format!("{run} x=1..4 --detach -o @four")), Exit::Success);
    assert_eq!(world.polity.orders()[1].0.tasks, 2);
    assert!(!world.path("four/x=1").exists());
    assert_eq!(world.type_in("job get last -o @four"), Exit::Success);
    for name in ["x=1", "x=4"] {
        assert_eq!(world.read(&format!("four/{name}")), format!("{name} of {name}\n"));
    }
    assert_eq!(world.type_in("verify @four"), Exit::Success);
}

#[test]
fn what_failed_runs_once_more_and_the_rest_is_kept() {
    let world = swept(&["a.csv", "b.csv", "exit3.csv", "lost.csv"]);
    assert_eq!(world.type_in("rerun --failed --dry-run"), Exit::Success);
    assert_eq!(world.type_in("rerun last --failed --fuel 5G -o @out"), Exit::NotAgreed);
    let jobs = world.polity.orders();
    assert_eq!((jobs.len(), jobs[1].0.tasks, jobs[1].0.limits.fuel), (2, 2, 5_000_000_000));
    assert_eq!(jobs[1].0.verification, jobs[0].0.verification);
    assert_eq!((jobs[1].0.program, jobs[1].0.seed), (jobs[0].0.program, jobs[0].0.seed));
    assert_eq!(world.type_in("verify @out"), Exit::Success, "four tasks, two receipts");
    fs::remove_file(world.path("out/a.csv")).unwrap();
    assert_eq!(world.type_in("verify @out"), Exit::Unverified);
    let id = jobs[0].0.id().to_string();
    let begin = format!("rerun {} --verify 3of3 -o @all", &id[..30]);
    assert_eq!(world.type_in(&begin), Exit::NotAgreed);
    let jobs = world.polity.orders();
    assert_eq!((jobs.len(), jobs[2].0.tasks, jobs[2].0.verification.k), (3, 4, 3));
    assert!(world.path("all/a.csv").exists());
    assert_eq!(world.type_in("rerun bafy"), Exit::Usage, "several jobs begin so");
}

#[test]
fn what_was_complete_stays_so_if_nothing_can_be_ordered() {
    let world = World::with(Fault::None, 2);
    world.sweep(&["a.csv", "exit3.csv"]);
    assert_eq!(world.type_in("verify @out"), Exit::Success);
    assert_eq!(world.type_in("rerun --failed --verify 3of5 -o @out"), Exit::Refused);
    assert_eq!(world.type_in("verify @out"), Exit::Success);
    world.polity.refuse();
    assert_eq!(world.type_in("rerun --failed -o @out"), Exit::Refused);
    assert_eq!(world.type_in("verify @out"), Exit::Success, "two parts of one receipt");
    let known = "run @program.wasm --each @in/a.csv --verify 2of2 -o @known";
    assert_eq!(world.type_in(known), Exit::Success, "what is known needs no order");
}

#[test]
fn where_nothing_failed_nothing_runs() {
    let world = swept(&["a.csv"]);
    assert_eq!(world.type_in("rerun --failed -o @again"), Exit::Success);
    assert_eq!(orders(&world), 1);
    assert!(!world.path("again").exists());
    assert_eq!(world.type_in("rerun -o @again"), Exit::Success);
    assert_eq!(orders(&world), 2);
}

#[test]
fn a_job_that_still_runs_is_not_run_again() {
    let world = World::with(Fault::Lingers, 4);
    assert_eq!(world.type_in("run @program.wasm --detach"), Exit::Success);
    assert_ne!(world.type_in("rerun --failed"), Exit::Success);
    assert_eq!(orders(&world), 1);
}

#[test]
fn many_cases_are_known_in_one_question() {
    let world = World::new();
    let run = "run @program.wasm --param x=1..200";
    assert_eq!(world.type_in(&format!("{run} -o @out")), Exit::Success);
    assert_eq!(world.type_in(&format!("{run},9999 -o @again")), Exit::Success);
    let jobs = world.polity.orders();
    assert_eq!((jobs.len(), jobs[1].0.tasks), (2, 1));
    let pins = verify::Pins::one(world.polity.genesis.network(), "test");
    let checked = verify::check_at(&world.path("again"), None, &pins).unwrap();
    assert_eq!(checked.exit(), Exit::Success);
    assert!(checked.text().contains("201 tasks, 2 receipts"), "{}", checked.text());
}
