//! Tasks were agreed on: the checks that need the state.

use crate::{CheckedTx, Effect, Ledger, Refusal};
use identity::canonical;
use protocol::{Agreements, Height, Time, draw};

pub(crate) fn apply(
    ledger: &mut Ledger,
    height: Height,
    time: Time,
    agreements: &Agreements,
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let job = &agreements.order.payload;
    let id = job.id();
    check_order(ledger, agreements, time)?;
    let drawn = agreements.drawn;
    // The block's own beacon is not final yet: nobody can have drawn with it.
    let known = (drawn < height).then_some(drawn);
    let unknown = Refusal::Drawn(drawn);
    let beacon = known.and_then(|at| ledger.beacon_at(at)).ok_or(unknown.clone())?;
    let roster = ledger.roster_at(drawn).ok_or(unknown)?.clone();
    for task in checked.settled() {
        if ledger.is_final(&id, task.task) {
            return Err(Refusal::Final { job: id, task: task.task });
        }
        if task.executors.len() > usize::from(job.verification.n) {
            return Err(Refusal::TooMany(task.task));
        }
        let candidates = draw::candidates(beacon, &id, task.task, &roster);
        if !draw::is_fair(&candidates, &task.skipped, &task.executors) {
            return Err(Refusal::Unfair(task.task));
        }
    }
    for task in checked.settled() {
        ledger.jobs.settle(&id, job.tasks, job.expires, task.task);
        ledger.settled.push(&canonical::encode(&(id, task.task, task.outcome)));
    }
    effects.push(Effect::Settled {
        job: id,
        home: job.home,
        tasks: checked.settled().iter().map(|task| task.task).collect(),
        tx: checked.digest(),
        height,
    });
    Ok(())
}

fn check_order(ledger: &Ledger, agreements: &Agreements, time: Time) -> Result<(), Refusal> {
    let job = &agreements.order.payload;
    let submitter = agreements.order.by;
    if ledger.roster.owner(&submitter).is_none() {
        return Err(Refusal::NotAnOwner(submitter));
    }
    if ledger.roster.node(&job.home).is_none() {
        return Err(Refusal::NotANode(job.home));
    }
    let expires = job.expires;
    if expires < time {
        return Err(Refusal::Expired { expires, time });
    }
    if expires.since_ms(job.issued) > ledger.params.job_lifetime_ms {
        return Err(Refusal::Lifetime { expires });
    }
    Ok(())
}
