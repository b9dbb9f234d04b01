//! Peers of no polity meet a node.

use crate::{
    Address, Config, GuestConfig, Network, Service,
    address::{keypair, peer_id},
    start,
    streams::{self, Acceptors, Opened, Request},
    transport::transport,
};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use identity::{Digest, NetworkId, PublicKey, SecretKey};
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, identify,
    swarm::{self, NetworkBehaviour, SwarmEvent},
};
use protocol::port::{Incoming, Protocol, StreamError, Streams};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

const FOREIGN: Protocol = Protocol("/ipfs/test/1");
const OURS: Protocol = Protocol("/polity/test/1");

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long: {what}"),
    }
}

async fn node(guests: GuestConfig) -> (Network, Service) {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
    let config = Config { listen, guests, dial_interval_ms: 50, ..Config::default() };
    let (network, service) = start(config, &key(1), NetworkId(Digest([1; 32]))).unwrap();
    within("listening", network.listening()).await;
    (network, service)
}

fn allowed() -> GuestConfig {
    GuestConfig { allowed: true, ..GuestConfig::default() }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    streams: streams::Behaviour,
}

type Wish = (StreamProtocol, oneshot::Sender<Opened>);

/// A program that knows libp2p and nothing of polities.
struct Foreigner {
    me: PublicKey,
    address: Multiaddr,
    incoming: mpsc::Receiver<Incoming>,
    wishes: mpsc::Sender<Wish>,
    /// Ends when it has no connection any more.
    task: JoinHandle<()>,
}

impl Foreigner {
    async fn start(n: u8, dial: Option<&Network>) -> Self {
        let (me, keypair) = (key(n).public(), keypair(&key(n)));
        let acceptors = Arc::new(Acceptors::new(8));
        let incoming = acceptors.accept(StreamProtocol::new(FOREIGN.0)).unwrap();
        let identify = identify::Config::new("ipfs/0.1.0".into(), keypair.public());
        let behaviour = Behaviour {
            identify: identify::Behaviour::new(identify),
            streams: streams::Behaviour::new(acceptors, 8, Duration::from_secs(10)),
        };
        let transport = transport(&Config::default(), &keypair).unwrap();
        let settings = swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, peer_id(&me), settings);
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        if let Some(network) = dial {
            let Address { peer, at } = network.addresses()[0].clone();
            let at: Multiaddr = format!("{at}/p2p/{}", peer_id(&peer)).parse().unwrap();
            swarm.dial(at).unwrap();
        }
        let (wishes, asked) = mpsc::channel(8);
        let task = tokio::spawn(drive(swarm, asked));
        Self { me, address, incoming, wishes, task }
    }

    async fn open(&self, protocol: &str) -> Opened {
        let (reply, opened) = oneshot::channel();
        let name = StreamProtocol::try_from_owned(protocol.into()).unwrap();
        self.wishes.send((name, reply)).await.unwrap();
        opened.await.unwrap()
    }
}

/// Polls the swarm until its last connection has closed.
async fn drive(mut swarm: Swarm<Behaviour>, mut asked: mpsc::Receiver<Wish>) {
    let mut connection = None;
    loop {
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                    connection = Some((peer_id, connection_id));
                }
                SwarmEvent::ConnectionClosed { num_established: 0, .. } => return,
                _ => {}
            },
            Some((protocol, reply)) = asked.recv(), if connection.is_some() => {
                let (peer, connection) = connection.unwrap();
                let streams = &mut swarm.behaviour_mut().streams;
                let permit = streams.permit(&peer).expect("few are open");
                streams.open(peer, connection, Request { protocol, permit, reply });
            }
        }
    }
}

async fn is_here(network: &Network, guest: PublicKey) {
    within("the guest to be here", async {
        while network.guests() != [guest] {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_guest_gets_foreign_protocols_without_a_word_of_ours_and_is_no_peer() {
    let (network, _service) = node(allowed()).await;
    let mut incoming = network.accept(FOREIGN).unwrap();
    let _ours = network.accept(OURS).unwrap();
    let mut guest = Foreigner::start(2, Some(&network)).await;
    is_here(&network, guest.me).await;
    assert!(network.peers().is_empty());

    let mut here = within("a stream", guest.open(FOREIGN.0)).await.unwrap();
    here.write_all(b"hello").await.unwrap();
    let mut got = within("the stream", incoming.next()).await.unwrap();
    let mut five = [0; 5];
    got.stream.read_exact(&mut five).await.unwrap();
    assert_eq!((got.peer, &five), (guest.me, b"hello"));

    let name = network.shared.names.protocol(OURS);
    assert!(within("an answer", guest.open(name.as_ref())).await.is_err());
    let refused = within("an answer", network.open(guest.me, OURS)).await.err();
    assert_eq!(refused, Some(StreamError::Unsupported(guest.me, OURS)));

    let mut there = within("a stream", network.open(guest.me, FOREIGN)).await.unwrap();
    there.write_all(b"howdy").await.unwrap();
    let mut got = within("the stream", guest.incoming.recv()).await.unwrap();
    got.stream.read_exact(&mut five).await.unwrap();
    assert_eq!(&five, b"howdy");
}

#[tokio::test]
async fn a_guest_that_somebody_named_is_dialled_when_it_is_needed() {
    let (network, _service) = node(allowed()).await;
    let mut guest = Foreigner::start(2, None).await;
    let refused = network.open(guest.me, FOREIGN).await.err();
    assert_eq!(refused, Some(StreamError::Unreachable(guest.me)), "nobody said where it is");
    let address = Address { peer: guest.me, at: guest.address.to_string() };
    network.know_guest(&address).unwrap();
    let opened = [network.open(guest.me, FOREIGN), network.open(guest.me, FOREIGN)];
    for opened in within("both", futures::future::join_all(opened)).await {
        opened.unwrap().write_all(b"x").await.unwrap();
        assert_eq!(
            within("the stream", guest.incoming.recv()).await.unwrap().peer,
            key(1).public()
        );
    }
}

#[tokio::test]
async fn guests_are_refused_where_none_are_allowed_and_beyond_their_number() {
    let (network, _service) = node(GuestConfig::default()).await;
    let guest = Foreigner::start(2, Some(&network)).await;
    within("it is sent away", guest.task).await.unwrap();
    assert_eq!(network.refused().last_foreign.unwrap().network, "ipfs/0.1.0");

    let (network, _service) = node(GuestConfig { max: 1, ..allowed() }).await;
    let first = Foreigner::start(2, Some(&network)).await;
    is_here(&network, first.me).await;
    let second = Foreigner::start(3, Some(&network)).await;
    within("it is sent away", second.task).await.unwrap();
    assert_eq!((network.guests(), network.refused().too_many), (vec![first.me], 1));
}

#[tokio::test]
async fn a_guest_with_nothing_to_say_is_sent_away() {
    let (network, _service) = node(GuestConfig { idle_ms: 200, ..allowed() }).await;
    let guest = Foreigner::start(2, Some(&network)).await;
    within("it is sent away", guest.task).await.unwrap();
    within("it is gone", async {
        while !network.guests().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
