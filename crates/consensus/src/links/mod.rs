//! The engine's network, carried over our streams: one stream per validator, channel and direction.
//!
//! Whoever opens a stream writes, whoever accepts it reads; the acceptor first writes one byte, so
//! that an opener knows that its stream arrived. Frames are those of [`protocol::port`]. A
//! validator that sends too much at once or what does not decode is blocked until this node
//! restarts. Nothing is queued for a validator that is not connected: the engine repeats what
//! matters.

mod accept;
mod blocker;
mod dial;
mod inbox;
mod kind;
mod queue;
mod roster;
mod sender;
mod table;

use crate::{
    Event,
    convert::Key,
    engine::{Channel, Channels, Net, message_limits},
    journal::FirstVote,
};
use blocker::LinkBlocker;
use commonware_runtime::{Clock, Spawner};
use commonware_utils::ordered::Set;
use inbox::LinkReceiver;
use kind::Kind;
use protocol::port::{Events, Incoming, StreamError, Streams};
use roster::Roster;
use sender::LinkSender;
use std::{collections::BTreeMap, sync::Arc};
use table::Table;
use tokio::sync::mpsc;

/// The engine's network over our streams.
pub(crate) struct Links;

impl Net for Links {
    type Sender = LinkSender;
    type Receiver = LinkReceiver;
    type Blocker = LinkBlocker;
    type Peers = Roster;
}

/// The streams port with our protocols taken.
pub(crate) struct Ports {
    streams: Arc<dyn Streams>,
    incoming: BTreeMap<Kind, Events<Incoming>>,
}

impl Ports {
    /// Takes all protocols of validators.
    ///
    /// # Errors
    /// If one of them is taken already.
    pub(crate) fn take(streams: Arc<dyn Streams>) -> Result<Self, StreamError> {
        let mut incoming = BTreeMap::new();
        for kind in Kind::ALL {
            incoming.insert(kind, streams.accept(kind.protocol())?);
        }
        Ok(Self { streams, incoming })
    }
}

/// Connects to the other validators and keeps at it, in tasks below `context`. Also gives what
/// resolves, with the reason, when no more streams arrive.
pub(crate) fn open<E: Spawner + Clock>(
    context: &E,
    ports: Ports,
    validators: Set<Key>,
    first_vote: FirstVote,
    events: mpsc::Sender<Event>,
) -> (Channels<Links>, mpsc::Receiver<String>) {
    let (small, large) = message_limits(validators.len());
    let Ports { streams, mut incoming } = ports;
    let table = Arc::new(Table::new(streams, &validators, small, large, events));
    for peer in table.peers() {
        let (table, peer) = (table.clone(), peer.clone());
        context.child("dial").spawn(move |clock| dial::keep(clock, table, peer));
    }
    let changes = table.clone();
    context.child("changes").spawn(move |_| dial::watch(changes));
    let first_vote = Arc::new(first_vote);
    let (end, ended) = mpsc::channel(Kind::ALL.len());
    let mut channel = |kind: Kind| -> Channel<Links> {
        let limit = kind.limit(small, large);
        let (inbox, receiver) = LinkReceiver::new(limit);
        let incoming = incoming.remove(&kind).expect("every protocol was taken");
        let acceptor =
            accept::Acceptor { table: table.clone(), kind, limit, inbox, end: end.clone() };
        context.child("accept").spawn(move |context| acceptor.run(context, incoming));
        let first_vote = (kind == Kind::Votes).then(|| first_vote.clone());
        (LinkSender::new(table.clone(), kind, limit, first_vote), receiver)
    };
    let channels = Channels {
        votes: channel(Kind::Votes),
        certificates: channel(Kind::Certificates),
        resolver: channel(Kind::Resolver),
        backfill: channel(Kind::Backfill),
        blocks: channel(Kind::Blocks),
        mempool: channel(Kind::Mempool),
        blocker: LinkBlocker::new(table.clone()),
        peers: Roster::new(validators),
        arrivals: table.arrivals(),
    };
    (channels, ended)
}
