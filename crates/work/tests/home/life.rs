//! The plain life of a job.

use crate::{
    worker::Manner::{self, Honest, Unable},
    world::{Letter, World},
};
use protocol::{JobEvent, NoResult, TaskIndex, Time, ToWorker, Unsettled, draw::SkipReason};
use work::{Config, Input, TaskStatus};

#[test]
fn two_of_three_agree_and_the_ledger_has_it() {
    let mut world = World::new(&[Honest; 5]);
    world.connect_all();
    let job = world.submit(3, "2of3");
    world.finish(job);
    for task in 0..3 {
        assert!(world.is_final(job, task));
        let expected = &world.walk(job, task)[..2];
        let mut kept = world.kept[&(job, TaskIndex(task))].clone();
        kept.sort_by_key(|node| expected.iter().position(|other| other == node));
        assert_eq!(kept, expected, "the first two candidates ran it");
    }
    world.store(job);
    assert!(world.work.job(&job).is_none());
    let summary = world.work.finished().last().unwrap();
    assert_eq!((summary.job, summary.settled, summary.unsettled), (job, 3, 0));
    assert_eq!(world.work.next_deadline(), None, "nothing is left to wait for");
}

#[test]
fn events_tell_the_story_in_order() {
    let mut world = World::new(&[Honest; 3]);
    world.connect_all();
    let job = world.submit(1, "2of3");
    world.finish(job);
    world.store(job);
    let names: Vec<_> = world
        .events
        .iter()
        .map(|(_, event)| match event {
            JobEvent::Admitted { .. } => "admitted",
            JobEvent::Started { .. } => "started",
            JobEvent::Held { .. } => "held",
            JobEvent::Drawn { .. } => "drawn",
            JobEvent::Skipped { .. } => "skipped",
            JobEvent::Disputed { .. } => "disputed",
            JobEvent::Ruled { .. } => "ruled",
            JobEvent::Outcome { .. } => "outcome",
            JobEvent::Agreed { .. } => "agreed",
            JobEvent::Unsettled { .. } | JobEvent::UnsettledRange { .. } => "unsettled",
            JobEvent::Paused => "paused",
            JobEvent::Resumed => "resumed",
            JobEvent::Final { .. } => "final",
            JobEvent::Finished { .. } => "finished",
        })
        .collect();
    let story = ["admitted", "started", "started", "outcome", "agreed", "final", "finished"];
    assert_eq!(names, story);
}

#[test]
fn a_single_replica_is_enough_when_one_is_asked_for() {
    let mut world = World::new(&[Honest]);
    let job = world.submit(2, "single");
    world.finish(job);
    assert!(world.is_final(job, 0) && world.is_final(job, 1));
}

#[test]
fn two_connected_parties_are_enough_for_two_of_three() {
    for absent in 1..3 {
        let mut world = World::new(&[Honest; 3]);
        let nodes: Vec<_> = world.workers.keys().copied().filter(|n| *n != world.me()).collect();
        world.connect(nodes[absent - 1]);
        let job = world.submit(8, "2of3");
        world.finish(job);
        assert!((0..8).all(|task| world.is_final(job, task)));
    }
}

#[test]
fn machines_of_one_owner_do_not_count_twice() {
    let mut world = World::with(&[Honest; 4], &[0, 0, 1, 1], Config::default());
    world.connect_all();
    let job = world.submit(20, "2of2");
    world.finish(job);
    assert!((0..20).all(|task| world.is_final(job, task)));
    let job = world.submit(1, "3of3");
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::NoCandidates), "two parties are not three");
}

#[test]
fn those_who_have_no_result_are_asked_a_few_times_and_then_no_more() {
    let unable = Unable(NoResult::MissingObject);
    let mut world = World::new(&[Honest, unable, unable]);
    world.connect_all();
    let job = world.submit(1, "2of3");
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::NoCandidates));
    let asked = |(_, event): &&(_, JobEvent)| matches!(event, JobEvent::Started { .. });
    assert!(world.events.iter().filter(asked).count() <= 1 + 2 * 4);
    assert!(world.now.since_ms(Time(1_000_000)) < 60_000);
}

