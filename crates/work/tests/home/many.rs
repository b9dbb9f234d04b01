//! A job of ten thousand tasks.

use crate::{worker::Manner::Honest, world::World};
use work::Config;

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
