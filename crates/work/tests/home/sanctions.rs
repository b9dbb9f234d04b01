//! Nodes whose owners are sanctioned while a job runs.

use crate::{
    disputes::{settle_but, truth},
    ledger::Validators,
    worker::Manner::{self, Honest},
    world::{Letter, World},
};
use identity::PublicKey;
use protocol::{
    JobEvent, JobId, TaskIndex, ToWorker, Unsettled,
    draw::{Skip, SkipReason},
};
use work::{Config, Input, TaskStatus};

fn bar(world: &mut World, node: &PublicKey) {
    let input = world.ledger.bar(node).expect("it was not sanctioned before");
    world.step(input);
}

fn release(world: &mut World, node: &PublicKey) {
    let owner = world.ledger.roster.node(node).unwrap().owner;
    world.ledger.roster.bar(&owner, None);
    world.ledger.height = world.ledger.height.next();
    let (height, roster) = (world.ledger.height, world.ledger.roster.clone());
    world.step(Input::Roster { height, roster });
}

/// Nodes that were skipped, and why.
fn skips(world: &World) -> Vec<(PublicKey, SkipReason)> {
    let skipped = |(_, event): &(_, JobEvent)| match event {
        JobEvent::Skipped { node, reason, .. } => Some((*node, *reason)),
        _ => None,
    };
    world.events.iter().filter_map(skipped).collect()
}

#[test]
fn a_node_that_is_sanctioned_before_its_turn_is_passed_over() {
    let mut world = World::new(&[Honest, Honest, Honest, Honest, Honest]);
    world.connect_all();
    let job = world.submit(1, "2of3");
    let walk = world.walk(job, 0);
    world.workers.get_mut(&walk[0]).unwrap().manner = Manner::Mute;
    bar(&mut world, &walk[2]);
    assert_eq!(skips(&world), [], "it is not its turn yet");
    world.finish(job);
    let skipped = &world.settled(job, 0).skipped;
    assert!(skipped.contains(&Skip { node: walk[2], reason: SkipReason::Sanctioned }));
    assert_eq!(skipped.len(), 2);
    let executors = &world.settled(job, 0).executors;
    assert!(executors.contains(&walk[1]) && executors.contains(&walk[3]));
}

#[test]
fn a_node_that_is_sanctioned_while_it_is_at_work_goes_on() {
    let mut world = World::new(&[Honest; 4]);
    world.connect_all();
    let job = world.submit(1, "2of3");
    let walk = world.walk(job, 0);
    bar(&mut world, &walk[0]);
    world.finish(job);
    assert!(world.settled(job, 0).executors.contains(&walk[0]));
    let job = world.submit(1, "2of3");
    assert!(!world.walk(job, 0).contains(&walk[0]), "but the next draw leaves it out");
    world.finish(job);
    assert!(world.is_final(job, 0));
}

#[test]
fn a_node_that_waits_for_its_turn_is_passed_over_when_it_comes() {
    let config = Config { node_tasks: 1, ..Config::default() };
    let mut world = World::with(&[Honest; 4], &[0, 1, 2, 3], config);
    world.connect_all();
    let job = world.submit(40, "2of3");
    let busy = world.walk(job, 0)[0];
    bar(&mut world, &busy);
    world.finish(job);
    assert!((0..40).all(|task| world.is_final(job, task)));
    assert!(skips(&world).contains(&(busy, SkipReason::Sanctioned)));
}

#[test]
fn when_only_the_sanctioned_are_left_a_task_ends() {
    let mut world = World::new(&[Honest; 3]);
    let others: Vec<_> = world.workers.keys().copied().filter(|n| *n != world.me()).collect();
    let job = world.submit(1, "2of3");
    world.settle();
    assert!(matches!(world.status(job, 0), TaskStatus::Running { short: true, .. }));
    bar(&mut world, &others[0]);
    world.settle();
    assert!(matches!(world.status(job, 0), TaskStatus::Running { short: true, .. }));
    bar(&mut world, &others[1]);
    world.settle();
    assert_eq!(world.why(job, 0), Some(Unsettled::NoCandidates));
    world.check_end(job);
}

