//! The golden transcripts of one job and of one lie, and runs in which a given thing goes wrong.

#![allow(clippy::unwrap_used)]

use protocol::{Unsettled, Verification};
use sim::{
    liars::Kind,
    world::{Ending, Nature, Plan, Setting, Trace, World},
};
use std::{fs, path::Path};

/// Compares a trace with a golden file.
///
/// Change those on purpose only: `UPDATE_GOLDEN=1 cargo nextest run -p sim golden`.
fn compare(trace: &Trace, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let trace = trace.to_string();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &trace).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    assert_eq!(trace, golden, "{name} has changed; see this function's words");
}

/// The life of one small job: submitted, drawn, run, committed, revealed, agreed, final, finished.
#[test]
fn the_golden_transcript_of_one_job() {
    let ending = World::new(Setting::calm(1)).run();
    compare(&ending.trace, "one_job.txt");
    assert_eq!(ending.report().settled.len(), 3);
    for task in ending.report().settled.values() {
        assert_eq!(task.executors.len(), 2);
        assert_ne!(task.executors[0].1, task.executors[1].1, "two owners");
    }
}

/// The life of one lie: told, disputed, run again by the validators, refuted, sanctioned, released.
#[test]
fn the_golden_transcript_of_one_lie() {
    let mut setting = Setting::calm(1);
    setting.natures[4] = Nature::lying(Kind::WrongResult);
    setting.plans[0].tasks = 2;
    setting.params.sanctions_ms = vec![3_000];
    setting.params.heartbeat_ms = 1_000;
    let ending = World::new(setting).run();
    compare(&ending.trace, "one_lie.txt");
    assert_eq!(ending.report().settled.len(), 2);
    assert!(!ending.report().refuted.is_empty(), "the receipt names the liar");
    assert_eq!((ending.tally.of("sanctions"), ending.tally.of("releases")), (1, 1));
}

#[test]
fn one_seed_is_one_run() {
    let settings: [fn(u64) -> Setting; 3] = [Setting::calm, Setting::rough, Setting::hostile];
    for (setting, seed) in settings.into_iter().flat_map(|s| (0..3).map(move |seed| (s, seed))) {
        let run = || World::new(setting(seed)).run();
        let (one, other) = (run(), run());
        assert_eq!(one.trace.digest(), other.trace.digest());
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.receipts, other.receipts);
    }
    let calm = |seed| World::new(Setting::calm(seed)).run().trace.digest();
    assert_ne!(calm(1), calm(2), "seeds differ");
}

/// A liar is refuted by a verdict; whoever claimed what the validators found stands alone if need
/// be, and the job ends fully agreed.
#[test]
fn a_liar_among_three_is_refuted_and_the_job_ends_well() {
    let mut setting = Setting::calm(3);
    setting.natures[4] = Nature::lying(Kind::WrongResult);
    setting.plans[0].tasks = 30;
    setting.params.sanctions_ms = vec![1_000];
    setting.params.heartbeat_ms = 500;
    let Ending { receipts, tally, .. } = World::new(setting).run();
    let report = &receipts[0].1;
    assert!(report.unsettled.is_empty(), "{:?}", report.unsettled);
    assert!(!report.refuted.is_empty());
    assert_eq!(tally.of("wrong final tasks, K owners colluding"), 0);
    assert!(tally.of("sanctions") > 0);
}

/// A majority proves nothing: two owners agree on a lie, and the one who disagrees is believed
/// because the validators find the same.
#[test]
fn two_colluders_against_one_honest_node_do_not_harm_it() {
    let (mut alone, mut refuted, mut wrong) = (0, 0, 0);
    for seed in 0..12 {
        let mut setting = Setting::calm(seed);
        setting.natures = vec![Nature::HONEST; 6];
        setting.natures[4] = Nature::lying(Kind::Colluders);
        setting.natures[5] = Nature::lying(Kind::Colluders);
        setting.plans[0].tasks = 12;
        setting.plans[0].verification = Verification { k: 3, n: 3 };
        setting.params.sanctions_ms = vec![1_000];
        setting.params.heartbeat_ms = 500;
        let Ending { receipts, tally, .. } = World::new(setting).run();
        let report = &receipts[0].1;
        // The world checks that nobody honest has a finding or a sanction.
        alone += report.settled.values().filter(|task| task.executors.len() == 1).count();
        refuted += report.refuted.values().filter(|liars| liars.len() == 2).count();
        wrong += tally.of("wrong final tasks, K owners colluding");
        assert!(report.unsettled.is_empty(), "seed {seed}: {:?}", report.unsettled);
    }
    assert!(alone > 5 && refuted > 5, "{alone} stood alone, two were refuted {refuted} times");
    assert_eq!(wrong, 0);
}

