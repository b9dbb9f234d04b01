//! A home that goes on from a state that is older than what it put on the ledger.

use crate::{
    worker::Manner::Honest,
    world::{Letter, World},
};
use protocol::{Agreements, Height, JobId, Tx, Unsettled};
use work::{Input, Progress, Work};

const TASKS: u32 = 12;

/// What was put on the ledger.
struct Before {
    job: JobId,
    /// The state as it was when the job was admitted.
    admitted: Work,
    agreements: Vec<(Agreements, Height)>,
}

/// Runs a job, until so many tasks are final or the end.
fn run(world: &mut World, most: usize) -> Before {
    world.connect_all();
    let job = world.submit(TASKS, "2of3");
    let admitted = world.work.clone();
    let mut agreements = Vec::new();
    while world.ledger.finals.len() < most {
        let Some(letter) = world.letters.pop_front() else { break };
        if let Letter::ToLedger(offered) = &letter {
            agreements.push((**offered).clone());
        }
        world.deliver(letter);
    }
    let height = |a: Agreements| {
        let height = world.ledger.accepted[&Tx::Agree(Box::new(a.clone())).digest()];
        (a, height)
    };
    Before { job, admitted, agreements: agreements.into_iter().map(height).collect() }
}

/// Another process with that state.
fn restore(world: &mut World, work: Work) {
    world.work = work;
    world.letters.clear();
    world.events.clear();
    world.restart();
    world.connect_all();
}

fn find(world: &mut World, before: &Before) {
    for (agreements, height) in &before.agreements {
        let agreements = Box::new(agreements.clone());
        world.step(Input::Found { agreements, height: *height });
    }
}

#[test]
fn what_is_on_the_ledger_is_not_offered_again_and_counts() {
    for most in [1, 5, TASKS as usize] {
        let mut world = World::new(&[Honest; 4]);
        let before = run(&mut world, most);
        let finals = world.ledger.finals.len();
        assert!(finals >= most.min(TASKS as usize));
        restore(&mut world, before.admitted.clone());
        find(&mut world, &before);
        // The ledger of this test breaks if it is offered a task twice.
        world.finish(before.job);
        let record = world.work.job(&before.job).unwrap();
        assert_eq!(record.progress(), Progress { settled: TASKS, ..Progress::default() });
        assert_eq!(world.ledger.finals.len(), TASKS as usize);
        let included = record.included();
        for (agreements, height) in &before.agreements {
            let mut same = included.iter().filter(|i| i.agreements == *agreements);
            assert_eq!(same.next().map(|included| included.height), Some(*height));
        }
        let tasks: usize = included.iter().map(|i| i.agreements.tasks.len()).sum();
        assert_eq!(tasks, TASKS as usize, "each task in one transaction");
    }
}

#[test]
fn what_was_offered_before_it_was_found_is_withdrawn() {
    let mut world = World::new(&[Honest; 4]);
    let before = run(&mut world, 5);
    restore(&mut world, before.admitted.clone());
    // The ledger refuses what has a task that is final, in silence.
    while let Some(letter) = world.letters.pop_front() {
        if !matches!(letter, Letter::ToLedger(_)) {
            world.deliver(letter);
        }
    }
    let agreed = world.work.job(&before.job).unwrap().progress().agreed;
    assert!(agreed > 0);
    find(&mut world, &before);
    world.restart();
    world.connect_all();
    find(&mut world, &before);
    world.finish(before.job);
    let record = world.work.job(&before.job).unwrap();
    assert_eq!(record.progress(), Progress { settled: TASKS, ..Progress::default() });
}

#[test]
fn a_job_ends_although_it_is_not_known_any_more_what_final_tasks_gave() {
    let mut world = World::new(&[Honest; 4]);
    let before = run(&mut world, 5);
    restore(&mut world, before.admitted.clone());
    find(&mut world, &before);
    world.step(Input::Cancel { job: before.job });
    world.settle();
    while !world.finished.contains(&before.job) {
        world.tick();
        world.settle();
    }
    let record = world.work.job(&before.job).unwrap();
    assert_eq!(record.progress(), Progress { unsettled: TASKS, ..Progress::default() });
    let known = [Unsettled::Cancelled, Unsettled::RefusedByLedger];
    assert!(record.unsettled().iter().all(|(_, why)| known.contains(why)));
}
