//! How a network starts and ends.

use crate::support::{HERE, QUIC, TCP, config, key, node, pair, within};
use bytes::Bytes;
use futures::StreamExt;
use network::{Address, Config, Error, contract};
use protocol::port::{Gossip, GossipError, PeerEvent, Protocol, StreamError, Streams, Topic};

const NOTHING: Protocol = Protocol("/polity/nothing/1");
const HEADS: Topic = Topic("polity/heads/1");

#[tokio::test]
async fn a_taken_port_is_named_with_a_way_out() {
    for listen in [QUIC, TCP] {
        let first = node(1, config(listen)).await;
        let place = first.address().at;
        let error = network::start(config(&place), &key(2), HERE).err();
        let error = error.expect("two nodes cannot share a port");
        let Error::PortTaken { port, address } = &error else { panic!("another error: {error}") };
        assert_eq!(*address, place);
        assert!(place.contains(&format!("/{port}")));
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        assert!(error.to_string().contains("port 0"), "{error}");
    }
}

#[tokio::test]
async fn a_node_listens_on_several_addresses_and_tells_them_with_its_name() {
    let listen = vec![QUIC.into(), TCP.into(), "/ip4/0.0.0.0/udp/0/quic-v1".into()];
    let announce = vec!["/dns4/example.org/udp/4870/quic-v1".to_string()];
    let a = node(1, Config { listen, announce: announce.clone(), ..config(QUIC) }).await;
    let addresses = a.network.addresses();
    assert!(addresses.len() >= 4, "{addresses:?}");
    assert!(addresses.iter().any(|address| address.at == announce[0]));
    for address in addresses {
        assert!(!address.at.contains("0.0.0.0"));
        assert!(!address.at.ends_with("/0"));
        assert_eq!(address.peer, a.network.me());
        assert_eq!(address.to_string().parse::<Address>(), Ok(address));
    }
}

#[tokio::test]
async fn a_node_that_only_dials_takes_part() {
    let a = node(1, config(QUIC)).await;
    let settings = Config { listen: vec![], bootstrap: vec![a.address()], ..config(QUIC) };
    let (dialler, _service) = network::start(settings, &key(2), HERE).expect("no port is needed");
    assert!(within("nothing to wait for", dialler.listening()).await.is_empty());
    within("up", contract::come_up(&dialler, a.network.me())).await;
    within("the contract", contract::streams(&a.network, &dialler)).await;
}

#[tokio::test]
async fn after_its_end_every_call_says_that_the_network_is_closed() {
    let (a, b) = pair(config(QUIC)).await;
    let peer = b.network.me();
    let events = a.network.events();
    let mut accepted = a.network.accept(NOTHING).expect("nobody else accepts");
    let mut inbox = a.network.subscribe(HEADS);
    let mut there = b.network.events();
    let network = a.network.clone();
    a.service.shutdown().await.expect("a clean end");
    within("down there", contract::go_down(&mut there, network.me())).await;
    let story: Vec<_> = within("the end", events.collect()).await;
    assert_eq!(story, [PeerEvent::Up(peer), PeerEvent::Down(peer)]);
    assert!(within("the end", accepted.next()).await.is_none());
    assert!(within("the end", inbox.next()).await.is_none());
    assert_eq!(network.open(peer, NOTHING).await.err(), Some(StreamError::Closed));
    assert_eq!(network.accept(NOTHING).err(), Some(StreamError::Closed));
    let refused = network.publish(HEADS, Bytes::from_static(b"hello"));
    assert_eq!(refused, Err(GossipError::Closed));
    assert!(network.peers().is_empty());
}

#[tokio::test]
async fn a_setting_that_cannot_work_is_refused_before_anything_starts() {
    let wrong = Config { max_connections_per_peer: 1, ..config(QUIC) };
    let error = network::start(wrong, &key(1), HERE).err();
    assert!(matches!(error, Some(Error::Config { field: "max_connections_per_peer", .. })));
    let error = network::start(config("/ip4/192.0.2.1/tcp/4870"), &key(1), HERE).err();
    assert!(matches!(error, Some(Error::Listen { .. })), "not an address of this machine");
    let error = network::start(config("/memory/1"), &key(1), HERE).err();
    assert!(matches!(error, Some(Error::Listen { .. })), "not a transport of ours");
}
