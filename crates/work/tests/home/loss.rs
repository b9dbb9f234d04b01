//! Nodes that go away, at every point, and come back.

use crate::{
    worker::Manner::{self, Hider, Honest, Mute},
    world::{Letter, WALL_MS, World},
};
use identity::PublicKey;
use protocol::{
    JobEvent, JobId, TaskIndex, ToHome, ToWorker, Unsettled,
    draw::{Skip, SkipReason},
};
use work::{Config, Input, TaskStatus};

/// Four owners, one task, 2of3; gives the two nodes whose turn is first.
fn begin(manner: Manner) -> (World, JobId, Vec<PublicKey>) {
    let config = Config { poison: 50, ..Config::default() };
    let mut world = World::with(&[Honest; 5], &[0, 1, 2, 3, 4], config);
    world.connect_all();
    let mut job = world.submit(1, "2of3");
    // The home itself is never away; take a job whose first candidates are others.
    while world.walk(job, 0)[..3].contains(&world.me()) {
        world.letters.clear();
        job = world.submit(1, "2of3");
    }
    let walk = world.walk(job, 0);
    world.workers.get_mut(&walk[0]).unwrap().manner = manner;
    (world, job, walk)
}

fn skipped_on_the_ledger(world: &World, job: JobId) -> Vec<Skip> {
    let included = world.work.job(&job).unwrap().included();
    included[0].agreements.tasks[0].skipped.clone()
}

fn executors(world: &World, job: JobId) -> Vec<PublicKey> {
    world.kept[&(job, TaskIndex(0))].clone()
}

#[test]
fn a_node_lost_before_it_commits_is_replaced() {
    let (mut world, job, walk) = begin(Honest);
    world.disconnect(walk[0]);
    world.settle();
    assert!(!world.is_final(job, 0), "it may be back in a moment");
    world.finish(job);
    assert!(world.is_final(job, 0));
    let lost = Skip { node: walk[0], reason: SkipReason::Lost };
    assert_eq!(skipped_on_the_ledger(&world, job), [lost]);
    assert_eq!(executors(&world, job), walk[1..3]);
}

#[test]
fn a_node_that_comes_back_in_time_is_told_again_and_not_lost() {
    let (mut world, job, walk) = begin(Honest);
    world.disconnect(walk[0]);
    world.settle();
    world.connect(walk[0]);
    world.settle();
    assert!(world.is_final(job, 0));
    assert_eq!(skipped_on_the_ledger(&world, job), []);
}

#[test]
fn a_silent_node_loses_its_lease() {
    let (mut world, job, walk) = begin(Mute);
    let before = world.now;
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert_eq!(executors(&world, job), walk[1..3]);
    assert_eq!(world.now.since_ms(before), WALL_MS + Config::default().lease_ms);
}

#[test]
fn nobody_waits_for_a_node_that_stopped_answering() {
    let config = Config { node_tasks: 2, open_tasks: 50, ..Config::default() };
    let lease_ms = WALL_MS + config.lease_ms;
    let mut world = World::with(&[Honest, Honest, Mute, Honest], &[0, 1, 2, 3], config);
    world.connect_all();
    let before = world.now;
    let job = world.submit(300, "2of3");
    world.finish(job);
    assert!((0..300).all(|task| world.is_final(job, task)));
    assert_eq!(world.now.since_ms(before), lease_ms, "one lease is enough to learn it");
}

#[test]
fn a_node_lost_after_it_committed_is_replaced() {
    let (mut world, job, walk) = begin(Honest);
    // Only the first one speaks, and is gone before the second does.
    let later: Vec<_> = take(&mut world, |letter| to_worker(letter, &walk[1]));
    world.settle();
    world.disconnect(walk[0]);
    world.tick();
    world.letters.extend(later);
    world.finish(job);
    assert_eq!(executors(&world, job), walk[1..3]);
    let lost = Skip { node: walk[0], reason: SkipReason::Lost };
    assert_eq!(skipped_on_the_ledger(&world, job), [lost]);
}

#[test]
fn who_never_reveals_is_replaced_and_only_the_new_replica_reveals_to_the_further_set() {
    let (mut world, job, walk) = begin(Hider);
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert_eq!(executors(&world, job), walk[1..3]);
    let included = world.work.job(&job).unwrap().included();
    let agreed = &included[0].agreements.tasks[0];
    assert_eq!(agreed.sets.len(), 2, "one reveal names the first set, one the further set");
    let said: Vec<_> =
        included[0].agreements.reveals.iter().flat_map(|batch| &batch.leaves).collect();
    assert_eq!(said.len(), 2, "nobody revealed twice");
    assert_ne!(said[0].set, said[1].set);
}

#[test]
fn a_late_reveal_of_a_lost_node_changes_nothing() {
    let (mut world, job, walk) = begin(Honest);
    let mut late = vec![];
    while let Some(letter) = world.letters.pop_front() {
        match &letter {
            Letter::ToHome(node, ToHome::Revealed { .. }) if *node == walk[0] => late.push(letter),
            _ => world.deliver(letter),
        }
    }
    world.disconnect(walk[0]);
    world.tick();
    world.settle();
    assert_eq!(executors(&world, job), walk[1..3]);
    late.into_iter().for_each(|letter| world.deliver(letter));
    world.finish(job);
    assert_eq!(executors(&world, job), walk[1..3]);
    assert!(world.work.counts().late > 0);
}

