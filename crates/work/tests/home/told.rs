//! What is told to whoever asks why a task is where it is, and where the time goes.

use crate::{
    worker::Manner::{Honest, Mute, Unable},
    world::{WALL_MS, World},
};
use protocol::{NoResult, TaskIndex, draw::SkipReason};
use work::{Config, ReplicaStatus};

const TASK: TaskIndex = TaskIndex(0);

#[test]
fn of_a_silent_replica_it_is_told_when_it_counts_as_lost_and_then_it_does() {
    let mut world = World::new(&[Honest, Mute]);
    world.connect_all();
    let began = world.now;
    let job = world.submit(1, "2of2");
    world.settle();
    let view = world.work.view(&job, TASK).unwrap();
    let silent = view.replicas.iter().find(|replica| replica.node != world.me()).unwrap();
    assert_eq!((silent.status, silent.since), (ReplicaStatus::Assigned, began));
    let due = silent.due.unwrap();
    assert_eq!(due, began.after_ms(WALL_MS + Config::default().lease_ms));
    let answered = view.replicas.iter().find(|replica| replica.node == world.me()).unwrap();
    assert_eq!((answered.status, answered.due), (ReplicaStatus::Committed, None));

    world.tick_until(due);
    let lost = world.work.view(&job, TASK).unwrap();
    assert!(lost.replicas.iter().any(|replica| replica.status == ReplicaStatus::Lost));
    assert!(lost.retry.is_some(), "it is said when it is asked again");
}

#[test]
fn whose_turn_it_is_and_who_has_no_room_is_told() {
    let config = Config { node_tasks: 1, ..Config::default() };
    let mut world = World::with(&[Honest; 2], &[0, 1], config);
    world.connect_all();
    let job = world.submit(2, "2of2");
    let second = world.work.view(&job, TaskIndex(1)).unwrap();
    assert_eq!(second.awaited.len(), 2, "{second:?}");
    assert!(second.replicas.is_empty());
    world.finish(job);
    assert_eq!(world.work.view(&job, TASK), None, "it waits for nothing");
}

#[test]
fn why_nodes_have_no_result_is_kept_as_long_as_the_job_is_known() {
    let mut world = World::new(&[Honest, Unable(NoResult::BadProgram), Mute]);
    world.connect_all();
    let unable = world.workers.values().find(|w| w.manner == Unable(NoResult::BadProgram));
    let unable = unable.unwrap().public();
    let job = world.submit(1, "3of3");
    world.settle();
    let view = world.work.view(&job, TASK).unwrap();
    let said = view.replicas.iter().find(|replica| replica.node == unable).unwrap();
    assert_eq!(said.no_result, Some(NoResult::BadProgram));

    world.step(work::Input::Cancel { job });
    world.settle();
    let left = world.work.job(&job).unwrap().left(TASK).unwrap().clone();
    assert_eq!(left.no_results, [(unable, NoResult::BadProgram)]);
    assert!(left.skipped.iter().any(|s| s.node == unable && s.reason == SkipReason::NoResult));
    assert_eq!(left.silent.len(), 1);
    world.store(job);
    assert_eq!(world.work.finished().last().unwrap().left, [left]);
}

#[test]
fn the_milestones_of_a_job_come_in_order_and_survive_its_end() {
    let mut world = World::new(&[Honest; 3]);
    world.connect_all();
    let job = world.submit(3, "2of3");
    world.settle();
    world.finish(job);
    let record = world.work.job(&job).unwrap();
    let times = record.times();
    let (first, agreed) = (times.first_commit.unwrap(), times.agreed.unwrap());
    assert!(record.admitted() <= first && first <= agreed && agreed <= times.settled.unwrap());
    let task = record.times_of(TASK);
    assert!(task.began.unwrap() <= task.agreed.unwrap());
    assert_eq!(record.offered(), None, "the ledger has them all");
    world.store(job);
    assert_eq!(world.work.finished().last().unwrap().times, times);
}

#[test]
fn agreements_are_offered_from_the_first_time_on_until_the_ledger_has_them() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    while let Some(letter) = world.letters.pop_front() {
        // The ledger stands.
        if !matches!(letter, crate::world::Letter::ToLedger(_)) {
            world.deliver(letter);
        }
    }
    let offered = world.work.job(&job).unwrap().offered();
    assert_eq!(offered, Some(world.now));
    world.tick();
    assert!(world.now > offered.unwrap(), "it is offered again");
    assert_eq!(world.work.job(&job).unwrap().offered(), offered);
}
