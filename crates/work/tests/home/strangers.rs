//! Messages that nobody should send, and a ledger that refuses.

use crate::{
    worker::{Manner::Honest, outcome_of},
    world::{Letter, World, key},
};
use identity::Digest;
use protocol::{
    Attempt, Cause, CommitBatch, Commitment, Contradiction, Height, JobEvent, JobId, NoResult,
    OutcomeDigest, RevealBatch, TaskIndex, ToHome, Tx, Unsettled,
};
use work::{Input, TaskStatus};

fn leaf(task: u32, attempt: u16, byte: u8) -> Commitment {
    Commitment { task: TaskIndex(task), attempt: Attempt(attempt), hidden: Digest([byte; 32]) }
}

/// Delivers letters, each after `change` had its way with it.
fn settle_with(world: &mut World, mut change: impl FnMut(&World, Letter) -> Letter) {
    while let Some(letter) = world.letters.pop_front() {
        let letter = change(world, letter);
        world.deliver(letter);
    }
}

#[test]
fn statements_about_replicas_of_others_are_ignored() {
    let mut world = World::new(&[Honest; 4]);
    world.connect_all();
    let job = world.submit(2, "2of3");
    let before = world.work.clone();
    let stranger = key(9, 9);
    let batch = CommitBatch::sign(job, vec![leaf(0, 0, 1)], world.network, &stranger);
    world.step(Input::Committed { node: stranger.public(), batch: batch.clone() });
    let walk = world.walk(job, 0);
    for node in &walk {
        let key = world.workers[node].key.clone();
        for wrong in [leaf(0, 7, 1), leaf(1, 9, 1), leaf(99, 0, 1)] {
            let batch = CommitBatch::sign(job, vec![wrong], world.network, &key);
            world.step(Input::Committed { node: *node, batch });
        }
        world.step(Input::Committed { node: *node, batch: batch.clone() });
        let replicas = vec![(TaskIndex(77), Attempt(0), NoResult::Busy)];
        world.step(Input::NoResult { node: *node, job, replicas });
    }
    assert!(world.work.counts().foreign >= 13 && world.work.counts().malformed >= 4);
    for task in 0..2 {
        let status = before.job(&job).unwrap().status(TaskIndex(task));
        assert_eq!(world.work.job(&job).unwrap().status(TaskIndex(task)), status);
    }
    world.finish(job);
    assert!(world.is_final(job, 0) && world.is_final(job, 1));
}

#[test]
fn a_worker_that_speaks_of_an_unknown_job_is_told_to_forget_it() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    world.finish(job);
    world.store(job);
    world.letters.clear();
    let other = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    let key = world.workers[&other].key.clone();
    let batch = CommitBatch::sign(job, vec![leaf(0, 0, 1)], world.network, &key);
    world.step(Input::Committed { node: other, batch });
    assert!(matches!(
        world.letters.pop_front(),
        Some(Letter::ToWorker(to, protocol::ToWorker::Close { .. })) if to == other
    ));
}

#[test]
fn two_commitments_for_one_replica_are_kept_as_a_contradiction() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    let other = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    let mut said = None;
    settle_with(&mut world, |_, letter| {
        if let Letter::ToHome(node, ToHome::Committed(batch)) = &letter
            && *node == other
        {
            said = Some(batch.leaves[0]);
        }
        // Its reveal never comes, so that the task stays open.
        match &letter {
            Letter::ToHome(node, ToHome::Revealed { .. }) if *node == other => {
                Letter::FromLedger(Input::Tick)
            }
            _ => letter,
        }
    });
    let said = said.unwrap();
    let key = world.workers[&other].key.clone();
    for byte in 1..5 {
        let second = leaf(0, said.attempt.0, byte);
        let batch = CommitBatch::sign(job, vec![second], world.network, &key);
        world.step(Input::Committed { node: other, batch });
    }
    let record = world.work.job(&job).unwrap();
    let [found @ Contradiction::Commits { .. }] = record.contradictions() else {
        panic!("{:?}", record.contradictions());
    };
    let (task, attempt) = (TaskIndex(0), said.attempt);
    let cause = Cause::Commits { job, task, attempt };
    assert_eq!(found.check(world.network), Ok((other, cause)));
    assert_eq!(world.accused[..], *std::slice::from_ref(found), "it is accused once");
    assert_eq!(world.work.counts().contradictory, 4);
    world.restart();
    assert_eq!(world.accused.len(), 2, "and again by who leads next");
    assert_eq!(world.accused[0], world.accused[1]);
}

