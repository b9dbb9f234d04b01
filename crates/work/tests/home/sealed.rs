//! Orders that go on the ledger before anybody is drawn.

use crate::{
    worker::Manner::Honest,
    world::{LIFETIME_MS, Letter, World},
};
use identity::Digest;
use protocol::{Height, JobEvent, JobId, Roster, Unsettled, Verification};
use work::{Config, Input, TaskStatus};

const TWO_OF_THREE: Verification = Verification { k: 2, n: 3 };

fn begin(nodes: usize) -> (World, JobId) {
    let mut world = World::new(&vec![Honest; nodes]);
    world.connect_all();
    let job = world.seal(3, TWO_OF_THREE);
    (world, job)
}

fn orders(world: &World) -> usize {
    world.letters.iter().filter(|letter| matches!(letter, Letter::Order(_))).count()
}

fn drawn_events(world: &World) -> Vec<Height> {
    let drawn = |(_, event): &(_, JobEvent)| match event {
        JobEvent::Drawn { drawn } => Some(*drawn),
        _ => None,
    };
    world.events.iter().filter_map(drawn).collect()
}

#[test]
fn a_sealed_order_is_drawn_by_the_beacon_after_it() {
    let (mut world, job) = begin(5);
    let record = world.work.job(&job).unwrap();
    assert_eq!((record.drawn(), record.beacon()), (None, None));
    let waits = |task| matches!(world.status(job, task), TaskStatus::Waiting);
    assert!((0..3).all(waits), "nobody is asked");
    assert_eq!(world.work.sealed(), [job]);
    assert!(matches!(world.events[0].1, JobEvent::Admitted { drawn: None, .. }));
    world.beacon = Digest([8; 32]);
    world.finish(job);
    let (drawn, beacon, _) = world.ledger.draws[&job].clone();
    let record = world.work.job(&job).unwrap();
    assert_eq!((record.drawn(), record.beacon()), (Some(drawn), Some(beacon)));
    assert_eq!(drawn_events(&world), [drawn]);
    assert_eq!(world.work.sealed(), []);
    for task in 0..3 {
        let mut executors = world.settled(job, task).executors.clone();
        executors.sort_by_key(|node| world.walk(job, task).iter().position(|n| n == node));
        assert_eq!(executors, world.walk(job, task)[..2]);
    }
    world.store(job);
    assert_eq!(world.work.next_deadline(), None);
}

#[test]
fn the_order_is_mentioned_until_it_is_drawn() {
    let (mut world, job) = begin(5);
    assert_eq!(orders(&world), 1);
    world.letters.clear();
    for mentioned in 1..4 {
        world.tick();
        assert_eq!(orders(&world), mentioned);
    }
    world.restart();
    assert_eq!(orders(&world), 1, "who leads next says it again");
    assert_eq!(world.work.sealed(), [job]);
    world.connect_all();
    world.finish(job);
    assert_eq!(orders(&world), 0);
    assert!((0..3).all(|task| world.is_final(job, task)));
}

#[test]
fn a_second_draw_changes_nothing() {
    let (mut world, job) = begin(5);
    let letter = world.letters.pop_front().unwrap();
    world.deliver(letter);
    let Some(Letter::FromLedger(drawn)) = world.letters.pop_front() else {
        panic!("the ledger answers");
    };
    let unknown = world.order(1, TWO_OF_THREE).payload.id();
    let other = |job| Input::Drawn {
        job,
        drawn: Height(99),
        beacon: Digest([99; 32]),
        roster: Roster::default(),
    };
    world.step(other(unknown));
    world.step(drawn.clone());
    let before = world.work.job(&job).cloned();
    world.step(drawn.clone());
    world.step(other(job));
    assert_eq!(world.work.job(&job).cloned(), before);
    assert_eq!(drawn_events(&world).len(), 1);
    world.finish(job);
    world.store(job);
    world.step(drawn);
    assert!(world.work.job(&job).is_none());
}

#[test]
fn an_order_that_was_drawn_at_once_is_not_drawn_again() {
    let mut world = World::new(&[Honest; 3]);
    world.connect_all();
    let job = world.submit(1, "2of3");
    let (beacon, roster) = (Digest([9; 32]), Roster::default());
    world.step(Input::Drawn { job, drawn: Height(50), beacon, roster });
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert_eq!(drawn_events(&world), []);
}

#[test]
fn a_sealed_order_can_be_cancelled_before_its_draw() {
    let (mut world, job) = begin(5);
    let late = std::mem::take(&mut world.letters);
    world.step(Input::Cancel { job });
    assert_eq!(world.why(job, 0), Some(Unsettled::Cancelled));
    assert_eq!(world.work.sealed(), []);
    world.check_end(job);
    world.letters.extend(late);
    world.settle();
    world.tick();
    assert_eq!(orders(&world), 0, "it is not mentioned any more");
    assert_eq!(world.why(job, 0), Some(Unsettled::Cancelled), "the draw comes too late");
    assert_eq!(drawn_events(&world), []);
    world.finish(job);
    world.store(job);
    assert_eq!(world.work.next_deadline(), None);
}

#[test]
fn nothing_is_left_of_a_sealed_order_that_was_cancelled() {
    let (mut world, job) = begin(5);
    world.step(Input::Cancel { job });
    world.store(job);
    assert!(world.work.job(&job).is_none());
    assert_eq!(world.work.next_deadline(), None);
}

#[test]
fn a_sealed_order_expires_when_the_ledger_does_not_answer() {
    let (mut world, job) = begin(5);
    let until = world.now.after_ms(LIFETIME_MS);
    while !world.finished.contains(&job) {
        world.letters.clear();
        world.tick();
    }
    assert_eq!(world.now, until);
    assert_eq!(world.why(job, 2), Some(Unsettled::Expired));
    world.check_end(job);
    world.store(job);
    assert_eq!(world.work.next_deadline(), None);
}

#[test]
fn a_sealed_order_takes_a_place_before_it_is_drawn() {
    let config = Config { jobs: 1, ..Config::default() };
    let mut world = World::with(&[Honest; 3], &[0, 1, 2], config);
    let job = world.seal(1, TWO_OF_THREE);
    assert!(world.work.room(1).is_err());
    let other = world.seal(1, TWO_OF_THREE);
    assert_eq!(world.refused, [other]);
    let again = world.work.job(&job).unwrap().order().clone();
    world.step(Input::Seal { order: again });
    assert_eq!(world.work.counts().repeated, 1);
}

#[test]
fn a_draw_among_too_few_parties_ends_the_job() {
    let (mut world, job) = begin(3);
    let nodes: Vec<_> = world.workers.keys().copied().collect();
    nodes[..2].iter().for_each(|node| {
        world.ledger.bar(node);
    });
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::NoCandidates));
}
