//! Many runs in which everything goes wrong at once. The world itself checks what must hold; see
//! `world/check.rs`.
//!
//! A seed that fails prints itself; alone it runs with
//! `SIM_SEED=<seed> cargo nextest run -p sim one_seed_of_choice`.

#![allow(clippy::unwrap_used)]

use protocol::Unsettled;
use sim::world::{Ending, Setting, Tally, World};

/// What must have gone wrong somewhere, and what must have come of it.
const MUST_HAPPEN: [&str; 23] = [
    "lost messages",
    "lost transactions",
    "messages cut off",
    "crashes",
    "partitions",
    "views without a quorum",
    "forfeited turns",
    "spoiled blocks",
    "censored turns",
    "false filings",
    "forged receipts refused",
    "refused transactions",
    "withheld by its home",
    "lies: named",
    "findings: refuted by a verdict",
    "findings: two commitments",
    "findings: a reveal that does not open",
    "findings: two rulings",
    "findings: unfounded accusations",
    "accusations that failed",
    "disputes decided",
    "audits",
    "releases",
];

fn run(seeds: std::ops::Range<u64>, setting: fn(u64) -> Setting) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        tally.add(&World::new(setting(seed)).run().tally);
    }
    tally
}

#[test]
fn nothing_that_must_not_happen_does_1() {
    run(0..50, Setting::hostile);
}

#[test]
fn nothing_that_must_not_happen_does_2() {
    run(50..100, Setting::hostile);
}

#[test]
fn nothing_that_must_not_happen_does_3_and_everything_that_can_does() {
    let tally = run(100..150, Setting::hostile);
    let missing: Vec<_> = MUST_HAPPEN.iter().filter(|what| tally.of(what) == 0).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}\n{tally}");
}

/// Where nobody lies, every task of every job is settled, unless the job was taken back or there
/// are too few owners for it.
#[test]
fn every_honest_run_ends_well() {
    for seed in 0..60 {
        let setting = Setting::rough(seed);
        let (tasks, cancelled) = (setting.plans[0].tasks, setting.plans[0].cancel_ms.is_some());
        let Ending { receipts, .. } = World::new(setting).run();
        let report = &receipts[0].1;
        assert_eq!(report.settled.len() + report.unsettled.len(), tasks as usize, "seed {seed}");
        let whole = cancelled || report.unsettled.is_empty();
        assert!(whole, "seed {seed}: {:?}", report.unsettled);
    }
}

/// `SIM_SEED` chooses a seed of the hostile setting; its whole story is printed.
#[test]
fn one_seed_of_choice() {
    let seed = std::env::var("SIM_SEED").map_or(0, |text| text.parse().unwrap());
    let ending = World::new(Setting::hostile(seed)).run();
    println!("{}\n{}", ending.trace, ending.tally);
}

/// Whoever waits, for whatever reason, is served in the end, and nothing is done twice.
#[test]
fn jobs_of_all_priorities_with_pauses_and_cordons_end_well() {
    for seed in 0..60 {
        let setting = Setting::queued(seed);
        let cancelled = setting.plans.iter().filter(|plan| plan.cancel_ms.is_some()).count();
        let jobs = setting.plans.len();
        let ending = World::new(setting).run();
        assert_eq!(ending.receipts.len(), jobs, "seed {seed}");
        // With messages that get lost a task may be lost on as many nodes as one may.
        let lost = |why: &Unsettled| *why == Unsettled::Poison;
        let whole =
            ending.receipts.iter().filter(|(_, report)| report.unsettled.values().all(lost));
        assert!(whole.count() >= jobs - cancelled, "seed {seed}");
    }
}
