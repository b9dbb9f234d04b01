//! Replicas that disagree, and what the home does until and after the validators have ruled.

use crate::{
    ledger::Validators,
    worker::{Manner, outcome_of},
    world::{Letter, World},
};
use identity::PublicKey;
use protocol::{
    Claim, JobEvent, JobId, OutcomeDigest, TaskIndex, ToHome, Unsettled,
    draw::{Skip, SkipReason},
};
use std::collections::BTreeSet;
use work::{Input, TaskStatus};

const TASK: TaskIndex = TaskIndex(0);

/// One task on so many owners; the candidates lie as listed, in the order of the draw.
pub(crate) fn begin(
    owners: usize,
    verification: &str,
    lies: &[u8],
) -> (World, JobId, Vec<PublicKey>) {
    let mut world = World::new(&vec![Manner::Honest; owners]);
    world.connect_all();
    let job = world.submit(1, verification);
    let walk = world.walk(job, 0);
    for (node, lie) in walk.iter().zip(lies).filter(|(_, lie)| **lie > 0) {
        world.workers.get_mut(node).unwrap().manner = Manner::Liar(*lie);
    }
    (world, job, walk)
}

pub(crate) fn truth(job: JobId) -> OutcomeDigest {
    outcome_of(job, TASK, 0).digest()
}

/// Delivers everything but what these nodes reveal, which is given back.
pub(crate) fn settle_but(world: &mut World, silent: &[PublicKey]) -> Vec<Letter> {
    let mut held = vec![];
    while let Some(letter) = world.letters.pop_front() {
        match &letter {
            Letter::ToHome(node, ToHome::Revealed { .. }) if silent.contains(node) => {
                held.push(letter);
            }
            _ => world.deliver(letter),
        }
    }
    held
}

fn claimants(claims: &[Claim]) -> Vec<PublicKey> {
    claims.iter().map(Claim::node).collect()
}

fn sorted(nodes: &[PublicKey]) -> Vec<PublicKey> {
    let mut nodes = nodes.to_vec();
    nodes.sort();
    nodes
}

fn executors(world: &World, job: JobId) -> BTreeSet<PublicKey> {
    world.settled(job, 0).executors.iter().copied().collect()
}

fn set(nodes: &[PublicKey]) -> BTreeSet<PublicKey> {
    nodes.iter().copied().collect()
}

fn disputed_events(world: &World) -> usize {
    let disputed = |(_, event): &&(_, JobEvent)| matches!(event, JobEvent::Disputed { .. });
    world.events.iter().filter(disputed).count()
}

fn rulings(world: &World) -> Vec<(Option<OutcomeDigest>, Vec<PublicKey>)> {
    let ruled = |(_, event): &(_, JobEvent)| match event {
        JobEvent::Ruled { outcome, refuted, .. } => Some((*outcome, refuted.clone())),
        _ => None,
    };
    world.events.iter().filter_map(ruled).collect()
}

#[test]
fn a_liar_is_named_by_the_verdict_and_the_others_agree() {
    for liar in 0..2 {
        let lies = if liar == 0 { [1, 0, 0] } else { [0, 1, 0] };
        let (mut world, job, walk) = begin(5, "2of3", &lies);
        world.finish(job);
        let honest = set(&[walk[1 - liar], walk[2]]);
        assert_eq!(executors(&world, job), honest);
        let settled = world.settled(job, 0);
        assert!(!settled.decided, "two agree: that is enough by itself");
        let refuted = Skip { node: walk[liar], reason: SkipReason::Refuted };
        assert_eq!(settled.skipped, [refuted]);
        let ruled = world.work.job(&job).unwrap().ruled();
        assert_eq!(ruled.len(), 1);
        assert_eq!(claimants(&ruled[0].claims), sorted(&walk[..3]));
        assert_eq!(rulings(&world), [(Some(truth(job)), vec![walk[liar]])]);
        assert_eq!(disputed_events(&world), 1);
        world.store(job);
        assert_eq!(world.work.next_deadline(), None);
    }
}

#[test]
fn every_task_of_a_liar_is_settled_without_it() {
    let manners = [Manner::Honest, Manner::Honest, Manner::Honest, Manner::Liar(1), Manner::Honest];
    let mut world = World::new(&manners);
    world.connect_all();
    let job = world.submit(40, "2of3");
    world.finish(job);
    let liar = world.workers.values().find(|w| w.manner == Manner::Liar(1)).unwrap().public();
    for task in 0..40 {
        assert!(world.is_final(job, task), "task {task}");
        assert!(!world.settled(job, task).executors.contains(&liar));
        let lied = world.walk(job, task)[..2].contains(&liar);
        let refuted = world.ledger.refuted(job, task);
        assert!(refuted.is_empty() || refuted == set(&[liar]));
        assert!(!lied || !refuted.is_empty() || world.settled(job, task).skipped.len() == 1);
    }
    assert!(!world.work.job(&job).unwrap().ruled().is_empty());
}