#[test]
fn a_reveal_that_does_not_open_its_commitment_is_kept_and_its_node_replaced() {
    let mut world = World::new(&[Honest; 4]);
    world.connect_all();
    let job = world.submit(1, "2of3");
    let cheat = world.walk(job, 0)[0];
    settle_with(&mut world, |world, letter| match letter {
        Letter::ToHome(node, ToHome::Revealed { batch, .. }) if node == cheat => {
            let outcome = outcome_of(job, TaskIndex(0), 9);
            let mut leaves = batch.leaves;
            leaves[0].outcome = outcome.digest();
            let key = &world.workers[&cheat].key;
            let batch = RevealBatch::sign(job, leaves, world.network, key);
            Letter::ToHome(node, ToHome::Revealed { batch, outcomes: vec![outcome] })
        }
        other => other,
    });
    world.finish(job);
    assert!(world.is_final(job, 0));
    assert!(!world.kept[&(job, TaskIndex(0))].contains(&cheat));
    let record = world.work.job(&job).unwrap();
    let [found @ Contradiction::Opening { commit, .. }] = record.contradictions() else {
        panic!("{:?}", record.contradictions());
    };
    let (task, attempt) = (TaskIndex(0), commit.leaf.attempt);
    let cause = Cause::Opening { job, task, attempt };
    assert_eq!(found.check(world.network), Ok((cheat, cause)));
    assert_eq!(world.accused[..], *std::slice::from_ref(found));
    assert_eq!(world.disputes, [], "what opens nothing is no claim");
}

#[test]
fn two_reveals_of_one_replica_are_a_contradiction() {
    let mut world = World::new(&[Honest; 3]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    let twice = world.walk(job, 0)[0];
    let mut said = None;
    settle_with(&mut world, |_, letter| match letter {
        Letter::ToHome(node, ToHome::Revealed { batch, .. }) if node != twice => {
            said = Some(batch);
            Letter::FromLedger(Input::Tick)
        }
        other => other,
    });
    assert!(said.is_some() && matches!(world.status(job, 0), TaskStatus::Running { .. }));
    let outcome = outcome_of(job, TaskIndex(0), 9);
    let record = world.work.job(&job).unwrap();
    let (attempt, _, _) =
        *record.replicas(TaskIndex(0)).iter().find(|(_, node, _)| *node == twice).unwrap();
    let salt = world.workers[&twice].salt((job, TaskIndex(0), attempt));
    let leaf = protocol::Reveal {
        task: TaskIndex(0),
        attempt,
        set: world.workers[&twice].shown[&(job, TaskIndex(0), attempt)],
        outcome: outcome.digest(),
        salt,
    };
    let key = world.workers[&twice].key.clone();
    let batch = RevealBatch::sign(job, vec![leaf], world.network, &key);
    world.step(Input::Revealed { node: twice, batch, outcomes: vec![outcome] });
    let cause = Cause::Reveals { job, task: TaskIndex(0), attempt };
    let [found @ Contradiction::Reveals { .. }] = &world.accused[..] else {
        panic!("{:?}", world.accused);
    };
    assert_eq!(found.check(world.network), Ok((twice, cause)));
    assert_eq!(world.disputes, [], "one key is no dispute");
}

#[test]
fn an_outcome_that_is_none_or_too_large_is_no_result() {
    let config =
        work::Config { outcome_bytes: 10, outcome_task_bytes: 0, ..work::Config::default() };
    let mut world = World::with(&[Honest; 2], &[0, 1], config);
    world.connect_all();
    let job = world.submit(1, "2of2");
    world.finish(job);
    assert_eq!(world.why(job, 0), Some(Unsettled::NoCandidates));
    assert!(world.work.counts().over_bounds > 0);
}

#[test]
fn a_job_has_room_for_the_outcomes_of_all_its_tasks() {
    let config = work::Config { outcome_bytes: 0, ..work::Config::default() };
    let mut world = World::with(&[Honest; 2], &[0, 1], config);
    world.connect_all();
    let job = world.submit(300, "2of2");
    world.finish(job);
    assert!((0..300).all(|task| world.is_final(job, task)));
    assert_eq!(world.work.counts().over_bounds, 0);
}

#[test]
fn reveals_to_another_set_or_of_another_outcome_are_ignored() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(1, "2of2");
    let other = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    let mut real = None;
    settle_with(&mut world, |_, letter| match &letter {
        Letter::ToHome(node, ToHome::Revealed { .. }) if *node == other => {
            real = Some(letter);
            Letter::FromLedger(Input::Tick)
        }
        _ => letter,
    });
    let Some(Letter::ToHome(_, ToHome::Revealed { batch, outcomes })) = real else {
        panic!("it revealed");
    };
    let key = world.workers[&other].key.clone();
    let mut leaves = batch.leaves.clone();
    leaves[0].set = Digest([9; 32]);
    let wrong_set = RevealBatch::sign(job, leaves, world.network, &key);
    let tries = [
        (wrong_set, outcomes.clone()),
        (batch.clone(), vec![outcome_of(job, TaskIndex(0), 5)]),
        (batch.clone(), vec![]),
    ];
    for (batch, outcomes) in tries {
        world.step(Input::Revealed { node: other, batch, outcomes });
    }
    assert_eq!(world.work.counts().malformed, 3);
    assert!(matches!(world.status(job, 0), TaskStatus::Running { revealed: 1, .. }));
    world.step(Input::Revealed { node: other, batch, outcomes });
    world.settle();
    assert!(world.is_final(job, 0));
}