#[test]
fn who_is_released_is_asked_again_if_nobody_else_is_left() {
    let mut world = World::new(&[Honest; 3]);
    let others: Vec<_> = world.workers.keys().copied().filter(|n| *n != world.me()).collect();
    bar_before_turn(&mut world, &others[0]);
    let job = world.submit(1, "2of3");
    release(&mut world, &others[0]);
    world.connect(others[0]);
    world.finish(job);
    assert!(!world.walk(job, 0).contains(&others[0]), "it was no candidate when the job was drawn");
    assert_eq!(world.why(job, 0), Some(Unsettled::Expired));

    let job = world.submit(1, "2of3");
    world.disconnect(others[0]);
    world.tick_until(world.now.after_ms(10_000));
    bar(&mut world, &others[0]);
    world.connect(others[0]);
    world.settle();
    assert!(matches!(world.status(job, 0), TaskStatus::Running { short: true, .. }));
    release(&mut world, &others[0]);
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert_eq!(world.settled(job, 0).skipped.iter().filter(|s| s.node == others[0]).count(), 0);
}

fn bar_before_turn(world: &mut World, node: &PublicKey) {
    bar(world, node);
    assert_eq!(skips(world), []);
}

/// Three parties, one of which has two nodes, both ranked first; the first of them lies.
fn siblings() -> (World, JobId, Vec<PublicKey>) {
    let mut world = World::with(&[Honest; 4], &[0, 1, 1, 2], Config::default());
    world.connect_all();
    loop {
        let job = world.submit(1, "2of3");
        let walk = world.walk(job, 0);
        let party = |node| world.ledger.roster.party_of_node(node);
        if party(&walk[0]) == party(&walk[1]) {
            world.workers.get_mut(&walk[0]).unwrap().manner = Manner::Liar(1);
            let other = |letter: &Letter| match letter {
                Letter::ToWorker(_, ToWorker::Assign { order, .. }) => order.payload.id() != job,
                _ => false,
            };
            world.letters.retain(|letter| !other(letter));
            return (world, job, walk);
        }
    }
}

#[test]
fn the_other_machines_of_a_refuted_owner_are_passed_over_as_sanctioned() {
    let (mut world, job, walk) = siblings();
    world.finish(job);
    let settled = world.settled(job, 0);
    assert!(!settled.decided, "two others agree");
    let skipped = |at: usize, reason| Skip { node: walk[at], reason };
    let mut expected = [skipped(0, SkipReason::Refuted), skipped(1, SkipReason::Sanctioned)];
    expected.sort();
    assert_eq!(settled.skipped, expected);
}

#[test]
fn an_agreement_that_the_walk_does_not_explain_rests_on_the_verdict() {
    let (mut world, job, walk) = siblings();
    world.ledger.validators = Validators::Slow;
    settle_but(&mut world, &[]);
    // The home has not heard of the sanction.
    world.rule(job, 0, Some(truth(job)));
    world.finish(job);
    let settled = world.settled(job, 0);
    assert!(settled.decided);
    assert_eq!(settled.executors.len(), 2);
    assert_eq!(settled.skipped, [Skip { node: walk[0], reason: SkipReason::Refuted }]);
}

#[test]
fn whoever_is_still_waited_for_at_the_verdict_is_passed_over_as_busy() {
    let config = Config { node_tasks: 1, gather_ms: 0, ..Config::default() };
    let mut world = World::with(&[Honest; 5], &[0, 1, 2, 3, 4], config);
    world.ledger.validators = Validators::Slow;
    world.connect_all();
    let job = world.submit(30, "2of3");
    let first = world.walk(job, 0);
    world.workers.get_mut(&first[0]).unwrap().manner = Manner::Liar(1);
    // The third candidate of the first task has its hands full with another one, for ever.
    world.workers.get_mut(&first[2]).unwrap().manner = Manner::Mute;
    world.settle();
    assert_eq!(world.work.disputed().first(), Some(&(job, TaskIndex(0))));
    let TaskStatus::Running { replicas: 3, committed: 2, .. } = world.status(job, 0) else {
        panic!("{:?}", world.status(job, 0));
    };
    world.rule(job, 0, Some(truth(job)));
    assert!(skips(&world).contains(&(first[2], SkipReason::Busy)));
    world.settle();
    assert!(world.is_final(job, 0));
    assert!(world.settled(job, 0).decided);
    world.ledger.validators = Validators::Prompt;
    world.finish(job);
    assert!((0..30).all(|task| world.is_final(job, task)));
}
