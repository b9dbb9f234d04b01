//! What each transaction does, one file for each.

mod admit;
mod agree;
mod second;

use crate::{CheckedTx, Effect, Ledger, Refusal};
use protocol::{Height, Time, Tx};

/// Applies one transaction of the block at `height`. On a refusal the state is unchanged.
pub(crate) fn tx(
    ledger: &mut Ledger,
    height: Height,
    time: Time,
    checked: &CheckedTx,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    match checked.tx() {
        Tx::Admit(admission) => admit::apply(ledger, height, time, admission, effects),
        Tx::Second(seconding) => second::apply(ledger, height, seconding, effects),
        Tx::Agree(agreements) => agree::apply(ledger, height, time, agreements, checked, effects),
    }
}
