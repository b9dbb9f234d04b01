//! Blocking validators that break the rules.

use super::table::Table;
use crate::{convert, convert::Key};
use commonware_actor::Feedback;
use commonware_p2p::{BlockedSubscription, Blocker};
use commonware_utils::{NZUsize, channel::ring};
use protocol::port::Offence;
use std::sync::Arc;

/// What the engine calls when a validator breaks the rules.
#[derive(Clone)]
pub(crate) struct LinkBlocker {
    table: Arc<Table>,
}

impl LinkBlocker {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self { table }
    }
}

impl Blocker for LinkBlocker {
    type PublicKey = Key;

    fn block(&mut self, peer: Key) -> Feedback {
        self.table.block(&convert::public(&peer), Offence::Malformed);
        Feedback::Ok
    }

    fn blocked(&mut self) -> BlockedSubscription<Key> {
        let (sender, receiver) = ring::channel(NZUsize!(1));
        self.table.subscribe(sender);
        receiver
    }
}
