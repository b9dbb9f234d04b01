//! What each transaction does, one file for each.

mod accuse;
mod admit;
mod agree;
mod audit;
mod dispute;
mod order;
mod second;
mod verdict;

use crate::{CheckedTx, Effect, Ledger, Refusal, checked::Found};
use protocol::{Height, Time, Tx};

/// Applies one transaction of the block at `height`. On a refusal the state is unchanged.
pub(crate) fn tx(
    ledger: &mut Ledger,
    height: Height,
    time: Time,
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let at = (height, time);
    match (checked.tx(), checked.found()) {
        (Tx::Admit(admission), _) => admit::apply(ledger, height, time, admission, effects),
        (Tx::Second(seconding), _) => second::apply(ledger, height, seconding, effects),
        (Tx::Order(order), Found::Ordered(id)) => order::apply(ledger, at, (id, order), effects),
        (Tx::Audit(audit), _) => audit::apply(ledger, audit, effects),
        (Tx::Verdict(verdicts), _) => verdict::apply(ledger, at, verdicts, checked, effects),
        (Tx::Agree(agreements), Found::Settled(id, settled)) => {
            agree::apply(ledger, at, (id, agreements, settled), checked, effects)
        }
        (Tx::Dispute(dispute), Found::Claimed(claimed)) => {
            dispute::apply(ledger, at, (dispute, claimed), checked, effects)
        }
        (Tx::Accuse(accusation), Found::Proven(proven)) => {
            accuse::apply(ledger, at, (accusation, proven.as_ref()), checked, effects)
        }
        (Tx::Order(_) | Tx::Agree(_) | Tx::Dispute(_) | Tx::Accuse(_), _) => {
            Err(Refusal::Unchecked)
        }
    }
}
