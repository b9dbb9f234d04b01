//! Streams and gossip between nodes in memory.

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt, future,
    io::{AsyncRead, AsyncWrite},
    stream,
};
use identity::PublicKey;
use protocol::port::{
    Answer, Events, Gossip, GossipError, Incoming, Message, Offence, PeerEvent, Protocol, Stream,
    StreamError, Streams, Topic,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::{broadcast, mpsc, watch},
};
use tokio_util::{
    compat::{Compat, TokioAsyncReadCompatExt},
    sync::{CancellationToken, WaitForCancellationFutureOwned},
};

/// Bytes that a stream holds before its writer has to wait.
const STREAM_BYTES: usize = 64 << 10;
/// Streams that wait to be accepted.
const ACCEPT_QUEUE: usize = 64;
/// Events that a slow listener may have before it misses some.
const EVENT_QUEUE: usize = 1024;
/// The largest gossip payload, in bytes.
const GOSSIP_BYTES: usize = 64 << 10;

/// A set of nodes that are all connected with each other, except where links are cut.
#[derive(Clone, Default)]
pub struct Mesh(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    nodes: BTreeMap<PublicKey, Node>,
    /// Pairs without a link, the smaller key first.
    cut: BTreeSet<(PublicKey, PublicKey)>,
    /// Ends the streams of a pair when its link is cut.
    links: HashMap<(PublicKey, PublicKey), CancellationToken>,
    /// Ways, from one node to another, on which nothing arrives.
    silent: BTreeSet<(PublicKey, PublicKey)>,
    /// Swallows what is written on a way when it is cut.
    ways: HashMap<(PublicKey, PublicKey), CancellationToken>,
    offences: Vec<(PublicKey, PublicKey, Offence)>,
    offended: Option<watch::Sender<usize>>,
}

struct Node {
    acceptors: HashMap<Protocol, mpsc::Sender<Incoming>>,
    events: broadcast::Sender<PeerEvent>,
    topics: HashMap<Topic, broadcast::Sender<Message>>,
    opened: usize,
}

/// One node's view of a [`Mesh`]: both its streams and its gossip.
#[derive(Clone)]
pub struct MeshNode {
    me: PublicKey,
    mesh: Mesh,
}

impl Mesh {
    /// A mesh without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The node with this key; it joins the mesh if it is not in it yet.
    pub fn node(&self, key: PublicKey) -> Arc<MeshNode> {
        let mut state = self.state();
        if !state.nodes.contains_key(&key) {
            state.tell(key, PeerEvent::Up);
            let (events, _) = broadcast::channel(EVENT_QUEUE);
            let node =
                Node { acceptors: HashMap::new(), events, topics: HashMap::new(), opened: 0 };
            state.nodes.insert(key, node);
        }
        Arc::new(MeshNode { me: key, mesh: self.clone() })
    }

    /// Cuts the link between two nodes: their streams fail, and no new ones open.
    pub fn cut(&self, a: PublicKey, b: PublicKey) {
        let mut state = self.state();
        if state.cut.insert(pair(a, b)) {
            if let Some(link) = state.links.remove(&pair(a, b)) {
                link.cancel();
            }
            state.tell_pair(a, b, PeerEvent::Down);
        }
    }

    /// Restores the link between two nodes.
    pub fn heal(&self, a: PublicKey, b: PublicKey) {
        let mut state = self.state();
        if state.cut.remove(&pair(a, b)) {
            state.tell_pair(a, b, PeerEvent::Up);
        }
    }

    /// Cuts one way only: what `from` writes is lost without a word, and it opens no streams to `to`.
    pub fn cut_way(&self, from: PublicKey, to: PublicKey) {
        let mut state = self.state();
        if state.silent.insert((from, to)) {
            state.way(from, to).cancel();
        }
    }

    /// Restores a way. The streams of the pair fail: they have lost bytes.
    pub fn heal_way(&self, from: PublicKey, to: PublicKey) {
        let mut state = self.state();
        if state.silent.remove(&(from, to)) {
            state.ways.remove(&(from, to));
            if let Some(link) = state.links.remove(&pair(from, to)) {
                link.cancel();
            }
        }
    }

