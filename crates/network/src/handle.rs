//! The handle to a running network: cheap to clone, usable from any task and any runtime.

use crate::{
    Address, Config, Error, Record, Refused,
    address::{believable, peer_id, without_peer},
    book::{Book, Place},
    config::multiaddr,
    gossip::{Listeners, Publication, Topics},
    guests::Guests,
    lock::lock,
    names::Names,
    offences::Offences,
    peers::{self, Sessions},
    providers::Ask,
    streams::{AcceptError, Acceptors, Failure, Opened},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use identity::PublicKey;
use libp2p::{Multiaddr, StreamProtocol};
use objects::Cid;
use protocol::port::{
    Answer, Events, Gossip, GossipError, Incoming, Message, Offence, PeerEvent, Protocol,
    ProvideError, Providers, Stream, StreamError, Streams, Topic,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

/// How often a stream is tried again whose connection broke while it opened.
const ATTEMPTS: usize = 3;

/// What the handle and the network's thread share. Each lock is held for a few statements.
pub(crate) struct Shared {
    pub(crate) me: PublicKey,
    pub(crate) config: Config,
    pub(crate) names: Names,
    pub(crate) acceptors: Arc<Acceptors>,
    pub(crate) topics: Topics,
    pub(crate) book: Mutex<Book>,
    pub(crate) offences: Mutex<Offences>,
    pub(crate) refused: Mutex<Refused>,
    pub(crate) guests: Mutex<Guests>,
    /// Tells the thread that the book, the bans or the topics changed.
    pub(crate) changed: Notify,
}

impl Shared {
    /// Counts an offence; the one that is too many bans the peer.
    pub(crate) fn penalise(&self, peer: PublicKey, offence: Offence) {
        let banned = lock(&self.offences).count(peer, offence, Instant::now());
        tracing::debug!(?peer, ?offence, banned, "an offence");
        if banned {
            let ban_ms = self.config.ban_ms;
            tracing::warn!(%peer, ban_ms, "a peer is refused for a while after too many offences");
            self.changed.notify_one();
        }
    }
}

/// A stream to open.
pub(crate) struct Open {
    pub(crate) peer: PublicKey,
    pub(crate) protocol: StreamProtocol,
    pub(crate) reply: oneshot::Sender<Opened>,
}

/// Where this node listens.
#[derive(Clone, Default)]
pub(crate) struct Listening {
    /// Listeners that have not said yet which address they got.
    pub(crate) waiting: usize,
    pub(crate) addresses: Vec<Multiaddr>,
}

/// A running network. Clones are one network; it ends with [`crate::Service`].
#[derive(Clone)]
pub struct Network {
    pub(crate) shared: Arc<Shared>,
    pub(crate) opens: mpsc::Sender<Open>,
    pub(crate) outbox: mpsc::Sender<Publication>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) sessions: watch::Receiver<Sessions>,
    pub(crate) listening: watch::Receiver<Listening>,
    pub(crate) listeners: watch::Receiver<Listeners>,
    pub(crate) versions: watch::Receiver<u64>,
    pub(crate) connections: watch::Receiver<usize>,
}

impl Network {
    /// Where this node listens now, to be given to others.
    pub fn addresses(&self) -> Vec<Address> {
        let addresses = self.listening.borrow().addresses.clone();
        let announced = self.shared.config.announce.iter().filter_map(|text| text.parse().ok());
        let all: BTreeSet<Multiaddr> = addresses.into_iter().chain(announced).collect();
        let peer = self.shared.me;
        all.into_iter().map(|a| Address { peer, at: without_peer(a).to_string() }).collect()
    }

    /// As [`Network::addresses`], once every listener has got an address. Empty if the network
    /// closed before.
    pub async fn listening(&self) -> Vec<Address> {
        let mut listening = self.listening.clone();
        match listening.wait_for(|listening| listening.waiting == 0).await {
            Ok(_) => self.addresses(),
            Err(_) => Vec::new(),
        }
    }

    /// What peers did wrong since the start.
    pub fn offences(&self) -> Vec<(PublicKey, Record)> {
        lock(&self.shared.offences).records()
    }

    /// Connections that were refused since the start.
    pub fn refused(&self) -> Refused {
        lock(&self.shared.refused).clone()
    }

    /// Remembers where a peer of no polity is, so that [`Streams::open`] reaches it with a protocol
    /// that is not ours. No connection is made before, and none is kept when it is not used.
    ///
    /// # Errors
    /// [`Error::Address`] if no transport here can use the address.
    pub fn know_guest(&self, address: &Address) -> Result<(), Error> {
        let at = multiaddr(&address.at)?;
        lock(&self.shared.guests).know(address, at);
        Ok(())
    }

    /// The guests that are connected now. They are not among [`Streams::peers`].
    pub fn guests(&self) -> Vec<PublicKey> {
        lock(&self.shared.guests).present().iter().copied().collect()
    }

    /// How many peers listen to a topic: now, and whenever it changes.
    pub fn listeners(&self, topic: Topic) -> Events<usize> {
        let topic = self.shared.names.topic(topic);
        counts(self.listeners.clone(), move |all| all.get(&topic).map_or(0, BTreeSet::len))
    }

    /// How many connections there are: now, and whenever it changes.
    pub fn connections(&self) -> Events<usize> {
        counts(self.connections.clone(), |count| *count)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Versions of what [`Network::book_news`] tells.
    pub(crate) fn book_versions(&self) -> watch::Receiver<u64> {
        self.versions.clone()
    }

    /// Connected peers and where they listen, if that changed after version `since`.
    pub(crate) fn book_news(&self, since: u64) -> Vec<Place> {
        lock(&self.shared.book).news(since)
    }

    /// Notes what `speaker` says about others.
    pub(crate) fn book_hear(&self, speaker: PublicKey, said: Vec<Place>) {
        let neighbour = self.sessions.borrow().get(&speaker).is_some_and(|s| s.loopback);
        let now = Instant::now();
        let mut book = lock(&self.shared.book);
        for (peer, at) in said {
            book.hear(peer, believable(at, neighbour), now);
        }
        drop(book);
        self.shared.changed.notify_one();
    }

    async fn try_open(&self, peer: PublicKey, name: StreamProtocol) -> Result<Opened, StreamError> {
        let (reply, answer) = oneshot::channel();
        let open = Open { peer, protocol: name, reply };
        self.opens.send(open).await.map_err(|_| StreamError::Closed)?;
        // The reply is dropped if the connection breaks in between.
        Ok(answer.await.unwrap_or(Err(Failure::Lost)))
    }
}

/// What `count` says of a value: now, and whenever it changes.
fn counts<T: Send + Sync + 'static>(
    mut watch: watch::Receiver<T>,
    count: impl Fn(&T) -> usize + Send + 'static,
) -> Events<usize> {
    watch.mark_changed();
    stream::unfold((watch, count, None), |(mut watch, count, last)| async move {
        loop {
            watch.changed().await.ok()?;
            let now = count(&watch.borrow_and_update());
            if last != Some(now) {
                return Some((now, (watch, count, Some(now))));
            }
        }
    })
    .boxed()
}

impl Streams for Network {
    fn me(&self) -> PublicKey {
        self.shared.me
    }

    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>> {
        let network = self.clone();
        let name = self.shared.names.protocol(protocol);
        async move {
            for _ in 0..ATTEMPTS {
                return match network.try_open(peer, name.clone()).await? {
                    Ok(stream) => Ok(stream),
                    Err(Failure::Lost) => continue,
                    Err(Failure::Unreachable) => Err(StreamError::Unreachable(peer)),
                    Err(Failure::Unsupported) => Err(StreamError::Unsupported(peer, protocol)),
                    Err(Failure::Busy) => Err(StreamError::Busy(peer)),
                    Err(Failure::Timeout) => Err(StreamError::Timeout(peer)),
                };
            }
            Err(StreamError::Unreachable(peer))
        }
        .boxed()
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        let accepted = self.shared.acceptors.accept(self.shared.names.protocol(protocol));
        let queue = accepted.map_err(|error| match error {
            AcceptError::Taken => StreamError::Taken(protocol),
            AcceptError::Closed => StreamError::Closed,
        })?;
        let next =
            |mut queue: mpsc::Receiver<Incoming>| async { Some((queue.recv().await?, queue)) };
        Ok(stream::unfold(queue, next).boxed())
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.sessions.borrow().keys().copied().collect()
    }

    fn events(&self) -> Events<PeerEvent> {
        peers::events(self.sessions.clone())
    }

    fn know(&self, peer: PublicKey, addresses: Vec<String>) {
        let parsed = addresses.iter().filter_map(|text| match text.parse::<Multiaddr>() {
            Ok(address) => Some(without_peer(address)),
            Err(error) => {
                tracing::warn!(?peer, address = %text, %error, "not an address; it is skipped");
                None
            }
        });
        let parsed = parsed.collect();
        if !lock(&self.shared.book).know(peer, parsed, Instant::now()) {
            tracing::warn!(
                ?peer,
                "no room for one more peer to know; raise network.max_known_peers in config.toml"
            );
        }
        self.shared.changed.notify_one();
    }

    fn penalise(&self, peer: PublicKey, offence: Offence) {
        self.shared.penalise(peer, offence);
    }
}

impl Providers for Network {
    fn provide(&self, cid: Cid) -> Answer<'static, Result<(), ProvideError>> {
        let asks = self.asks.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let closed = |_| ProvideError::Closed;
            asks.send(Ask::Provide(cid, reply)).await.map_err(closed)?;
            answer.await.unwrap_or(Err(ProvideError::Closed))
        }
        .boxed()
    }

    fn withdraw(&self, cid: Cid) {
        if self.asks.try_send(Ask::Withdraw(cid)).is_err() {
            tracing::debug!(%cid, "announced until the network starts again");
        }
    }

    fn find(&self, cid: Cid) -> Answer<'static, Vec<PublicKey>> {
        let asks = self.asks.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            // A closed network, and one with too much to do, find nobody.
            match asks.send(Ask::Find(cid, reply)).await {
                Ok(()) => answer.await.unwrap_or_default(),
                Err(_) => Vec::new(),
            }
        }
        .boxed()
    }
}

impl Gossip for Network {
    fn publish(&self, topic: Topic, bytes: Bytes) -> Result<(), GossipError> {
        let (size_bytes, limit_bytes) = (bytes.len(), self.shared.config.gossip_max_bytes);
        if size_bytes > limit_bytes {
            return Err(GossipError::TooLarge { size_bytes, limit_bytes });
        }
        if self.outbox.is_closed() {
            return Err(GossipError::Closed);
        }
        let topic = self.shared.names.topic(topic);
        if !self.listeners.borrow().contains_key(&topic) {
            return Err(GossipError::NoPeers);
        }
        self.outbox.try_send((topic, bytes.to_vec())).map_err(|error| match error {
            TrySendError::Full(_) => GossipError::Full,
            TrySendError::Closed(_) => GossipError::Closed,
        })
    }

    fn subscribe(&self, topic: Topic) -> Events<Message> {
        let messages = self.shared.topics.subscribe(self.shared.names.topic(topic));
        self.shared.changed.notify_one();
        messages
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({})", peer_id(&self.shared.me))
    }
}
