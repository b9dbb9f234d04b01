//! Orders that are held until other jobs have ended well.

use crate::{
    worker::Manner::{self, Failing, Honest},
    world::{LIFETIME_MS, Letter, World},
};
use objects::{Cid, Codec};
use protocol::{
    Height, JobEvent, JobId,
    Placement::{self, Fast, Sealed},
    Unsettled,
};
use work::{Input, TaskStatus};

fn world(manner: Manner) -> World {
    let mut world = World::new(&[manner; 5]);
    world.connect_all();
    world
}

/// A job, and one that is held for it. Nothing has happened yet.
fn pair(manner: Manner, placement: Placement) -> (World, JobId, JobId) {
    let mut world = world(manner);
    let first = world.submit(2, "2of3");
    let second = world.hold(2, placement, &[first]);
    (world, first, second)
}

fn held(world: &World, job: JobId) -> Vec<JobId> {
    world.work.job(&job).unwrap().held().copied().collect()
}

fn drawn(world: &World, job: JobId) -> Option<Height> {
    world.work.job(&job).unwrap().drawn()
}

fn told(world: &World, job: JobId) -> Vec<&JobEvent> {
    world.events.iter().filter(|(of, _)| *of == job).map(|(_, event)| event).collect()
}

/// How often somebody is asked to draw, or to order, a job.
fn asked(world: &World, job: JobId) -> usize {
    let about = |letter: &&Letter| match letter {
        Letter::Draw(other) | Letter::Order(other) => *other == job,
        _ => false,
    };
    world.letters.iter().filter(about).count()
}

#[test]
fn a_held_order_is_drawn_when_the_other_job_has_ended_well() {
    for placement in [Fast, Sealed] {
        let (mut world, first, second) = pair(Honest, placement);
        assert_eq!(held(&world, second), [first]);
        assert_eq!(asked(&world, second), 0);
        assert_eq!(world.work.sealed(), [], "it does not go on the ledger either");
        assert_eq!(drawn(&world, second), None);
        assert!(matches!(world.status(second, 0), TaskStatus::Waiting));
        world.finish(first);
        world.finish(second);
        assert_eq!(held(&world, second), []);
        assert!((0..2).all(|task| world.is_final(second, task)));
        let drawn = drawn(&world, second).expect("it was drawn");
        let events = told(&world, second);
        assert!(matches!(events[0], JobEvent::Admitted { drawn: None, .. }));
        assert_eq!(events[1], &JobEvent::Held { after: vec![first] });
        assert_eq!(events[2], &JobEvent::Drawn { drawn });
        world.store(first);
        world.store(second);
        assert_eq!(world.work.next_deadline(), None);
    }
}

#[test]
fn it_waits_for_every_one_of_them() {
    let mut world = world(Honest);
    let done = world.submit(1, "2of3");
    world.finish(done);
    world.store(done);
    let mut open = vec![world.submit(1, "2of3"), world.submit(1, "2of3")];
    open.sort();
    let job = world.hold(1, Fast, &[open[0], done, open[1], open[1]]);
    assert_eq!(held(&world, job), open);
    while held(&world, job).len() == 2 {
        let letter = world.letters.pop_front().expect("both jobs go on");
        world.deliver(letter);
    }
    assert_eq!(held(&world, job).len(), 1);
    assert_eq!(asked(&world, job), 0);
    world.finish(job);
    assert!(world.is_final(job, 0));
}

#[test]
fn what_has_ended_well_already_holds_nothing() {
    for stored in [false, true] {
        let mut world = world(Honest);
        let first = world.submit(1, "2of3");
        world.finish(first);
        if stored {
            world.store(first);
        }
        let second = world.hold(1, Fast, &[first]);
        assert_eq!(asked(&world, second), 1);
        assert!(!told(&world, second).iter().any(|event| matches!(event, JobEvent::Held { .. })));
        world.finish(second);
        assert!(world.is_final(second, 0));
    }
}

