//! The golden transcript of one job, and many runs in which things go wrong.

#![allow(clippy::unwrap_used)]

use protocol::{Unsettled, Verification};
use sim::world::{Ending, Nature, Setting, World};
use std::{collections::BTreeMap, fs, path::Path};

/// What must have gone wrong somewhere, in the words of a trace.
const MISHAPS: [&str; 6] =
    ["is lost", "n0 crashes", "n1 crashes", ": Lost", ": Offline", ": Dissent"];

/// The life of one small job: submitted, drawn, run, committed, revealed, agreed, final, finished.
///
/// Change it on purpose only: `UPDATE_GOLDEN=1 cargo nextest run -p sim golden`.
#[test]
fn the_golden_transcript_of_one_job() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/one_job.txt");
    let ending = World::new(Setting::calm(1)).run();
    let trace = ending.trace.to_string();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &trace).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    assert_eq!(trace, golden, "the life of a job has changed; see this test's words");
    assert_eq!(ending.report.settled.len(), 3);
    for task in ending.report.settled.values() {
        assert_eq!(task.executors.len(), 2);
        assert_ne!(task.executors[0].1, task.executors[1].1, "two owners");
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..5 {
        let run = || World::new(Setting::rough(seed)).run();
        let (one, other) = (run(), run());
        assert_eq!(one.trace.digest(), other.trace.digest());
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.receipt, other.receipt);
    }
    let calm = |seed| World::new(Setting::calm(seed)).run().trace.digest();
    assert_ne!(calm(1), calm(2), "seeds differ");
}

/// The world itself insists that nothing is agreed on twice, that what is final is on the ledger,
/// and that the receipt verifies.
#[test]
fn every_run_ends_whatever_goes_wrong() {
    let (mut settled, mut unsettled) = (0, 0);
    let mut mishaps = BTreeMap::from(MISHAPS.map(|words| (words, 0)));
    for seed in 0..200 {
        let setting = Setting::rough(seed);
        let (tasks, honest) = (setting.tasks as usize, setting.is_honest());
        let Ending { report, trace, .. } = World::new(setting).run();
        for (words, count) in &mut mishaps {
            *count += trace.lines().iter().filter(|line| line.contains(words)).count();
        }
        assert_eq!(report.settled.len() + report.unsettled.len(), tasks, "seed {seed}");
        assert!(!honest || report.unsettled.is_empty(), "seed {seed}: {:?}", report.unsettled);
        settled += report.settled.len();
        unsettled += report.unsettled.len();
    }
    assert!(mishaps.values().all(|count| *count > 10), "{mishaps:?}");
    assert!(settled > 1_000 && unsettled > 50, "{settled} settled, {unsettled} not");
}

#[test]
fn a_liar_among_three_leaves_its_tasks_unsettled_and_shows() {
    let mut setting = Setting::calm(3);
    setting.natures[2] = Nature { slowness: 1, lies: true, ..Nature::default() };
    setting.tasks = 30;
    let ending = World::new(setting).run();
    let report = &ending.report;
    assert!(!report.unsettled.is_empty() && !report.settled.is_empty());
    assert!(report.unsettled.values().all(|why| *why == Unsettled::Dissent));
    assert!(!ending.receipt.body.dissent.is_empty());
}

#[test]
fn a_home_that_crashes_in_the_middle_finishes_the_job() {
    let mut setting = Setting::calm(4);
    setting.tasks = 200;
    for at_ms in [1, 40, 90, 160, 250] {
        setting.natures[0].crash = Some((at_ms, 2_000));
        let ending = World::new(setting.clone()).run();
        assert_eq!(ending.report.settled.len(), 200, "crash after {at_ms} ms");
    }
}

#[test]
fn one_validator_of_four_may_be_gone() {
    let mut setting = Setting::calm(5);
    setting.natures[3].crash = Some((1, 100_000));
    setting.tasks = 40;
    let ending = World::new(setting).run();
    assert_eq!(ending.report.settled.len(), 40);
}

#[test]
fn all_three_of_three_must_agree_when_that_is_asked_for() {
    let mut setting = Setting::calm(6);
    setting.verification = Verification { k: 3, n: 3 };
    let ending = World::new(setting).run();
    assert!(ending.report.settled.values().all(|task| task.executors.len() == 3));
}