/// Runs a job until its transaction is on the way to the ledger, which never hears of it.
fn published(world: &mut World) -> (JobId, Digest) {
    let job = world.submit(2, "2of2");
    let mut tx = None;
    while let Some(letter) = world.letters.pop_front() {
        match letter {
            Letter::ToLedger(agreements) => tx = Some(Tx::Agree(agreements).digest()),
            other => world.deliver(other),
        }
    }
    (job, tx.unwrap())
}

#[test]
fn a_transaction_is_mentioned_until_the_ledger_answers() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let (job, tx) = published(&mut world);
    for _ in 0..3 {
        world.tick();
        let Some(Letter::ToLedger(agreements)) = world.letters.pop_front() else {
            panic!("it is mentioned again");
        };
        assert_eq!(Tx::Agree(agreements).digest(), tx, "and is the same");
    }
    world.tick();
    world.settle();
    assert!(world.is_final(job, 0));
    let finals = |(_, event): &&(_, JobEvent)| matches!(event, JobEvent::Final { .. });
    assert_eq!(world.events.iter().filter(finals).count(), 1);
}

#[test]
fn what_the_ledger_refuses_is_unsettled() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let (job, tx) = published(&mut world);
    let refuse = Input::RefusedByLedger { job, tx, reason: "the draw is too old".into() };
    world.step(refuse.clone());
    world.step(refuse);
    let record = world.work.job(&job).unwrap();
    assert_eq!(record.refusals().next().unwrap(), (&tx, "the draw is too old"));
    // Each of its tasks is offered again by itself, so that one of them spoils no other.
    let mut offered = 0;
    while let Some(letter) = world.letters.pop_front() {
        match letter {
            Letter::ToLedger(alone) if alone.tasks[0].task == TaskIndex(0) => {
                assert_eq!(alone.tasks.len(), 1);
                let tx = Tx::Agree(alone).digest();
                world.step(Input::RefusedByLedger { job, tx, reason: "this one".into() });
            }
            Letter::ToLedger(alone) => {
                assert_eq!(alone.tasks.len(), 1);
                offered += 1;
                world.deliver(Letter::ToLedger(alone));
            }
            other => world.deliver(other),
        }
    }
    assert_eq!(world.why(job, 0), Some(Unsettled::RefusedByLedger));
    assert!(offered > 0 && (1..=offered).all(|task| world.is_final(job, task)));
    world.finish(job);
}

#[test]
fn what_the_ledger_holds_counts_more_than_a_refusal() {
    let mut world = World::new(&[Honest, Honest, crate::worker::Manner::Mute]);
    world.connect_all();
    let job = world.submit(30, "2of3");
    let mut first = None;
    while let Some(letter) = world.letters.pop_front() {
        match letter {
            Letter::ToLedger(agreements) if first.is_none() => first = Some(agreements),
            other => world.deliver(other),
        }
    }
    let agreements = first.unwrap();
    let tasks: Vec<_> = agreements.tasks.iter().map(|agreed| agreed.task).collect();
    let tx = Tx::Agree(agreements.clone()).digest();
    world.step(Input::RefusedByLedger { job, tx, reason: "full".into() });
    // What was offered again meanwhile comes too late: the ledger has these tasks.
    let again = |letter: &Letter| matches!(letter, Letter::ToLedger(again) if again.tasks.iter().any(|agreed| tasks.contains(&agreed.task)));
    world.letters.retain(|letter| !again(letter));
    world.deliver(Letter::ToLedger(agreements));
    world.finish(job);
    assert!(tasks.iter().all(|task| world.is_final(job, task.0)));
}

