//! A sealed order: the beacon of the next block draws its executors.

use crate::{Effect, Ledger, Refusal};
use identity::Signed;
use protocol::{Height, Job, JobId, Placement, Time};

pub(crate) fn apply(
    ledger: &mut Ledger,
    (height, time): (Height, Time),
    (id, order): (&JobId, &Signed<Job>),
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let job = &order.payload;
    check(ledger, order, time)?;
    if job.placement != Placement::Sealed {
        return Err(Refusal::NotSealed(*id));
    }
    if !ledger.orders.place(id, job, height) {
        return Err(Refusal::Ordered(*id));
    }
    effects.push(Effect::Ordered { job: *id, home: job.home, height });
    Ok(())
}

/// What every transaction about a job needs: an admitted submitter and home, and time.
pub(crate) fn check(ledger: &Ledger, order: &Signed<Job>, time: Time) -> Result<(), Refusal> {
    let job = &order.payload;
    if ledger.roster.owner(&order.by).is_none() {
        return Err(Refusal::NotAnOwner(order.by));
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
    // Else a lifetime could begin in any future, and the state would remember the job until then.
    check_issued(ledger, job.issued, time)
}

/// That something was not signed after the block, but for what clocks may differ.
pub(crate) fn check_issued(ledger: &Ledger, issued: Time, time: Time) -> Result<(), Refusal> {
    if issued > time.after_ms(ledger.params.clock_drift_ms) {
        return Err(Refusal::Early { issued, time });
    }
    Ok(())
}

/// That a job was drawn with the beacon with which it must be: any that is final for a fast one,
/// the one after its order for a sealed one.
pub(crate) fn check_drawn(
    ledger: &Ledger,
    (id, job): (&JobId, &Job),
    drawn: Height,
    height: Height,
) -> Result<(), Refusal> {
    // The block's own beacon is not final yet: nobody can have drawn with it.
    if drawn >= height {
        return Err(Refusal::Drawn(drawn));
    }
    match job.placement {
        Placement::Fast => Ok(()),
        Placement::Sealed => match ledger.orders.height(id) {
            None => Err(Refusal::NotOrdered(*id)),
            Some(ordered) if ordered.next() == drawn => Ok(()),
            Some(_) => Err(Refusal::OtherDraw(*id)),
        },
    }
}
