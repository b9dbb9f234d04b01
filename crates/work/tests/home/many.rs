//! A job of ten thousand tasks.

use crate::{
    worker::Manner::{Honest, Mute},
    world::World,
};
use protocol::JobId;
use work::{Config, TaskStatus};

#[test]
fn ten_thousand_tasks_take_steps_and_transactions_in_proportion() {
    let config = Config { node_tasks: 64, open_tasks: 512, ..Config::default() };
    let mut world = World::with(&[Honest; 5], &[0, 1, 2, 3, 4], config);
    world.connect_all();
    let job = world.submit(10_000, "2of3");
    world.finish(job);
    let progress = world.work.job(&job).unwrap().progress();
    assert_eq!(progress.settled, 10_000);
    // 20,000 replicas: at least two inputs for each full batch of them, at most two for each.
    assert!(world.steps < 20_000, "{} steps", world.steps);
    let transactions = world.ledger.accepted.len();
    assert!((20..1_000).contains(&transactions), "{transactions} transactions");
    assert_eq!(world.events.len(), 1 + 20_000 + 10_000 + 10_000 + transactions);
    world.store(job);
    let left = identity::canonical::encode(&world.work).len();
    assert!(left < 10_000, "{left} bytes are kept of a finished job and five nodes");
}

/// A job of which some tasks end at once, and some not before their silent node is given up.
fn with_a_silent_node(gather_ms: u64) -> (World, JobId) {
    let config = Config { gather_ms, ..Config::default() };
    let manners = [Honest, Honest, Honest, Honest, Mute];
    let mut world = World::with(&manners, &[0, 1, 2, 3, 4], config);
    world.connect_all();
    let job = world.submit(100, "2of3");
    world.settle();
    assert!(world.work.job(&job).unwrap().progress().running > 0);
    (world, job)
}

#[test]
fn while_others_are_at_work_agreed_tasks_wait_a_moment_for_more() {
    let agreed = |world: &World, job| {
        let waits = |task: &u32| matches!(world.status(job, *task), TaskStatus::Agreed { .. });
        (0..100).filter(waits).collect::<Vec<_>>()
    };
    let (at_once, job) = with_a_silent_node(0);
    assert_eq!(agreed(&at_once, job), [0; 0], "whatever is agreed on goes on its way");

    let (mut world, job) = with_a_silent_node(200);
    assert!(world.ledger.accepted.len() < at_once.ledger.accepted.len());
    let waiting = agreed(&world, job);
    assert!(!waiting.is_empty());
    let moment = world.now.after_ms(200);
    world.tick_until(moment);
    assert!(waiting.into_iter().all(|task| world.is_final(job, task)));
    assert!(world.work.job(&job).unwrap().progress().running > 0, "nobody was given up meanwhile");
    world.finish(job);
}