    /// All offences so far: who noted it, whose it was, and what.
    pub fn offences(&self) -> Vec<(PublicKey, PublicKey, Offence)> {
        self.state().offences.clone()
    }

    /// Waits until there are at least `count` offences.
    pub async fn offended(&self, count: usize) {
        let mut offended = self.state().offended().subscribe();
        // The sender lives as long as the mesh, which `self` keeps.
        let reached = offended.wait_for(|have| *have >= count).await.is_ok();
        assert!(reached, "the mesh went away while it was in use");
    }

    /// How many streams the node has opened so far.
    pub fn opened(&self, by: PublicKey) -> usize {
        self.state().nodes.get(&by).map_or(0, |node| node.opened)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair(a: PublicKey, b: PublicKey) -> (PublicKey, PublicKey) {
    (a.min(b), a.max(b))
}

impl State {
    fn is_linked(&self, a: PublicKey, b: PublicKey) -> bool {
        a != b && self.nodes.contains_key(&b) && !self.cut.contains(&pair(a, b))
    }

    fn way(&mut self, from: PublicKey, to: PublicKey) -> CancellationToken {
        self.ways.entry((from, to)).or_default().clone()
    }

    fn peers(&self, of: PublicKey) -> Vec<PublicKey> {
        self.nodes.keys().copied().filter(|peer| self.is_linked(of, *peer)).collect()
    }

    /// Tells all who are linked to `key` about it.
    fn tell(&self, key: PublicKey, event: fn(PublicKey) -> PeerEvent) {
        for (peer, node) in &self.nodes {
            if !self.cut.contains(&pair(key, *peer)) {
                // Without a listener nobody needs to know.
                drop(node.events.send(event(key)));
            }
        }
    }

    fn tell_pair(&self, a: PublicKey, b: PublicKey, event: fn(PublicKey) -> PeerEvent) {
        for (to, about) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get(&to) {
                drop(node.events.send(event(about)));
            }
        }
    }

    fn offended(&mut self) -> &watch::Sender<usize> {
        self.offended.get_or_insert_with(|| watch::channel(0).0)
    }

    fn open(
        &mut self,
        from: PublicKey,
        to: PublicKey,
        protocol: Protocol,
    ) -> Result<Stream, StreamError> {
        if !self.is_linked(from, to) || self.silent.contains(&(from, to)) {
            return Err(StreamError::Unreachable(to));
        }
        let link = self.links.entry(pair(from, to)).or_default().clone();
        let (there, back) = (self.way(from, to), self.way(to, from));
        let acceptor = self.nodes.get(&to).and_then(|node| node.acceptors.get(&protocol));
        let acceptor = acceptor.filter(|acceptor| !acceptor.is_closed());
        let acceptor = acceptor.ok_or(StreamError::Unsupported(to, protocol))?;
        let (near, far) = duplex(STREAM_BYTES);
        let incoming =
            Incoming { peer: from, stream: Box::new(Wire::new(far, link.clone(), back)) };
        // With a full queue the far end is dropped, and the opener sees its stream close.
        drop(acceptor.try_send(incoming));
        if let Some(node) = self.nodes.get_mut(&from) {
            node.opened += 1;
        }
        Ok(Box::new(Wire::new(near, link, there)))
    }
}

impl Streams for MeshNode {
    fn me(&self) -> PublicKey {
        self.me
    }

    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>> {
        let node = self.clone();
        future::lazy(move |_| node.mesh.state().open(node.me, peer, protocol)).boxed()
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        let mut state = self.mesh.state();
        let node = state.nodes.get_mut(&self.me).ok_or(StreamError::Closed)?;
        if node.acceptors.get(&protocol).is_some_and(|acceptor| !acceptor.is_closed()) {
            return Err(StreamError::Taken(protocol));
        }
        let (sender, receiver) = mpsc::channel(ACCEPT_QUEUE);
        node.acceptors.insert(protocol, sender);
        let next = |mut receiver: mpsc::Receiver<Incoming>| async move {
            Some((receiver.recv().await?, receiver))
        };
        Ok(stream::unfold(receiver, next).boxed())
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.mesh.state().peers(self.me)
    }

