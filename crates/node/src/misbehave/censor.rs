//! Proposes nothing that is of one of the founders.

use crate::chain::Proposing;
use identity::PublicKey;
use protocol::{Genesis, Tx};

/// The first founder whose node this is not.
pub(super) struct Censor {
    victim: Option<PublicKey>,
}

impl Censor {
    pub(super) fn new(me: PublicKey, genesis: &Genesis) -> Self {
        let other = genesis.founders.iter().find(|founder| founder.payload.node != me);
        Self { victim: other.map(|founder| founder.by) }
    }
}

impl Proposing for Censor {
    fn considers(&self, tx: &Tx) -> bool {
        let of = match tx {
            Tx::Agree(agreements) => Some(agreements.order.by),
            Tx::Order(order) => Some(order.by),
            _ => None,
        };
        of.is_none() || of != self.victim
    }
}
