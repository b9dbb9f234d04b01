//! Who is served when there is less room than work.

use crate::{worker::Manner::Honest, world::World};
use proptest::prelude::*;
use protocol::{JobId, Priority, Terms, Time};
use std::collections::BTreeMap;
use work::{Config, Error, FAIR_TURN, Input, Quota};

/// Every so many turns one goes by who was served longest ago.
const FAIR: usize = FAIR_TURN as usize;

fn terms(priority: Priority, deadline: Option<u64>) -> Terms {
    Terms { priority, deadline: deadline.map(|ms| Time(1_000_000 + ms)), ..Terms::default() }
}

/// One node with one slot, that is busy with a job of one task.
fn busy() -> World {
    let config = Config { node_tasks: 1, ..Config::default() };
    let mut world = World::scored(&[Honest; 4], &[0, 1, 2, 3], config);
    world.submit(1, "single");
    world
}

/// Has everything done, and gives the jobs of the tasks in the order in which they were begun.
fn order(world: &mut World) -> Vec<JobId> {
    let before = world.started().len();
    world.settle();
    world.started()[before..].iter().map(|(job, ..)| *job).collect()
}

#[test]
fn what_is_urgent_overtakes_everything_that_was_not_given_out() {
    let mut world = busy();
    let slow = world.submit_as(1, (10, "single"), terms(Priority::Background, None));
    let fast = world.submit_as(2, (5, "single"), terms(Priority::Critical, None));
    assert_eq!(world.work.job(&slow).unwrap().progress().waiting, 10, "nothing was given out");
    let view = world.work.position(&slow).unwrap();
    assert_eq!((view.jobs_before, view.tasks_before), (1, 5));
    assert_eq!(order(&mut world), [vec![fast; 5], vec![slow; 10]].concat());
}

#[test]
fn in_one_class_the_earliest_deadline_goes_first_and_none_is_the_last() {
    let mut world = busy();
    let none = world.submit_as(1, (3, "single"), terms(Priority::Normal, None));
    let late = world.submit_as(1, (3, "single"), terms(Priority::Normal, Some(9_000)));
    let soon = world.submit_as(1, (3, "single"), terms(Priority::Normal, Some(5_000)));
    assert_eq!(order(&mut world), [vec![soon; 3], vec![late; 3], vec![none; 3]].concat());
}

#[test]
fn a_deadline_that_is_past_when_a_job_begins_does_not_keep_it_from_running() {
    let mut world = busy();
    let job = world.submit_as(1, (2, "single"), terms(Priority::Normal, Some(10)));
    world.now = world.now.after_ms(50);
    world.finish(job);
    assert!((0..2).all(|task| world.is_final(job, task)));
}

#[test]
fn what_others_are_held_for_is_as_urgent_as_they_are() {
    let mut world = busy();
    let first = world.submit_as(1, (2, "single"), terms(Priority::Low, None));
    let usual = world.submit_as(2, (2, "single"), Terms::default());
    let mut urgent = world.order(1, "single".parse().unwrap()).payload;
    urgent.terms = terms(Priority::Critical, None);
    let order_of_urgent = world.sign(urgent);
    world.step(Input::Hold { order: order_of_urgent, after: vec![first] });
    assert_eq!(world.work.position(&first).unwrap().priority, Priority::Critical);
    assert_eq!(order(&mut world)[..4], [first, first, usual, usual]);
}

#[test]
fn submitters_with_as_much_to_do_get_as_much_done() {
    let config = Config { node_tasks: 4, ..Config::default() };
    let mut world = World::scored(&[Honest; 4], &[0, 1, 2, 3], config);
    world.submit(4, "single");
    // One has four jobs, the other has one.
    let many: Vec<_> =
        (0..4).map(|_| world.submit_as(1, (40, "single"), Terms::default())).collect();
    let one = world.submit_as(2, (40, "single"), Terms::default());
    let order = order(&mut world);
    let of_one = order[..64].iter().filter(|job| **job == one).count();
    assert!((28..=36).contains(&of_one), "{of_one} of 64");
    assert!(many.iter().all(|job| order.contains(job)));
}

#[test]
fn a_quota_of_replicas_holds_back_what_is_over_it_until_something_ends() {
    let quota = Quota { replicas: 2, ..Quota::default() };
    let config = Config { quota, ..Config::default() };
    let mut world = World::scored(&[Honest], &[0], config);
    let job = world.submit(7, "single");
    assert_eq!(world.work.job(&job).unwrap().progress().running, 2);
    assert!(world.work.position(&job).unwrap().capped);
    let submitter = world.work.job(&job).unwrap().order().by;
    assert_eq!(world.work.usage(&submitter).replicas, 2);
    let more = Some(Quota { replicas: 5, ..quota });
    world.step(Input::Quota { submitter, quota: more });
    assert_eq!(world.work.job(&job).unwrap().progress().running, 5);
    world.finish(job);
    assert!((0..7).all(|task| world.is_final(job, task)));
}