#[test]
fn a_dispute_is_filed_at_once_and_again_whenever_there_is_more_to_say() {
    let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Slow;
    let held = settle_but(&mut world, &walk[2..3]);
    assert_eq!(world.disputes.len(), 1, "nobody waits for the third");
    assert_eq!(claimants(&world.disputes[0].claims), sorted(&walk[..2]));
    assert_eq!(world.disputes[0].task, TASK);
    assert_eq!(world.work.disputed(), [(job, TASK)]);
    assert_eq!(held.len(), 1);
    held.into_iter().for_each(|letter| world.deliver(letter));
    assert_eq!(world.disputes.len(), 2);
    assert_eq!(claimants(&world.disputes[1].claims), sorted(&walk[..3]));
    world.settle();
    assert!(
        matches!(world.status(job, 0), TaskStatus::Running { .. }),
        "a majority decides nothing"
    );
    for mentioned in 3..6 {
        world.tick();
        assert_eq!(world.disputes.len(), mentioned);
        assert_eq!(world.disputes[mentioned - 1], world.disputes[1]);
    }
    world.restart();
    assert_eq!(world.disputes.len(), 6, "who leads next says it again");
    world.connect_all();
    world.ledger.validators = Validators::Prompt;
    world.finish(job);
    assert_eq!(executors(&world, job), set(&[walk[0], walk[2]]));
    assert_eq!(disputed_events(&world), 1);
    let filed = world.disputes.len();
    world.store(job);
    assert_eq!((world.disputes.len(), world.work.next_deadline()), (filed, None));
}

#[test]
fn after_a_verdict_those_at_work_are_waited_for() {
    let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Slow;
    let held = settle_but(&mut world, &walk[2..3]);
    world.rule(job, 0, Some(truth(job)));
    world.settle();
    assert!(matches!(world.status(job, 0), TaskStatus::Running { replicas: 2, revealed: 1, .. }));
    assert_eq!(world.work.disputed(), []);
    world.letters.extend(held);
    world.finish(job);
    assert_eq!(executors(&world, job), set(&[walk[0], walk[2]]));
    assert!(!world.settled(job, 0).decided);
}

#[test]
fn after_a_verdict_nobody_new_is_asked_and_one_replica_is_enough() {
    let (mut world, job, walk) = begin(6, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Slow;
    settle_but(&mut world, &walk[2..3]);
    world.rule(job, 0, Some(truth(job)));
    let started = |(_, event): &&(_, JobEvent)| matches!(event, JobEvent::Started { .. });
    assert_eq!(world.events.iter().filter(started).count(), 3);
    // It never reveals: its lease ends.
    world.finish(job);
    assert_eq!(world.events.iter().filter(started).count(), 3);
    assert_eq!(executors(&world, job), set(&walk[..1]));
    assert!(world.settled(job, 0).decided, "it rests on the verdict");
}

#[test]
fn without_further_replicas_the_verdict_alone_decides() {
    for lies in [[0, 1], [1, 0]] {
        let (mut world, job, walk) = begin(4, "2of2", &lies);
        world.ledger.validators = Validators::Slow;
        world.settle();
        assert!(matches!(world.status(job, 0), TaskStatus::Running { replicas: 2, .. }));
        world.rule(job, 0, Some(truth(job)));
        world.finish(job);
        let (honest, liar) = if lies[0] == 0 { (0, 1) } else { (1, 0) };
        assert_eq!(executors(&world, job), set(&[walk[honest]]));
        assert!(world.settled(job, 0).decided);
        assert_eq!(rulings(&world), [(Some(truth(job)), vec![walk[liar]])]);
    }
}

#[test]
fn two_liars_of_five_are_named_wherever_they_stand() {
    for first in 0..5 {
        for second in 0..first {
            let mut lies = [0; 5];
            (lies[first], lies[second]) = (1, 2);
            let (mut world, job, walk) = begin(7, "3of5", &lies);
            world.finish(job);
            let honest = walk.iter().zip(lies).filter(|(_, lie)| *lie == 0);
            let honest: BTreeSet<_> = honest.map(|(node, _)| *node).collect();
            let settled = world.settled(job, 0);
            assert!(!settled.decided && executors(&world, job).is_subset(&set(&walk)));
            // Those whom nobody asked, because the first three agreed, have not lied.
            if world.disputes.is_empty() {
                assert!(second >= 3, "{lies:?}");
                continue;
            }
            assert_eq!(executors(&world, job), honest, "{lies:?}");
            assert_eq!(world.ledger.refuted(job, 0), set(&[walk[first], walk[second]]));
        }
    }
}

#[test]
fn a_majority_that_lies_does_not_win() {
    for lies in [[1, 0, 1], [0, 1, 1]] {
        let (mut world, job, walk) = begin(5, "2of3", &lies);
        world.finish(job);
        let honest = lies.iter().position(|lie| *lie == 0).unwrap();
        assert_eq!(executors(&world, job), set(&[walk[honest]]));
        assert!(world.settled(job, 0).decided);
        let refuted: BTreeSet<_> = (0..3).filter(|at| *at != honest).map(|at| walk[at]).collect();
        assert_eq!(world.ledger.refuted(job, 0), refuted);
    }
}

#[test]
fn a_verdict_against_everybody_leaves_nothing_to_agree_on() {
    let (mut world, job, walk) = begin(5, "2of3", &[1, 2, 2]);
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::Refuted));
    let record = world.work.job(&job).unwrap();
    assert_eq!(record.dissent(), [], "the verdict names them");
    let ruled = record.ruled();
    assert_eq!(claimants(&ruled[0].claims), sorted(&walk[..3]));
    assert_eq!(ruled[0].outcome, truth(job));
    assert_eq!(world.ledger.refuted(job, 0), set(&walk[..3]));
}