#[test]
fn a_task_waits_for_nodes_to_come_back() {
    let mut world = World::new(&[Honest; 3]);
    let job = world.submit(5, "2of3");
    world.settle();
    let node = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    world.tick_until(world.now.after_ms(100_000));
    world.connect(node);
    world.settle();
    for task in 0..5 {
        assert!(world.is_final(job, task));
    }
    let record = world.work.job(&job).unwrap();
    for part in record.included() {
        for agreed in &part.agreements.tasks {
            assert!(agreed.skipped.iter().all(|skip| skip.node != node), "it was not passed over");
        }
    }
}

#[test]
fn a_lost_node_that_is_needed_after_all_goes_on_where_it_was() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    let other = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    // It commits, is shown the set, and is gone before it reveals.
    let mut withheld = vec![];
    while let Some(letter) = world.letters.pop_front() {
        match &letter {
            Letter::ToHome(node, ToHome::Revealed { .. }) if *node == other => {
                withheld.push(letter)
            }
            _ => world.deliver(letter),
        }
    }
    world.disconnect(other);
    world.tick();
    assert_eq!(world.work.job(&job).unwrap().skips(TaskIndex(0)).len(), 1);
    world.connect(other);
    world.settle();
    assert!(world.is_final(job, 0));
    assert_eq!(skipped_on_the_ledger(&world, job), []);
    let started = world.events.iter().filter_map(|(_, event)| match event {
        JobEvent::Started { attempt, node, .. } if *node == other => Some(attempt.0),
        _ => None,
    });
    let attempts: Vec<_> = started.collect();
    assert_eq!(attempts[0], attempts[1], "one node, one attempt");
}

#[test]
fn a_restarted_worker_that_forgot_everything_can_still_reveal() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(3, "2of2");
    let other = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    let lost = take_until_sets(&mut world, &other);
    assert!(lost > 0);
    world.workers.get_mut(&other).unwrap().restart();
    world.disconnect(other);
    world.connect(other);
    world.finish(job);
    assert!((0..3).all(|task| world.is_final(job, task)));
    assert_eq!(world.work.counts().contradictory, 0);
}

/// Delivers everything but the sets for one node, which are lost; gives how many.
fn take_until_sets(world: &mut World, node: &PublicKey) -> usize {
    let mut lost = 0;
    while let Some(letter) = world.letters.pop_front() {
        match &letter {
            Letter::ToWorker(to, ToWorker::Sets { .. }) if to == node => lost += 1,
            _ => world.deliver(letter),
        }
    }
    lost
}

#[test]
fn a_restarted_home_says_everything_again() {
    let mut world = World::new(&[Honest; 3]);
    world.connect_all();
    let job = world.submit(6, "2of3");
    world.letters.clear();
    let bytes = identity::canonical::encode(&world.work);
    world.work = identity::canonical::decode(&bytes, usize::MAX).unwrap();
    world.step(Input::Lead);
    world.connect_all();
    world.settle();
    assert!((0..6).all(|task| world.is_final(job, task)));
    assert!(!world.events.iter().any(|(_, event)| matches!(event, JobEvent::Skipped { .. })));
}

#[test]
fn a_restarted_home_publishes_again_what_the_ledger_did_not_answer_for() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(2, "2of2");
    while let Some(letter) = world.letters.pop_front() {
        if !matches!(letter, Letter::ToLedger(_)) {
            world.deliver(letter);
        }
    }
    assert!(matches!(world.status(job, 0), TaskStatus::Agreed(_)));
    world.step(Input::Lead);
    world.connect_all();
    world.settle();
    assert!(world.is_final(job, 0) && world.is_final(job, 1));
}

#[test]
fn long_after_its_end_a_home_does_not_hold_its_absence_against_workers() {
    let mut world = World::new(&[Honest; 3]);
    world.connect_all();
    let job = world.submit(4, "2of3");
    let letters = std::mem::take(&mut world.letters);
    world.now = world.now.after_ms(500_000);
    world.step(Input::Lead);
    world.connect_all();
    world.step(Input::Tick);
    world.letters.extend(letters);
    world.settle();
    assert!((0..4).all(|task| world.is_final(job, task)));
    assert!(!world.events.iter().any(|(_, event)| matches!(event, JobEvent::Skipped { .. })));
}

#[test]
fn when_the_only_other_owner_stays_silent_the_job_expires() {
    let mut world = World::new(&[Honest, Mute]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::Expired));
}

fn to_worker(letter: &Letter, node: &PublicKey) -> bool {
    matches!(letter, Letter::ToWorker(to, _) if to == node)
}

fn take(world: &mut World, wanted: impl Fn(&Letter) -> bool) -> Vec<Letter> {
    let (taken, rest) = std::mem::take(&mut world.letters).into_iter().partition(|l| wanted(l));
    let rest: Vec<_> = rest;
    world.letters = rest.into();
    taken
}

/// Those who did not answer are asked again in turn, not the first of them again and again.
#[test]
fn who_never_answers_keeps_nobody_else_from_the_task() {
    let (mut world, job, walk) = begin(Mute);
    world.workers.values_mut().for_each(|worker| worker.manner = Mute);
    world.settle();
    let skips = |world: &World| world.work.job(&job).unwrap().skips(TaskIndex(0)).len();
    while skips(&world) < walk.len() {
        world.tick();
    }
    for node in &walk[1..] {
        world.workers.get_mut(node).unwrap().manner = Honest;
    }
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert!(!executors(&world, job).contains(&walk[0]));
}