#[test]
fn what_is_over_a_quota_is_refused_with_its_reason_before_anything_runs() {
    let quota = Quota { jobs: 2, tasks: 10, replicas: 100 };
    let mut world = World::scored(&[Honest], &[0], Config { quota, ..Config::default() });
    let job = world.submit(4, "single");
    let submitter = world.work.job(&job).unwrap().order().by;
    let now = world.now;
    let said = |world: &World, tasks, deadline| {
        world.work.room_for(&submitter, tasks, (now, deadline)).unwrap_err()
    };
    assert_eq!(said(&world, 7, None), Error::QuotaOfTasks { live: 4, allowed: 10 });
    let deadline = Time(now.0 - 1);
    assert_eq!(said(&world, 1, Some(deadline)), Error::Deadline { deadline });
    world.submit(1, "single");
    assert_eq!(said(&world, 1, None), Error::QuotaOfJobs { live: 2, allowed: 2 });
    let other = world.submit(1, "single");
    assert_eq!(world.refused, [other], "the mind refuses it as well");
    assert!(said(&world, 1, None).to_string().contains("cancel one"));
}

#[test]
fn an_urgent_job_begins_although_others_have_taken_everything_that_may_be_open() {
    let config = Config { open_tasks: 20, open_least: 3, ..Config::default() };
    let mut world = World::with(&[Honest; 3], &[0, 1, 2], config);
    world.connect_all();
    let slow = world.submit_as(1, (100, "2of3"), terms(Priority::Background, None));
    assert_eq!(world.work.job(&slow).unwrap().progress().running, 20);
    let fast = world.submit_as(2, (100, "2of3"), terms(Priority::Critical, None));
    assert_eq!(world.work.job(&fast).unwrap().progress().running, 3);
    let totals = world.work.totals();
    assert_eq!((totals.running, totals.queued), (23, 177));
    assert_eq!(totals.queued_by_priority, [97, 0, 0, 0, 80]);
    world.finish(fast);
    world.finish(slow);
}

#[test]
fn drawn_replicas_that_wait_for_a_node_come_in_the_same_order() {
    let config = Config { node_tasks: 1, ..Config::default() };
    let mut world = World::with(&[Honest; 2], &[0, 1], config);
    world.connect_all();
    let low = world.submit_as(0, (6, "2of2"), terms(Priority::Low, None));
    let high = world.submit_as(1, (6, "2of2"), terms(Priority::High, None));
    let begun = order(&mut world);
    let last = begun.iter().rposition(|job| *job == high).unwrap();
    let low_before = begun[..last].iter().filter(|job| **job == low).count();
    // One task of it was given out before, and one turn of sixteen is its own.
    assert!(low_before <= 3, "{low_before}");
}

#[derive(Clone, Debug)]
struct Wanted {
    owner: u8,
    tasks: u32,
    priority: Priority,
    deadline: Option<u64>,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let deadline = prop::option::of(prop::sample::select(vec![1_000_u64, 2_000, 3_000]));
    (0_u8..4, 1_u32..40, priority, deadline).prop_map(|(owner, tasks, priority, deadline)| Wanted {
        owner,
        tasks,
        priority,
        deadline,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// In every turn but one of sixteen nobody less urgent goes first, nor anybody with a later
    /// deadline among equals; and with so many jobs nobody waits longer than sixteen turns for each.
    #[test]
    fn the_order_holds_and_nobody_starves(wanted in prop::collection::vec(wanted(), 1..8)) {
        let mut world = busy();
        let mut left = BTreeMap::new();
        for Wanted { owner, tasks, priority, deadline } in &wanted {
            let job = world.submit_as(*owner, (*tasks, "single"), terms(*priority, *deadline));
            left.insert(job, (*tasks, (*priority, deadline.unwrap_or(u64::MAX))));
        }
        let order = order(&mut world);
        prop_assert_eq!(order.len() as u32, wanted.iter().map(|w| w.tasks).sum::<u32>());
        let mut out_of_turn = vec![];
        let mut waits: BTreeMap<JobId, usize> = BTreeMap::new();
        let jobs = wanted.len();
        for (at, job) in order.iter().enumerate() {
            let best = left.values().filter(|(tasks, _)| *tasks > 0).map(|(_, rank)| *rank).min();
            if Some(left[job].1) != best {
                out_of_turn.push(at);
            }
            left.get_mut(job).unwrap().0 -= 1;
            for (other, (tasks, _)) in &left {
                let wait = waits.entry(*other).or_default();
                *wait = if other == job || *tasks == 0 { 0 } else { *wait + 1 };
                prop_assert!(*wait <= FAIR * jobs, "{wait} turns with {jobs} jobs");
            }
        }
        prop_assert!(out_of_turn.windows(2).all(|pair| pair[1] - pair[0] >= FAIR), "{out_of_turn:?}");
    }
}