#[test]
fn the_busy_are_passed_over_and_asked_again_when_nobody_else_is_left() {
    let mut world = World::new(&[Honest, Honest, Unable(NoResult::Busy)]);
    world.connect_all();
    let job = world.submit(10, "3of3");
    world.settle();
    assert!(
        (0..10)
            .all(|task| matches!(world.status(job, task), TaskStatus::Running { short: true, .. }))
    );
    let busy = world.workers.values_mut().find(|w| w.manner != Honest).unwrap();
    busy.manner = Honest;
    world.finish(job);
    assert!((0..10).all(|task| world.is_final(job, task)));
}

#[test]
fn a_node_that_has_enough_to_do_is_waited_for_not_skipped() {
    let config = Config { node_tasks: 1, ..Config::default() };
    let mut world = World::with(&[Honest; 3], &[0, 1, 2], config);
    world.connect_all();
    let job = world.submit(12, "2of3");
    for (to, count) in assigned(&world) {
        assert_eq!(count, 1, "{to:?} was given more than one at a time");
    }
    world.finish(job);
    assert!((0..12).all(|task| world.is_final(job, task)));
    assert!(!world.events.iter().any(|(_, event)| matches!(event, JobEvent::Skipped { .. })));
}

fn assigned(world: &World) -> Vec<(identity::PublicKey, usize)> {
    let count = |letter: &Letter| match letter {
        Letter::ToWorker(to, ToWorker::Assign { replicas, .. }) => Some((*to, replicas.len())),
        _ => None,
    };
    world.letters.iter().filter_map(count).collect()
}

#[test]
fn orders_for_one_node_share_a_message() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    world.submit(20, "2of2");
    let assigned = assigned(&world);
    assert_eq!(assigned.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [20, 20]);
}

#[test]
fn a_cancelled_job_ends_but_what_was_agreed_on_stays() {
    let mut world = World::new(&[Honest, Honest, Manner::Mute]);
    world.connect_all();
    let job = world.submit(30, "2of3");
    world.settle();
    let agreed: Vec<_> = (0..30).filter(|task| world.is_final(job, *task)).collect();
    assert!(!agreed.is_empty() && agreed.len() < 30);
    world.step(Input::Cancel { job });
    let closed = world
        .letters
        .iter()
        .any(|letter| matches!(letter, Letter::ToWorker(_, ToWorker::Close { .. })));
    assert!(closed, "workers are told to stop");
    world.finish(job);
    for task in 0..30 {
        let expected = (!agreed.contains(&task)).then_some(Unsettled::Cancelled);
        assert_eq!(world.why(job, task), expected);
    }
}

#[test]
fn a_job_expires_when_nobody_comes() {
    let mut world = World::new(&[Honest; 3]);
    let job = world.submit(2, "2of3");
    let expires = world.work.job(&job).unwrap().order().payload.expires;
    world.settle();
    let TaskStatus::Running { replicas: 1, short: true, .. } = world.status(job, 0) else {
        panic!("{:?}", world.status(job, 0));
    };
    let skips = world.work.job(&job).unwrap().skips(TaskIndex(0));
    assert!(skips.iter().all(|skip| skip.reason == SkipReason::Offline));
    world.finish(job);
    assert_eq!(world.now, expires);
    assert_eq!(world.why(job, 0), Some(Unsettled::Expired));
    assert_eq!(world.why(job, 1), Some(Unsettled::Expired));
}

#[test]
fn a_finished_job_is_mentioned_until_its_receipt_is_stored() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    world.settle();
    assert_eq!(world.finished, [job]);
    world.tick();
    assert_eq!(world.finished, [job, job]);
    world.step(Input::Lead);
    assert_eq!(world.finished, [job, job, job]);
    world.store(job);
    world.store(job);
    let finished = |(_, event): &&(_, JobEvent)| matches!(event, JobEvent::Finished { .. });
    assert_eq!(world.events.iter().filter(finished).count(), 1);
}

#[test]
fn one_order_is_one_job_and_a_full_house_says_so() {
    let config = Config { jobs: 1, finished_jobs: 1, ..Config::default() };
    let mut world = World::with(&[Honest], &[0], config);
    let order = world.order(1, "single".parse().unwrap());
    world.submit_order(order.clone());
    let job = world.submit_order(order.clone());
    let other = world.submit(1, "single");
    assert_eq!(world.refused, [other]);
    assert!(world.work.room(1).is_err());
    world.finish(job);
    world.store(job);
    world.submit_order(order);
    assert!(world.work.job(&job).is_none(), "it is not run again");
    assert_eq!(world.work.counts().repeated, 2);
}
