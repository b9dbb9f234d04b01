//! A node accuses another one of contradicting itself.

use super::order;
use crate::{CheckedTx, Effect, Ledger, Refusal};
use identity::{Digest, Signed, canonical};
use protocol::{Accusation, Cause, Height, Right, Time};

pub(crate) fn apply(
    ledger: &mut Ledger,
    (height, time): (Height, Time),
    (accusation, proven): (&Signed<Accusation>, Option<&Cause>),
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let author = ledger.owner_of(&accusation.by)?;
    let Accusation { against, issued, .. } = &accusation.payload;
    if let Some(sanction) = ledger.standing.active(&author, Right::Dispute) {
        return Err(Refusal::Barred { owner: author, until: sanction.until });
    }
    let expires = issued.after_ms(ledger.params.job_lifetime_ms);
    if expires < time {
        return Err(Refusal::Expired { expires, time });
    }
    order::check_issued(ledger, *issued, time)?;
    let accused = ledger.owner_of(against)?;
    let only_validators = |cause: &&Cause| {
        let of_validators = matches!(cause, Cause::Votes { .. } | Cause::Verdicts { .. });
        !of_validators || ledger.validators.binary_search(against).is_ok()
    };
    let at = (checked.digest(), height, time);
    match proven.filter(only_validators) {
        Some(cause)
            if ledger.standing.is_known(against, cause)
                || ledger.standing.is_found_out(against, &accused) =>
        {
            Err(Refusal::NothingNew)
        }
        Some(cause) => {
            ledger.standing.succeed(&author);
            ledger.find(*against, cause, at, effects);
            Ok(())
        }
        None => {
            // By what was signed, so that nobody can make one accusation into two.
            let signed = canonical::encode(&(&accusation.payload, accusation.by));
            let name = Digest::of("polity accusation", &[&signed]);
            if !ledger.standing.remember_failed(name, expires) {
                return Err(Refusal::NothingNew);
            }
            effects.push(Effect::Unfounded { by: accusation.by, against: *against, height });
            ledger.fail((author, accusation.by), at, effects);
            Ok(())
        }
    }
}