#[test]
fn who_is_left_alone_by_a_verdict_still_sees_a_complete_set() {
    let (mut world, job, walk) = begin(5, "2of3", &[1, 2, 0]);
    world.ledger.validators = Validators::Slow;
    let mut late = vec![];
    // The third has not even committed when the verdict comes.
    while let Some(letter) = world.letters.pop_front() {
        match &letter {
            Letter::ToHome(node, _) if *node == walk[2] => late.push(letter),
            _ => world.deliver(letter),
        }
    }
    world.rule(job, 0, Some(truth(job)));
    world.settle();
    assert!(matches!(world.status(job, 0), TaskStatus::Running { replicas: 1, .. }));
    world.letters.extend(late);
    world.finish(job);
    assert_eq!(executors(&world, job), set(&walk[2..3]));
    assert!(world.settled(job, 0).decided);
}

#[test]
fn who_reveals_a_lie_after_the_verdict_is_refuted_as_well() {
    let (mut world, job, walk) = begin(6, "2of3", &[0, 1, 2]);
    world.ledger.validators = Validators::Slow;
    let held = settle_but(&mut world, &walk[2..3]);
    world.rule(job, 0, Some(truth(job)));
    world.settle();
    let filed = world.disputes.len();
    held.into_iter().for_each(|letter| world.deliver(letter));
    assert_eq!(world.disputes.len(), filed + 1, "it is filed once");
    assert_eq!(claimants(&world.disputes[filed].claims), sorted(&walk[..3]));
    world.finish(job);
    world.tick();
    assert_eq!(world.disputes.len(), filed + 1);
    assert_eq!(world.ledger.refuted(job, 0), set(&walk[1..3]));
    assert_eq!(executors(&world, job), set(&walk[..1]));
    assert!(world.settled(job, 0).decided);
    assert_eq!(rulings(&world).len(), 1);
}

/// The verdict may come while a claim is on its way to the ledger, where it may get lost.
#[test]
fn whoever_lied_is_claimed_once_more_when_the_verdict_comes() {
    let (mut world, job, walk) = begin(6, "2of3", &[0, 1, 2]);
    world.ledger.validators = Validators::Slow;
    world.settle();
    let filed = world.disputes.len();
    world.rule(job, 0, Some(truth(job)));
    assert_eq!(world.disputes.len(), filed + 1);
    assert_eq!(claimants(&world.disputes[filed].claims), sorted(&walk[..3]));
}

#[test]
fn what_the_validators_cannot_decide_is_undecided() {
    let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Unable;
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::Undecided));
    let record = world.work.job(&job).unwrap();
    let said: BTreeSet<_> = record.dissent().iter().map(|batch| batch.statement.by).collect();
    assert!(said.is_superset(&set(&walk[..2])), "the disagreement shows");
    assert_eq!(record.ruled(), []);
    assert_eq!(rulings(&world), [(None, vec![])]);
}