    fn events(&self) -> Events<PeerEvent> {
        let state = self.mesh.state();
        let Some(node) = state.nodes.get(&self.me) else { return stream::empty().boxed() };
        let up: Vec<_> = state.peers(self.me).into_iter().map(PeerEvent::Up).collect();
        stream::iter(up).chain(listen(node.events.subscribe())).boxed()
    }

    /// In memory nobody needs an address.
    fn know(&self, _: PublicKey, _: Vec<String>) {}

    fn penalise(&self, peer: PublicKey, offence: Offence) {
        let mut state = self.mesh.state();
        state.offences.push((self.me, peer, offence));
        let count = state.offences.len();
        state.offended().send_replace(count);
    }
}

impl Gossip for MeshNode {
    fn publish(&self, topic: Topic, bytes: Bytes) -> Result<(), GossipError> {
        let (size_bytes, limit_bytes) = (bytes.len(), GOSSIP_BYTES);
        if size_bytes > limit_bytes {
            return Err(GossipError::TooLarge { size_bytes, limit_bytes });
        }
        let state = self.mesh.state();
        let mut heard = 0;
        for peer in state.peers(self.me) {
            let listeners = state.nodes.get(&peer).and_then(|node| node.topics.get(&topic));
            let message = Message { source: self.me, bytes: bytes.clone() };
            heard += listeners.and_then(|all| all.send(message).ok()).unwrap_or_default();
        }
        if heard == 0 { Err(GossipError::NoPeers) } else { Ok(()) }
    }

