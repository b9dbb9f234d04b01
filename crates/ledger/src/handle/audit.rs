//! An auditor ran a final task again and found the same.

use crate::{Effect, Ledger, Refusal};
use identity::Signed;
use protocol::Audit;

pub(crate) fn apply(
    ledger: &mut Ledger,
    audit: &Signed<Audit>,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let by = audit.by;
    let Audit { job, task, outcome } = audit.payload;
    let duty = ledger.audits.duty(&job, task).filter(|duty| duty.auditors.contains(&by));
    let duty = duty.ok_or(Refusal::NotAnAuditor(by))?;
    if duty.answered.contains(&by) {
        return Err(Refusal::NothingNew);
    }
    if duty.outcome != outcome {
        return Err(Refusal::Differs { job, task });
    }
    if ledger.audits.answer(&job, task, by) {
        ledger.jobs.audited(&job);
    }
    effects.push(Effect::Audited { job, task, by });
    Ok(())
}