#[test]
fn what_the_ledger_takes_no_dispute_about_is_undecided() {
    let (mut world, job, _) = begin(5, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Refusing;
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::Undecided));
    let record = world.work.job(&job).unwrap();
    let refusals: Vec<_> = record.dispute_refusals().collect();
    assert_eq!(refusals, [(TASK, "too much fuel")]);
    assert_eq!(rulings(&world), [(None, vec![])]);
}

#[test]
fn rulings_that_nobody_waits_for_change_nothing() {
    let (mut world, job, _) = begin(5, "2of3", &[0, 1, 0]);
    let unknown = world.order(1, "single".parse().unwrap()).payload.id();
    let ruled = |job, task, outcome| Input::Ruled { job, task: TaskIndex(task), outcome };
    let refused =
        |job, task| Input::DisputeRefused { job, task: TaskIndex(task), reason: "no".into() };
    let useless = |world: &mut World| {
        let before = world.work.job(&job).cloned();
        let events = world.events.len();
        for input in [
            ruled(unknown, 0, Some(truth(job))),
            ruled(unknown, 0, None),
            ruled(job, 7, Some(truth(job))),
            ruled(job, 7, None),
            refused(unknown, 0),
            refused(job, 0),
            refused(job, 7),
        ] {
            world.step(input);
        }
        assert_eq!(world.work.job(&job).cloned(), before);
        assert_eq!(world.events.len(), events);
    };
    useless(&mut world);
    world.step(ruled(job, 0, None));
    world.finish(job);
    useless(&mut world);
    for outcome in [Some(truth(job)), Some(outcome_of(job, TASK, 7).digest()), None] {
        world.step(ruled(job, 0, outcome));
    }
    world.check_end(job);
    world.store(job);
    world.step(ruled(job, 0, None));
    useless(&mut world);
    assert_eq!(rulings(&world).len(), 1);
}

#[test]
fn the_first_ruling_counts() {
    let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Slow;
    let held = settle_but(&mut world, &walk[2..3]);
    world.rule(job, 0, Some(truth(job)));
    let before = world.work.job(&job).cloned();
    for outcome in [Some(truth(job)), None, Some(outcome_of(job, TASK, 1).digest())] {
        world.step(Input::Ruled { job, task: TASK, outcome });
    }
    world.step(Input::DisputeRefused { job, task: TASK, reason: "nothing new".into() });
    assert_eq!(world.work.job(&job).cloned(), before);
    world.letters.extend(held);
    world.finish(job);
    assert_eq!(executors(&world, job), set(&[walk[0], walk[2]]));
}

#[test]
fn a_verdict_on_what_others_disputed_is_remembered() {
    let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
    world.rule(job, 0, Some(truth(job)));
    assert_eq!(rulings(&world), []);
    world.finish(job);
    assert_eq!(executors(&world, job), set(&walk[..1]), "nobody is asked that has not begun");
    assert!(world.settled(job, 0).decided);
    assert_eq!(world.disputes.len(), 1, "what it claims is filed");
    assert_eq!(rulings(&world), [(Some(truth(job)), vec![walk[1]])]);

    let (mut world, job, walk) = begin(5, "2of3", &[1, 1]);
    world.rule(job, 0, Some(truth(job)));
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::Refuted));
    assert_eq!(claimants(&world.work.job(&job).unwrap().ruled()[0].claims), sorted(&walk[..2]));

    let (mut world, job, walk) = begin(5, "2of3", &[]);
    world.rule(job, 0, Some(truth(job)));
    world.finish(job);
    assert_eq!(executors(&world, job), set(&walk[..2]), "nothing is special about it");
    assert!(!world.settled(job, 0).decided);
    assert_eq!(world.work.job(&job).unwrap().ruled(), []);
}

#[test]
fn a_disputed_task_that_ends_before_the_ruling_shows_the_dissent() {
    for cancel in [false, true] {
        let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
        world.ledger.validators = Validators::Slow;
        world.settle();
        if cancel {
            world.step(Input::Cancel { job });
        }
        world.finish(job);
        assert_eq!(world.why(job, 0), Some(Unsettled::Dissent));
        let dissent = world.work.job(&job).unwrap().dissent();
        assert_eq!(dissent.len(), walk[..3].len());
        let before = world.work.job(&job).cloned();
        world.step(Input::Ruled { job, task: TASK, outcome: Some(truth(job)) });
        assert_eq!(world.work.job(&job).cloned(), before, "it comes too late");
        world.store(job);
        assert_eq!(world.work.next_deadline(), None);
    }
}