#[test]
fn answers_about_unknown_jobs_and_transactions_are_ignored() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let (job, _) = published(&mut world);
    let unknown = Digest([1; 32]);
    let tasks = vec![TaskIndex(0)];
    world.step(Input::Included { job, tasks: tasks.clone(), tx: unknown, height: Height(3) });
    world.step(Input::RefusedByLedger { job, tx: unknown, reason: String::new() });
    let nowhere = world.order(1, "single".parse().unwrap()).payload.id();
    world.step(Input::Included { job: nowhere, tasks, tx: unknown, height: Height(3) });
    world.step(Input::Cancel { job: nowhere });
    world.step(Input::ReceiptStored { job, receipt: nowhere.0 });
    assert!(matches!(world.status(job, 0), TaskStatus::Agreed(_)));
    assert!(world.work.job(&job).is_some());
}

#[test]
fn leaves_that_move_between_batches_still_give_transactions_that_hold() {
    let mut world = World::new(&[Honest; 2]);
    world.connect_all();
    let job = world.submit(6, "2of2");
    let other = *world.workers.keys().find(|node| **node != world.me()).unwrap();
    let key = world.workers[&other].key.clone();
    let network = world.network;
    // Every task is committed to in a batch that repeats all before it.
    let mut all: Vec<Commitment> = vec![];
    while let Some(letter) = world.letters.pop_front() {
        match letter {
            Letter::ToHome(node, ToHome::Committed(batch)) if node == other => {
                for leaf in batch.leaves {
                    all.push(leaf);
                    let batch = CommitBatch::sign(job, all.clone(), network, &key);
                    world.step(Input::Committed { node, batch });
                }
            }
            letter => world.deliver(letter),
        }
    }
    world.finish(job);
    assert!((0..6).all(|task| world.is_final(job, task)));
    let parts = world.work.job(&job).unwrap().included();
    assert!(parts.len() > 1, "overlapping batches cannot share a transaction");
    let _: OutcomeDigest = parts[0].agreements.tasks[0].outcome;
}

/// A reveal of somebody who ranks after the executors, and is therefore not listed as skipped, must
/// not be in the transaction of that task, though its batch is needed for another one.
#[test]
fn a_reveal_that_does_not_belong_to_a_task_keeps_out_of_its_transaction() {
    let mut world = World::new(&[Honest; 3]);
    let me = world.me();
    let last = *world.workers.keys().find(|node| **node != me).unwrap();
    world.connect(last);
    let job = world.submit(16, "2of3");
    let of_walk = |world: &World, task| world.walk(job, task)[1..] == [me, last];
    let t = (0..16).find(|task| of_walk(&world, *task)).unwrap();
    let first = world.walk(job, t)[0];
    let mut leaves = vec![];
    while let Some(letter) = world.letters.pop_front() {
        match letter {
            Letter::ToHome(node, ToHome::Revealed { batch, .. }) if node == last => {
                leaves.extend(batch.leaves);
            }
            other => world.deliver(other),
        }
    }
    assert_eq!(leaves.len(), 16);
    let key = world.workers[&last].key.clone();
    let u = (t + 1) % 16;
    let (later, sooner): (Vec<_>, Vec<_>) =
        leaves.into_iter().partition(|leaf| [t, u].contains(&leaf.task.0));
    let reveal = |world: &mut World, leaves: Vec<protocol::Reveal>| {
        let batch = RevealBatch::sign(job, leaves, world.network, &key);
        let outcomes = batch.leaves.iter().map(|leaf| outcome_of(job, leaf.task, 0)).collect();
        world.step(Input::Revealed { node: last, batch, outcomes });
    };
    let attempt = later.iter().find(|leaf| leaf.task.0 == t).unwrap().attempt;
    reveal(&mut world, sooner);
    let waiting = std::mem::take(&mut world.letters);
    let replicas = vec![(TaskIndex(t), attempt, NoResult::HostFailure)];
    world.step(Input::NoResult { node: last, job, replicas });
    world.connect(first);
    world.settle();
    assert!(matches!(world.status(job, t), TaskStatus::Agreed(_)), "{:?}", world.status(job, t));
    reveal(&mut world, later);
    world.letters.extend(waiting);
    world.finish(job);
    assert!((0..16).all(|task| world.is_final(job, task)));
    let parts = world.work.job(&job).unwrap().included();
    let holds =
        |task| parts.iter().position(|p| p.agreements.tasks.iter().any(|a| a.task.0 == task));
    assert_ne!(holds(t), holds(u));
}