/// Two of three are enough for a lie, if both lie; then an audit by others finds it.
#[test]
fn what_colluders_got_through_an_audit_finds() {
    let (mut wrong, mut found) = (0, 0);
    for seed in 0..10 {
        let mut setting = Setting::calm(seed);
        setting.natures = vec![Nature::HONEST; 6];
        setting.natures[4] = Nature::lying(Kind::Selective);
        setting.natures[5] = Nature::lying(Kind::Selective);
        // They lie where they are drawn together, which is known only if all are drawn.
        setting.plans[0].sealed = true;
        setting.plans[0].tasks = 20;
        setting.params.sanctions_ms = vec![1_000];
        setting.params.heartbeat_ms = 500;
        setting.params.audit_per_mille = 1_000;
        setting.params.auditors = 1;
        let ending = World::new(setting).run();
        wrong += ending.tally.of("wrong final tasks, K owners colluding");
        found += ending.tally.of("findings: refuted by a verdict");
    }
    assert!(wrong > 0, "they never met");
    assert_eq!(found, 2 * wrong, "each of the two, for each lie");
}

#[test]
fn a_home_that_crashes_in_the_middle_finishes_the_job() {
    let mut setting = Setting::calm(4);
    setting.plans[0].tasks = 200;
    for at_ms in [1, 40, 90, 160, 250] {
        setting.natures[0].crash = Some((at_ms, 2_000));
        let ending = World::new(setting.clone()).run();
        assert_eq!(ending.report().settled.len(), 200, "crash after {at_ms} ms");
    }
}

#[test]
fn one_validator_of_four_may_be_gone() {
    let mut setting = Setting::calm(5);
    setting.natures[3].crash = Some((1, 100_000));
    setting.plans[0].tasks = 40;
    let ending = World::new(setting).run();
    assert_eq!(ending.report().settled.len(), 40);
}

#[test]
fn all_three_of_three_must_agree_when_that_is_asked_for() {
    let mut setting = Setting::calm(6);
    setting.plans[0].verification = Verification { k: 3, n: 3 };
    let ending = World::new(setting).run();
    assert!(ending.report().settled.values().all(|task| task.executors.len() == 3));
}

#[test]
fn a_sealed_job_is_ordered_before_it_is_drawn() {
    let mut setting = Setting::calm(7);
    setting.plans[0].sealed = true;
    let ending = World::new(setting).run();
    assert_eq!(ending.report().settled.len(), 3);
    assert_eq!(ending.report().placement, protocol::Placement::Sealed);
}

#[test]
fn two_halves_of_the_validators_finalise_nothing_until_they_meet() {
    let mut setting = Setting::calm(8);
    let apart = [0, 1].into();
    setting.splits = vec![sim::world::Split { at_ms: 1, for_ms: 20_000, apart }];
    let ending = World::new(setting).run();
    assert_eq!(ending.report().settled.len(), 3);
    let lines = ending.trace.lines();
    let place = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    assert!(place("together again") < place("= block 1"), "no block while they are apart");
}

/// A home can stall and choose its friends; nothing that it makes up gets onto the ledger, and no
/// receipt that it makes up verifies. The world checks both.
#[test]
fn what_a_lying_home_makes_up_is_taken_by_nobody() {
    let homes = [
        Kind::TwoSets,
        Kind::LeakyHome,
        Kind::Repeater,
        Kind::UnfairHome,
        Kind::ForgedReceipt,
        Kind::Colluders,
    ];
    for kind in homes {
        let mut setting = Setting::calm(10);
        setting.natures[0] = Nature::lying(kind);
        setting.plans[0].tasks = 20;
        let honest = Plan { home: 1, at_ms: 3_000, ..setting.plans[0].clone() };
        setting.plans.push(honest);
        setting.params.sanctions_ms = vec![1_000];
        setting.params.heartbeat_ms = 500;
        let ending = World::new(setting).run();
        assert!(ending.tally.of("final tasks") >= 20, "{kind:?}");
        let wrong = ending.tally.of("wrong final tasks, K owners colluding");
        assert_eq!(wrong, 0, "{kind:?}");
    }
}

#[test]
fn jobs_of_liars_alone_are_unsettled_and_say_why() {
    let mut setting = Setting::calm(9);
    setting.natures = vec![Nature::HONEST; 7];
    for node in 4..7 {
        setting.natures[node] = Nature::lying(Kind::Silent);
    }
    setting.plans[0].verification = Verification { k: 5, n: 5 };
    let ending = World::new(setting).run();
    let unsettled: Vec<_> = ending.report().unsettled.values().collect();
    assert!(unsettled.iter().all(|why| **why == Unsettled::Expired), "{unsettled:?}");
}
