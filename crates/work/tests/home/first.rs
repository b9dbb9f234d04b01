//! The first replica by score, what takes long, and what nobody can run.

use crate::{
    worker::Manner::{Honest, Mute, Unable},
    world::{Letter, World, key},
};
use identity::PublicKey;
use protocol::{JobId, NoResult, Profile, Speed, TaskIndex, ToHome, ToWorker, Unsettled};
use std::collections::BTreeSet;
use work::{Config, Input, Weights};

fn profile(fuel_ms: u64) -> Box<Profile> {
    let speed = Speed { mflops: 1, memory_mib_s: 1, disk_mib_s: 1, fuel_ms };
    Box::new(Profile { speed: Some(speed), ..Profile::default() })
}

fn begin(nodes: usize, config: Config) -> (World, Vec<PublicKey>) {
    let owners: Vec<u8> = (0..nodes as u8).collect();
    let mut world = World::scored(&vec![Honest; nodes], &owners, config);
    world.connect_all();
    let others = world.workers.keys().copied().filter(|node| *node != world.me()).collect();
    (world, others)
}

fn fast(world: &mut World, node: PublicKey, fuel_ms: u64) {
    world.step(Input::Profile { node, profile: profile(fuel_ms), rtt_ms: Some(1) });
}

#[test]
fn the_best_node_is_first_and_the_others_are_drawn_beside_its_party() {
    let weights = Weights { speed: 1_000, ..Weights::DRAWN };
    let (mut world, others) = begin(5, Config { weights, ..Config::default() });
    for (node, fuel_ms) in others.iter().zip([10, 5_000, 300, 20]) {
        fast(&mut world, *node, fuel_ms);
    }
    let job = world.submit(8, "2of3");
    for task in 0..8 {
        let view = world.work.placement(&job, TaskIndex(task)).unwrap();
        assert_eq!((view.scored, view.first), (true, Some(others[1])));
        assert_eq!(view.nodes[0].score.speed, 1_000);
        assert_eq!(view.nodes[0].node, others[1]);
    }
    world.finish(job);
    for task in 0..8 {
        let settled = world.settled(job, task);
        assert_eq!(settled.first, Some(others[1]));
        let walk: Vec<_> = world.walk(job, task);
        let drawn = walk.iter().find(|node| **node != others[1]).unwrap();
        let expected = BTreeSet::from([others[1], *drawn]);
        assert_eq!(settled.executors.iter().copied().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn tasks_that_burn_next_to_nothing_say_nothing_of_how_fast_a_node_is() {
    let (mut world, others) = begin(4, Config::default());
    for node in &others {
        fast(&mut world, *node, 2_000_000);
    }
    let job = world.submit(40, "single");
    world.now = world.now.after_ms(100);
    world.finish(job);
    for node in &others {
        let view = world.work.node(node).unwrap();
        assert!(view.conduct.completed > 0, "it ran some");
        assert_eq!(view.fuel_ms, Some(2_000_000));
    }
}

#[test]
fn of_a_sealed_job_nobody_goes_by_score() {
    let (mut world, others) = begin(4, Config::default());
    fast(&mut world, others[0], 1 << 40);
    let job = world.seal(6, "2of3".parse().unwrap());
    world.finish(job);
    for task in 0..6 {
        assert_eq!(world.settled(job, task).first, None);
        let executors: BTreeSet<_> = world.settled(job, task).executors.iter().copied().collect();
        assert_eq!(executors, world.walk(job, task)[..2].iter().copied().collect());
    }
}

#[test]
fn the_load_spreads_over_nodes_that_are_alike() {
    let (mut world, _) = begin(4, Config::default());
    world.submit(40, "single");
    for node in world.work.nodes() {
        assert!((4..=20).contains(&node.slots_used), "{}", node.slots_used);
    }
}

#[test]
fn the_only_replica_that_is_lost_is_given_to_another_node() {
    let (mut world, others) = begin(3, Config::default());
    fast(&mut world, others[0], 1 << 40);
    let job = world.submit(1, "single");
    let (_, _, first) = world.started()[0];
    assert_eq!(first, others[0]);
    world.disconnect(first);
    world.finish(job);
    let settled = world.settled(job, 0);
    assert_ne!(settled.executors, [first]);
    assert_eq!((settled.first, settled.skipped.len()), (Some(settled.executors[0]), 0));
    assert_eq!(world.work.conduct(&first).unwrap().lost, 1);
}

#[test]
fn a_first_that_is_lost_leaves_the_task_to_the_draw() {
    for lost in 0..2 {
        let (mut world, others) = begin(5, Config::default());
        others.iter().for_each(|node| fast(&mut world, *node, 1 << 40));
        let job = world.submit(1, "2of3");
        let (_, _, node) = world.started()[lost];
        if node == world.me() {
            continue;
        }
        world.workers.get_mut(&node).unwrap().manner = Mute;
        world.finish(job);
        assert!(world.is_final(job, 0));
        let settled = world.settled(job, 0);
        assert!(!settled.executors.contains(&node));
        assert_eq!(settled.first.is_some(), lost == 1);
    }
}

#[test]
fn a_task_that_nobody_can_run_ends_after_so_many_nodes_with_its_history() {
    for verification in ["single", "2of3"] {
        let unable = Unable(NoResult::HostFailure);
        let config = Config { poison: 3, ..Config::default() };
        let mut world = World::scored(&[unable; 6], &[0, 1, 2, 3, 4, 5], config);
        world.connect_all();
        let job = world.submit(1, verification);
        world.finish(job);
        assert_eq!(world.why(job, 0), Some(Unsettled::Poison), "{verification}");
        let left = world.work.job(&job).unwrap().left(TaskIndex(0)).unwrap().clone();
        assert_eq!(left.no_results.len(), 3, "{left:?}");
        let asked: Vec<_> = world.started().iter().map(|(_, _, node)| *node).collect();
        assert!(asked.len() <= 4, "one more was at it: {asked:?}");
        assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len(), "never the same");
    }
}

/// Runs a job of tiny tasks, so that it is known how long they take, and gives one task more to a
/// node that does not answer.
fn long() -> (World, JobId, PublicKey, PublicKey) {
    let (mut world, others) = begin(3, Config::default());
    let warm = world.submit(60, "single");
    world.finish(warm);
    world.store(warm);
    let slow = others[0];
    fast(&mut world, slow, 1 << 40);
    let job = world.submit(1, "single");
    let (_, _, first) = *world.started().last().unwrap();
    let kept =
        world.letters.iter().filter(|l| matches!(l, Letter::ToWorker(to, _) if *to == first));
    assert_eq!(kept.count(), 1);
    (world, job, first, slow)
}

#[test]
fn what_takes_long_gets_a_copy_and_whoever_commits_first_is_the_one() {
    for paid in [true, false] {
        let (mut world, job, first, _) = long();
        let held = std::mem::take(&mut world.letters);
        world.tick();
        let (_, _, copy) = *world.started().last().unwrap();
        assert_ne!(copy, first, "another node has it too");
        assert_eq!(world.work.totals().copies, 1);
        if paid {
            world.settle();
            world.letters.extend(held);
        } else {
            let copies = std::mem::replace(&mut world.letters, held);
            world.settle();
            world.letters.extend(copies);
        }
        world.finish(job);
        let winner = if paid { copy } else { first };
        assert_eq!(world.settled(job, 0).executors, [winner]);
        assert_eq!(world.work.totals().copies_paid, u64::from(paid));
        let slots: u32 = world.work.nodes().map(|node| node.slots_used).sum();
        assert_eq!(slots, 0, "nothing is held");
    }
}

#[test]
fn a_copy_that_is_lost_leaves_the_task_to_the_first_and_the_other_way_round() {
    for lose_first in [true, false] {
        let (mut world, job, first, _) = long();
        let held = std::mem::take(&mut world.letters);
        world.tick();
        let (_, _, copy) = *world.started().last().unwrap();
        let copies = std::mem::take(&mut world.letters);
        let (lost, letters, winner) =
            if lose_first { (first, copies, copy) } else { (copy, held, first) };
        if lost == world.me() {
            continue;
        }
        world.disconnect(lost);
        world.tick_until(world.now.after_ms(Config::default().grace_ms));
        world.letters.extend(letters);
        world.finish(job);
        assert_eq!(world.settled(job, 0).executors, [winner]);
    }
}

#[test]
fn strange_conduct_is_counted_and_costs_a_node_its_standing() {
    let (mut world, others) = begin(3, Config::default());
    let me = world.me();
    // The home burns one unit of fuel in a millisecond: nobody burns more than twenty.
    fast(&mut world, me, 1);
    let job = world.submit(12, "2of3");
    let mut before = None;
    while let Some(letter) = world.letters.pop_front() {
        // One node says everything twice.
        if let Letter::ToHome(node, ToHome::Committed(_)) = &letter
            && *node == others[0]
            && before.is_none()
        {
            before = Some(letter.clone());
            world.deliver(letter.clone());
        }
        world.deliver(letter);
    }
    assert!(before.is_some());
    assert!(world.work.conduct(&others[0]).unwrap().repeated > 0);
    assert!(world.work.nodes().any(|node| node.conduct.impossible > 0));
    world.finish(job);
    // It speaks of a job in which it has no replica of these tasks.
    let Some(Letter::ToHome(_, ToHome::Committed(batch))) = before else { panic!("said") };
    let other = world.submit(1, "single");
    let mut leaves = batch.leaves.clone();
    leaves.truncate(1);
    let key = crate::world::key(2, 1);
    let batch = protocol::CommitBatch::sign(other, leaves, world.network, &key);
    world.step(Input::Committed { node: key.public(), batch });
    let conduct = *world.work.conduct(&key.public()).unwrap();
    assert_eq!(conduct.foreign, 1);
    let view = world.work.node(&key.public()).unwrap();
    assert!(view.history < 1_000, "{}", view.history);
    assert_eq!(world.work.conduct(&PublicKey([9; 32])), None, "of strangers nothing is kept");
}

#[test]
fn a_node_that_takes_over_leads_from_its_own_place() {
    let (mut world, others) = begin(3, Config::default());
    let job = world.submit(9, "2of3");
    world.letters.clear();
    let by = others[0];
    world.up.iter_mut().for_each(|(node, up)| *up = *node == by);
    world.step(Input::Led { by });
    let told = |letter: &Letter| matches!(letter, Letter::ToWorker(to, ToWorker::Assign { .. }) if *to == by);
    assert!(world.letters.iter().any(told), "it is told what it has");
    assert!(world.work.node(&by).unwrap().connected);
    world.connect_all();
    world.finish(job);
    assert!((0..9).all(|task| world.is_final(job, task)));
}

#[test]
fn a_task_that_waits_for_the_next_best_node_does_not_wait_for_ever_when_that_goes_away() {
    let config = Config { node_tasks: 1, ..Config::default() };
    let (mut world, others) = begin(3, config);
    let node = world.me();
    world.step(Input::Cordon { node, reason: Some("only the others".into()) });
    let jobs = [world.submit(1, "single"), world.submit(1, "single")];
    world.letters.clear();
    for lost in &others {
        // The first one's task waits for the second one, which has something to do.
        world.disconnect(*lost);
        world.tick_until(world.now.after_ms(Config::default().grace_ms));
    }
    world.connect(others[0]);
    for job in jobs {
        world.finish(job);
        assert!(world.is_final(job, 0));
        assert_eq!(world.settled(job, 0).executors, [others[0]]);
    }
}

#[test]
fn a_node_with_more_cores_is_given_more_before_others_are_asked() {
    let config = Config { node_tasks: 32, ..Config::default() };
    let (mut world, others) = begin(3, config);
    let cores = |cores| Box::new(Profile { cores, memory_bytes: 1 << 40, ..Profile::default() });
    let me = world.me();
    for (node, cores) in [(me, cores(2)), (others[0], cores(16)), (others[1], cores(2))] {
        world.step(Input::Profile { node, profile: cores, rtt_ms: Some(1) });
    }
    world.submit(16, "single");
    let used = |world: &World, node: &PublicKey| world.work.node(node).unwrap().slots_used;
    let (home, large) = (used(&world, &me), used(&world, &others[0]));
    assert!(home <= 6 && large >= 8, "{home} and {large}");
}

#[test]
fn a_first_replica_whose_outcome_has_no_room_ends_without_agreement_too() {
    let (mut world, _) =
        begin(4, Config { outcome_bytes: 10, outcome_task_bytes: 0, ..Config::default() });
    let job = world.submit(8, "single");
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::NoCandidates));
}

#[test]
fn tasks_that_lost_their_replica_go_on_however_many_are_at_work() {
    let broken = Unable(NoResult::HostFailure);
    let config = Config { open_tasks: 8, open_least: 1, poison: 9, ..Config::default() };
    let mut world = World::scored(&[broken, broken, broken, Honest], &[0, 1, 2, 3], config);
    let honest = key(2, 3).public();
    let others: Vec<_> = world.workers.keys().copied().filter(|node| *node != honest).collect();
    others.into_iter().for_each(|node| world.connect(node));
    let job = world.submit(60, "single");
    world.settle();
    let progress = world.work.job(&job).unwrap().progress();
    assert_eq!((progress.running, progress.waiting), (8, 52), "{progress:?}");
    world.connect(honest);
    world.finish(job);
    assert!((0..60).all(|task| world.is_final(job, task)));
}
