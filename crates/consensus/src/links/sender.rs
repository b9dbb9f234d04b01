//! Sending: into the queues of those who are connected.

use super::{
    kind::Kind,
    table::{Peer, Table},
};
use crate::{convert, convert::Key, journal::FirstVote};
use bytes::Bytes;
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::{CheckedSender, LimitedSender, Recipients};
use commonware_runtime::IoBufs;
use std::{sync::Arc, time::SystemTime};

/// The sending end of one channel.
#[derive(Clone)]
pub(crate) struct LinkSender {
    table: Arc<Table>,
    kind: Kind,
    limit: usize,
    /// On the channel of votes: what must be on disk before one leaves.
    first_vote: Option<Arc<FirstVote>>,
}

impl LinkSender {
    pub(super) fn new(
        table: Arc<Table>,
        kind: Kind,
        limit: usize,
        first_vote: Option<Arc<FirstVote>>,
    ) -> Self {
        Self { table, kind, limit, first_vote }
    }
}

impl LimitedSender for LinkSender {
    type PublicKey = Key;
    type Checked<'a> = Addressed<'a>;

    fn check(&mut self, recipients: Recipients<Key>) -> Result<Addressed<'_>, SystemTime> {
        let reachable = |peer: &&Arc<Peer>| peer.is_connected() && !peer.is_blocked();
        let named = |key: &Key| self.table.find(&convert::public(key));
        let peers = match &recipients {
            Recipients::All => self.table.peers().filter(reachable).cloned().collect(),
            Recipients::Some(keys) => {
                keys.iter().filter_map(named).filter(reachable).cloned().collect()
            }
            Recipients::One(key) => named(key).into_iter().filter(reachable).cloned().collect(),
        };
        Ok(Addressed { sender: self, peers })
    }
}

/// A message's way, known before the message.
pub(crate) struct Addressed<'a> {
    sender: &'a LinkSender,
    peers: Vec<Arc<Peer>>,
}

impl CheckedSender for Addressed<'_> {
    type PublicKey = Key;

    fn recipients(&self) -> Vec<Key> {
        self.peers.iter().map(|peer| peer.key.clone()).collect()
    }

    fn send(self, message: impl Into<IoBufs> + Send, urgent: bool) -> Unreliable<Feedback> {
        let Self { sender, peers } = self;
        if let Some(first_vote) = &sender.first_vote {
            first_vote.before_vote();
        }
        let frame = Bytes::from(message.into().coalesce());
        if frame.len() > sender.limit {
            tracing::error!(channel = %sender.kind.protocol(), size_bytes = frame.len(),
                limit_bytes = sender.limit, "a message that no validator would take is not sent");
            return Unreliable::Rejected;
        }
        if peers.is_empty() {
            return Unreliable::Rejected;
        }
        for peer in peers {
            peer.queue(sender.kind).push(frame.clone(), urgent);
        }
        Unreliable::new(Feedback::Ok)
    }
}