#[test]
fn a_job_that_ends_badly_ends_whatever_is_held_for_it() {
    let (mut world, first, second) = pair(Failing, Fast);
    let third = world.hold(1, Sealed, &[second]);
    world.finish(first);
    assert!(world.is_final(first, 0), "its failure is agreed on");
    for (job, other) in [(second, first), (third, second)] {
        assert_eq!(world.why(job, 0), Some(Unsettled::After(other)));
        assert_eq!(held(&world, job), []);
        world.check_end(job);
    }
    world.store(first);
    let late = world.hold(1, Fast, &[first]);
    assert_eq!(world.why(late, 0), Some(Unsettled::After(first)), "also one that comes later");
    [second, third, late].into_iter().for_each(|job| world.store(job));
    assert_eq!(world.work.next_deadline(), None);
}

#[test]
fn a_job_that_is_taken_back_ends_whatever_is_held_for_it() {
    let (mut world, first, second) = pair(Honest, Fast);
    world.step(Input::Cancel { job: first });
    assert_eq!(world.why(second, 1), Some(Unsettled::After(first)));
    world.check_end(second);
}

#[test]
fn nothing_is_held_for_a_job_that_nobody_knows() {
    let mut world = world(Honest);
    let unknown = JobId(Cid::of(Codec::Raw, b"no job"));
    let job = world.hold(1, Fast, &[unknown]);
    assert_eq!(world.why(job, 0), Some(Unsettled::After(unknown)));
    let mut order = world.order(1, "2of3".parse().unwrap());
    order.payload.placement = Fast;
    let itself = order.payload.id();
    world.step(Input::Hold { order, after: vec![itself] });
    assert_eq!(world.why(itself, 0), Some(Unsettled::After(itself)));
}

#[test]
fn a_restart_loses_neither_the_wait_nor_the_draw() {
    for placement in [Fast, Sealed] {
        let (mut world, first, second) = pair(Honest, placement);
        world.restart();
        assert_eq!(held(&world, second), [first]);
        assert_eq!(asked(&world, second), 0);
        world.connect_all();
        while held(&world, second) == [first] {
            let letter = world.letters.pop_front().expect("the first job goes on");
            world.deliver(letter);
        }
        assert_eq!(asked(&world, second), 1);
        world.restart();
        assert_eq!(asked(&world, second), 1, "who leads next says it again");
        world.letters.clear();
        world.tick();
        world.connect_all();
        world.finish(second);
        assert!(world.is_final(second, 0));
    }
}

#[test]
fn a_held_order_expires_like_any_other() {
    let mut world = World::new(&[Manner::Mute; 5]);
    let mut order = world.order(1, "2of3".parse().unwrap()).payload;
    order.expires = order.expires.after_ms(1_000);
    let later = world.sign(order);
    let first = world.submit_order(later);
    let second = world.hold(1, Fast, &[first]);
    let until = world.now.after_ms(LIFETIME_MS);
    world.tick_until(until);
    assert_eq!(world.why(second, 0), Some(Unsettled::Expired));
    assert_eq!(held(&world, second), []);
    world.check_end(second);
}

#[test]
fn a_held_order_that_is_taken_back_stays_so() {
    let (mut world, first, second) = pair(Honest, Fast);
    world.step(Input::Cancel { job: second });
    assert_eq!(world.why(second, 0), Some(Unsettled::Cancelled));
    world.finish(first);
    assert_eq!(world.why(second, 0), Some(Unsettled::Cancelled));
    assert_eq!(asked(&world, second), 0);
    world.check_end(second);
}

#[test]
fn a_draw_that_nobody_asked_for_is_ignored() {
    let (mut world, first, second) = pair(Honest, Fast);
    let (height, beacon, roster) = world.ledger.draw(second, world.beacon);
    world.step(Input::Drawn { job: second, drawn: height, beacon, roster });
    assert_eq!(drawn(&world, second), None);
    assert_eq!(held(&world, second), [first]);
}
