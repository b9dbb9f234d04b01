//! A validator ran disputed tasks again.

use crate::{CheckedTx, DisputeStatus, Effect, Ledger, Refusal};
use identity::Signed;
use protocol::{Cause, Height, JobId, OutcomeDigest, TaskIndex, Time, Verdicts};

pub(crate) fn apply(
    ledger: &mut Ledger,
    (height, time): (Height, Time),
    verdicts: &Signed<Verdicts>,
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let by = verdicts.by;
    if ledger.validators.binary_search(&by).is_err() {
        return Err(Refusal::NotAValidator(by));
    }
    let mut counted = Vec::new();
    for ruling in &verdicts.payload.rulings {
        let Some(record) = ledger.disputes.get(&ruling.job, ruling.task) else { continue };
        // A validator rules once; what comes later, or too late, changes nothing.
        let said = record.rulings.iter().any(|(validator, _)| *validator == by);
        if record.is_open() && !said {
            counted.push(ruling);
        }
    }
    if counted.is_empty() {
        return Err(Refusal::NothingNew);
    }
    for ruling in counted {
        let (job, task) = (ruling.job, ruling.task);
        if let Some(record) = ledger.disputes.get_mut(&job, task) {
            record.rulings.push((by, ruling.outcome));
            match record.count(ledger.validators.len()) {
                Ok(Some(outcome)) => {
                    decide(ledger, (job, task), outcome, (checked, height, time), effects);
                }
                Ok(None) => {}
                Err(_) => ledger.give_up((job, task), (checked.digest(), height, time), effects),
            }
        }
    }
    Ok(())
}

/// A quorum found the same: everybody who said something else is refuted.
fn decide(
    ledger: &mut Ledger,
    (job, task): (JobId, TaskIndex),
    outcome: OutcomeDigest,
    (checked, height, time): (&CheckedTx, Height, Time),
    effects: &mut Vec<Effect>,
) {
    let Some(record) = ledger.disputes.get_mut(&job, task) else { return };
    record.status = DisputeStatus::Decided { outcome, height };
    let (home, filer, refuted) = (record.home, record.filer, record.others(outcome));
    ledger.standing.succeed(&filer);
    let cause = Cause::Refuted { job, task };
    for node in &refuted {
        ledger.find(*node, &cause, (checked.digest(), height, time), effects);
    }
    let outcome = Some(outcome);
    effects.push(Effect::Ruled { job, task, home, outcome, refuted, height });
}
