//! Tasks were agreed on: the checks that need the state.

use super::order;
use crate::{CheckedTx, DisputeStatus, Effect, Ledger, Refusal, audits::Recent};
use identity::{PublicKey, canonical};
use protocol::{
    Agreements, Height, JobId, Settled, Time, draw,
    draw::{Candidate, SkipReason},
};
use std::sync::Arc;

pub(crate) fn apply(
    ledger: &mut Ledger,
    (height, time): (Height, Time),
    (id, agreements, settled): (&JobId, &Agreements, &[Settled]),
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let job = &agreements.order.payload;
    order::check(ledger, &agreements.order, time)?;
    let drawn = agreements.drawn;
    order::check_drawn(ledger, (id, job), drawn, height)?;
    let unknown = Refusal::Drawn(drawn);
    let beacon = ledger.beacon_at(drawn).ok_or(unknown.clone())?;
    let roster = ledger.roster_at(drawn).ok_or(unknown)?.clone();
    for task in settled {
        if ledger.is_final(id, task.task) {
            return Err(Refusal::Final { job: *id, task: task.task });
        }
        if task.executors.len() > usize::from(job.verification.n) {
            return Err(Refusal::TooMany(task.task));
        }
        check_dispute(ledger, id, task)?;
        let named = task.executors.iter().copied().chain(task.skipped.iter().map(|s| s.node));
        let candidates = draw::first_candidates(beacon, (id, task.task), &roster, named);
        check_draw(ledger, drawn, task, &candidates)?;
    }
    let tasks = settled.iter().map(|task| task.task);
    ledger.jobs.settle(id, (job.tasks, job.expires), tasks);
    let recent = Arc::make_mut(&mut ledger.audits.recent);
    for task in settled {
        ledger.settled.push(&canonical::encode(&(id, task.task, task.outcome)));
        recent.push(Recent {
            job: *id,
            task: task.task,
            outcome: task.outcome,
            executors: task.executors.clone(),
            tx: checked.digest(),
        });
    }
    effects.push(Effect::Settled {
        job: *id,
        home: job.home,
        tasks: settled.iter().map(|task| task.task).collect(),
        tx: checked.digest(),
        height,
    });
    Ok(())
}

/// A task that is disputed waits for the verdict, and is agreed on only as the verdict says.
fn check_dispute(ledger: &Ledger, job: &JobId, settled: &Settled) -> Result<(), Refusal> {
    let task = settled.task;
    let record = ledger.disputes.get(job, task);
    match record.map(|record| record.status) {
        None if settled.decided => Err(Refusal::NoVerdict(task)),
        None => Ok(()),
        Some(DisputeStatus::Open) => Err(Refusal::Disputed { job: *job, task }),
        Some(DisputeStatus::Undecided { .. }) => Err(Refusal::Undecided { job: *job, task }),
        Some(DisputeStatus::Decided { outcome, .. }) if outcome == settled.outcome => Ok(()),
        Some(DisputeStatus::Decided { .. }) => Err(Refusal::Refuted { job: *job, task }),
    }
}

/// The executors are those of the draw, beside the one that was first by score, if one was: which
/// was a candidate, too, so that it was admitted and not barred. With a verdict it is enough that they could be drawn: the
/// validators ran the task themselves.
fn check_draw(
    ledger: &Ledger,
    drawn: Height,
    settled: &Settled,
    candidates: &[Candidate],
) -> Result<(), Refusal> {
    let Settled { task, executors, skipped, decided, first, .. } = settled;
    let is_candidate = |node: &PublicKey| candidates.iter().any(|other| other.node == *node);
    if let Some(first) = first.filter(|first| !is_candidate(first)) {
        return Err(Refusal::NotEligible { task: *task, node: first });
    }
    let fair = match first {
        _ if *decided => executors.iter().all(is_candidate),
        Some(first) => draw::is_fair_beside(first, candidates, skipped, executors),
        None => draw::is_fair(candidates, skipped, executors),
    };
    if !fair {
        return Err(Refusal::Unfair(*task));
    }
    let mut sanctioned = skipped.iter().filter(|skip| skip.reason == SkipReason::Sanctioned);
    match sanctioned.find(|skip| !ledger.was_barred_since(&skip.node, drawn)) {
        Some(skip) => Err(Refusal::NotSanctioned(skip.node)),
        None => Ok(()),
    }
}
