//! Peers exchange blocks, and liars and gluttons gain nothing by it.

mod fetching;
mod serving;
mod wire;

use super::{
    message::{Entry, Kind, Message, Payload, read_body, read_length, write},
    name::Name,
    *,
};
use crate::{exchange::Serve, lock::lock};
use bytes::Bytes;
use futures::{StreamExt, future};
use identity::{PublicKey, SecretKey};
use objects::{Block, Cid, Codec};
use protocol::{
    Time,
    port::{Answer, Blobs, Clock, Events, Incoming, Stream, Streams},
};
use sim::{
    blobs::{MemoryBlobs, blob},
    streams::{Mesh, MeshNode},
};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed([seed; 32]).public()
}

/// A clock that goes on only when it is told to.
#[derive(Clone)]
struct Hands(watch::Sender<u64>);

impl Hands {
    fn new() -> Self {
        Self(watch::channel(1_000_000).0)
    }

    fn advance(&self, ms: u64) {
        self.0.send_modify(|now| *now += ms);
    }
}

impl Clock for Hands {
    fn now(&self) -> Time {
        Time(*self.0.borrow())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= at.0).await.is_err() {
                future::pending().await
            }
        })
    }
}

/// Who may not have what.
#[derive(Default)]
struct Gate(Mutex<Vec<Cid>>);

impl Serve for Gate {
    fn may_serve(&self, _: PublicKey, cid: &Cid) -> bool {
        !lock(&self.0).contains(cid)
    }
}

/// A node with bitswap.
struct Node {
    bitswap: Bitswap,
    blobs: MemoryBlobs,
    clock: Hands,
    gate: Arc<Gate>,
    service: Server,
}

fn node(mesh: &Mesh, seed: u8, config: Config) -> Node {
    let (blobs, clock, gate) = (MemoryBlobs::new(), Hands::new(), Arc::new(Gate::default()));
    let started = start(
        Arc::new(blobs.clone()),
        mesh.node(key(seed)),
        Arc::new(clock.clone()),
        gate.clone(),
        config,
    );
    let (bitswap, service) = started.expect("the protocol is free");
    Node { bitswap, blobs, clock, gate, service }
}

impl Node {
    async fn keep(&self, blobs: &[(Cid, Bytes)]) {
        self.blobs.put(blobs.to_vec()).await.expect("memory takes it");
    }

    async fn has(&self, cid: Cid) -> bool {
        self.blobs.has(vec![cid]).await.expect("memory answers")[0]
    }
}

/// A peer that says whatever a test wants.
struct Peer {
    node: Arc<MeshNode>,
    incoming: Events<Incoming>,
    stream: Option<Stream>,
}

impl Peer {
    fn new(mesh: &Mesh, seed: u8) -> Self {
        Self::speaking(mesh, seed, PROTOCOL)
    }

    fn speaking(mesh: &Mesh, seed: u8, protocol: Protocol) -> Self {
        let node = mesh.node(key(seed));
        let incoming = node.accept(protocol).expect("the protocol is free");
        Self { node, incoming, stream: None }
    }

    async fn say(&self, to: u8, message: &Message) {
        let mut stream = self.node.open(key(to), PROTOCOL).await.expect("a stream");
        write(&mut stream, &message.encode()).await.expect("it is open");
    }

    /// The next message, on whatever stream it comes.
    async fn hear(&mut self) -> Message {
        loop {
            if let Some(stream) = &mut self.stream {
                if let Some(length) = read_length(stream).await.expect("a message") {
                    let body = read_body(stream, length, || {}).await.expect("all of it");
                    return Message::decode(body).expect("well formed");
                }
                self.stream = None;
            }
            self.stream = Some(self.incoming.next().await.expect("a stream").stream);
        }
    }
}

fn want(cid: &Cid, kind: Kind) -> Entry {
    let name = Name::of(cid);
    Entry { name, priority: 1, cancel: false, kind, send_dont_have: true }
}

fn wants(entries: impl IntoIterator<Item = Entry>) -> Message {
    Message { wants: entries.into_iter().collect(), ..Message::default() }
}

fn payload((cid, bytes): &(Cid, Bytes)) -> Payload {
    Payload { prefix: Name::of(cid).prefix().into(), data: bytes.clone() }
}