    fn subscribe(&self, topic: Topic) -> Events<Message> {
        let mut state = self.mesh.state();
        let Some(node) = state.nodes.get_mut(&self.me) else { return stream::empty().boxed() };
        let sender = node.topics.entry(topic);
        let sender = sender.or_insert_with(|| broadcast::channel(EVENT_QUEUE).0);
        listen(sender.subscribe())
    }
}

/// What is sent from now on. A listener that is too slow misses the oldest.
fn listen<T: Clone + Send + 'static>(receiver: broadcast::Receiver<T>) -> Events<T> {
    let next = |mut receiver: broadcast::Receiver<T>| async move {
        loop {
            match receiver.recv().await {
                Ok(item) => return Some((item, receiver)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    };
    stream::unfold(receiver, next).boxed()
}

/// One end of a stream, which fails when its link is cut.
struct Wire {
    bytes: Compat<DuplexStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The way from this end to the other.
    way: CancellationToken,
}

impl Wire {
    fn new(bytes: DuplexStream, link: CancellationToken, way: CancellationToken) -> Self {
        Self { bytes: bytes.compat(), cut: Box::pin(link.cancelled_owned()), way }
    }

    /// Fails if the link is cut; otherwise the task is woken when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll_unpin(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.bytes).poll_read(context, out)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        if self.way.is_cancelled() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.bytes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{AsyncReadExt, AsyncWriteExt};
    use identity::SecretKey;

    const ECHO: Protocol = Protocol("/test/echo/1");
    const NEWS: Topic = Topic("test/news/1");

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_seed([seed; 32]).public()
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_the_link_is_cut() {
        let mesh = Mesh::new();
        let (a, b) = (mesh.node(key(1)), mesh.node(key(2)));
        let mut accepted = b.accept(ECHO).expect("free");
        let mut near = a.open(key(2), ECHO).await.expect("open");
        let mut far = accepted.next().await.expect("a stream");
        assert_eq!((far.peer, mesh.opened(key(1))), (key(1), 1));
        near.write_all(b"ping").await.expect("sent");
        let mut four = [0; 4];
        far.stream.read_exact(&mut four).await.expect("received");
        far.stream.write_all(&four).await.expect("sent");
        near.read_exact(&mut four).await.expect("received");
        assert_eq!(&four, b"ping");

        mesh.cut(key(2), key(1));
        let reset = near.read_exact(&mut four).await.expect_err("cut");
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        let refused = a.open(key(2), ECHO).await.map(drop);
        assert_eq!(refused, Err(StreamError::Unreachable(key(2))));
        mesh.heal(key(1), key(2));
        a.open(key(2), ECHO).await.expect("open again");
    }

    #[tokio::test]
    async fn a_way_that_is_cut_takes_bytes_and_brings_none() {
        let mesh = Mesh::new();
        let (a, b) = (mesh.node(key(1)), mesh.node(key(2)));
        let mut accepted = b.accept(ECHO).expect("free");
        let mut near = a.open(key(2), ECHO).await.expect("open");
        let mut far = accepted.next().await.expect("a stream").stream;
        mesh.cut_way(key(1), key(2));
        near.write_all(b"lost").await.expect("swallowed");
        far.write_all(b"back").await.expect("sent");
        let mut four = [0; 4];
        near.read_exact(&mut four).await.expect("the other way is whole");
        assert_eq!(&four, b"back");
        let refused = a.open(key(2), ECHO).await.map(drop);
        assert_eq!(refused, Err(StreamError::Unreachable(key(2))));
        mesh.heal_way(key(1), key(2));
        let reset = far.read_exact(&mut four).await.expect_err("bytes are missing");
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        a.open(key(2), ECHO).await.expect("open again");
    }

    #[tokio::test]
    async fn one_acceptor_per_protocol_and_none_means_unsupported() {
        let mesh = Mesh::new();
        let (a, b) = (mesh.node(key(1)), mesh.node(key(2)));
        let none = a.open(key(2), ECHO).await.map(drop);
        assert_eq!(none, Err(StreamError::Unsupported(key(2), ECHO)));
        let accepted = b.accept(ECHO).expect("free");
        assert_eq!(b.accept(ECHO).map(drop), Err(StreamError::Taken(ECHO)));
        drop(accepted);
        drop(b.accept(ECHO).expect("free again"));
    }

    #[tokio::test]
    async fn peers_come_and_go() {
        let mesh = Mesh::new();
        let a = mesh.node(key(1));
        mesh.node(key(2));
        let mut events = a.events();
        assert_eq!(events.next().await, Some(PeerEvent::Up(key(2))));
        mesh.node(key(3));
        assert_eq!(events.next().await, Some(PeerEvent::Up(key(3))));
        mesh.cut(key(1), key(2));
        assert_eq!(events.next().await, Some(PeerEvent::Down(key(2))));
        assert_eq!(a.peers(), [key(3)]);
        mesh.heal(key(1), key(2));
        assert_eq!(events.next().await, Some(PeerEvent::Up(key(2))));
    }

    #[tokio::test]
    async fn gossip_reaches_listeners_that_are_linked() {
        let mesh = Mesh::new();
        let (a, b, c) = (mesh.node(key(1)), mesh.node(key(2)), mesh.node(key(3)));
        let news = Bytes::from_static(b"news");
        assert_eq!(a.publish(NEWS, news.clone()), Err(GossipError::NoPeers));
        let (mut at_b, mut at_c) = (b.subscribe(NEWS), c.subscribe(NEWS));
        mesh.cut(key(1), key(3));
        a.publish(NEWS, news.clone()).expect("b listens");
        mesh.heal(key(1), key(3));
        a.publish(NEWS, Bytes::from_static(b"more")).expect("both listen");
        assert_eq!(at_b.next().await, Some(Message { source: key(1), bytes: news }));
        assert_eq!(at_c.next().await.expect("a message").bytes, "more");
        let large = Bytes::from(vec![0; GOSSIP_BYTES + 1]);
        assert!(matches!(a.publish(NEWS, large), Err(GossipError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn offences_are_seen() {
        let mesh = Mesh::new();
        let a = mesh.node(key(1));
        let noting = async { a.penalise(key(2), Offence::Malformed) };
        tokio::join!(mesh.offended(1), noting);
        assert_eq!(mesh.offences(), [(key(1), key(2), Offence::Malformed)]);
    }
}