#[test]
fn a_task_that_is_cancelled_after_its_verdict_keeps_the_verdict() {
    let (mut world, job, walk) = begin(5, "2of3", &[0, 1, 0]);
    world.ledger.validators = Validators::Slow;
    settle_but(&mut world, &walk[2..3]);
    world.rule(job, 0, Some(truth(job)));
    world.step(Input::Cancel { job });
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::Cancelled));
    let ruled = world.work.job(&job).unwrap().ruled();
    assert_eq!(claimants(&ruled[0].claims), sorted(&walk[..2]));
}

/// Loses a node after it committed, and gives what it would have revealed.
fn lose(world: &mut World, node: PublicKey) -> Vec<Letter> {
    let held = settle_but(world, &[node]);
    world.disconnect(node);
    while world.up.values().all(|up| *up) || world.work.next_deadline().is_some() {
        let skipped = world.events.iter().any(
            |(_, event)| matches!(event, JobEvent::Skipped { node: other, .. } if *other == node),
        );
        if skipped {
            break;
        }
        world.tick();
    }
    held
}

#[test]
fn a_lie_of_a_node_that_was_lost_counts_while_the_task_runs() {
    let mut tried = 0;
    for (owners, next) in [(5, 2), (6, 2)] {
        let (mut world, job, walk) = begin(owners, "2of3", &[0, 1, 0]);
        if walk[1] == world.me() {
            continue;
        }
        tried += 1;
        let late = lose(&mut world, walk[1]);
        // Its place was taken, by somebody who is not done yet.
        late.into_iter().for_each(|letter| world.deliver(letter));
        assert_eq!(disputed_events(&world), 1);
        world.finish(job);
        assert_eq!(world.ledger.refuted(job, 0), set(&walk[1..2]));
        assert!(executors(&world, job).is_superset(&set(&[walk[0], walk[next]])));
        assert!(!executors(&world, job).contains(&walk[1]));
        let refuted = Skip { node: walk[1], reason: SkipReason::Refuted };
        assert!(world.settled(job, 0).skipped.contains(&refuted));
    }
    assert!(tried > 0);
}

#[test]
fn a_lost_node_that_revealed_what_the_verdict_found_counts_again() {
    let mut nonce = 0;
    let (mut world, job, walk) = loop {
        let (mut world, _, _) = begin(3 + nonce, "2of3", &[]);
        world.letters.clear();
        let job = world.submit(1, "2of3");
        let walk = world.walk(job, 0);
        if walk[1] != world.me() {
            break (world, job, walk);
        }
        nonce += 1;
    };
    world.ledger.validators = Validators::Slow;
    for (node, lie) in [(walk[0], 1), (walk[2], 2)] {
        world.workers.get_mut(&node).unwrap().manner = Manner::Liar(lie);
    }
    let late = lose(&mut world, walk[1]);
    world.settle();
    late.into_iter().for_each(|letter| world.deliver(letter));
    world.settle();
    world.rule(job, 0, Some(truth(job)));
    world.finish(job);
    let all = executors(&world, job);
    assert!(all.contains(&walk[1]), "{all:?}");
    assert!(!all.contains(&walk[0]) && !all.contains(&walk[2]));
}

/// Plays a dispute through, with a restart after so many letters. False if it was over before.
fn play(owners: usize, verification: &str, lies: &[u8], restart: usize) -> bool {
    let (mut world, job, walk) = begin(owners, verification, lies);
    let mut delivered = 0;
    while let Some(letter) = world.letters.pop_front() {
        world.deliver(letter);
        delivered += 1;
        if delivered == restart {
            world.restart();
            world.connect_all();
        }
    }
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert_eq!(world.settled(job, 0).outcome, truth(job));
    assert_eq!(disputed_events(&world), 1);
    for (node, lie) in walk.iter().zip(lies) {
        let named = world.ledger.refuted(job, 0).contains(node);
        assert_eq!(named, *lie > 0, "{lies:?}, restart after {restart} letters");
    }
    world.store(job);
    assert_eq!(world.work.next_deadline(), None);
    delivered >= restart
}

#[test]
fn a_home_that_restarts_at_any_step_of_a_dispute_ends_it_in_the_same_way() {
    for (owners, verification, lies) in [
        (4, "2of3", &[1, 0, 0][..]),
        (4, "2of3", &[0, 1, 1][..]),
        (3, "2of2", &[0, 1][..]),
        (6, "3of5", &[1, 0, 2, 0, 0][..]),
    ] {
        let steps = (1..).take_while(|at| play(owners, verification, lies, *at)).count();
        assert!(steps > 8, "{steps}");
    }
}
