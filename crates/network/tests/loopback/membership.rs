//! Who meets whom, who is refused, who comes back.

use crate::support::{ELSEWHERE, QUIC, TCP, config, key, node, node_in, pair, within};
use futures::{AsyncWriteExt, StreamExt};
use network::{Config, Foreign, contract};
use protocol::port::{
    Gossip, Offence, PeerEvent, Protocol, StreamError, Streams, Topic, write_frame,
};

const NOTHING: Protocol = Protocol("/polity/nothing/1");
const ECHO: Protocol = Protocol("/polity/echo/1");
const HEADS: Topic = Topic("polity/heads/1");
const PEERS: Protocol = Protocol("/polity/peers/1");

#[tokio::test]
async fn a_node_with_one_bootstrap_peer_meets_all_others() {
    for listen in [QUIC, TCP] {
        let first = node(1, config(listen)).await;
        let mut nodes = Vec::new();
        for n in 2..=5 {
            let settings = Config { bootstrap: vec![first.address()], ..config(listen) };
            nodes.push(node(n, settings).await);
        }
        nodes.push(first);
        for node in &nodes {
            for other in nodes.iter().filter(|other| other.network.me() != node.network.me()) {
                let up = contract::come_up(&node.network, other.network.me());
                within("everybody meets", up).await;
            }
        }
    }
}

#[tokio::test]
async fn a_peer_that_leaves_is_down_and_up_again_when_it_returns_to_its_address() {
    for listen in [QUIC, TCP] {
        let (a, b) = pair(config(listen)).await;
        let (peer, place) = (b.network.me(), b.address().at);
        let mut events = a.network.events();
        assert_eq!(within("up", events.next()).await, Some(PeerEvent::Up(peer)));
        b.service.shutdown().await.expect("a clean end");
        assert_eq!(within("down", events.next()).await, Some(PeerEvent::Down(peer)));
        assert!(a.network.peers().is_empty());
        let again = node(2, config(&place)).await;
        assert_eq!(within("up again", events.next()).await, Some(PeerEvent::Up(peer)));
        within("up there", contract::come_up(&again.network, a.network.me())).await;
        within("the contract", contract::streams(&a.network, &again.network)).await;
    }
}

#[tokio::test]
async fn a_peer_started_again_before_its_end_was_noticed_is_up_anew() {
    let a = node(1, config(QUIC)).await;
    let _inbox = a.network.subscribe(HEADS);
    let settings = Config { bootstrap: vec![a.address()], ..config(QUIC) };
    let before = node(2, settings.clone()).await;
    let peer = before.network.me();
    within("up", contract::come_up(&a.network, peer)).await;
    let mut events = a.network.events();
    let again = node(2, settings).await;
    let _incoming = again.network.accept(ECHO).expect("nobody else accepts");
    within("down", contract::go_down(&mut events, peer)).await;
    within("up anew", async {
        while events.next().await.expect("the network lives") != PeerEvent::Up(peer) {}
    })
    .await;
    before.service.shutdown().await.expect("a clean end");
    within("streams reach the new one", async {
        while a.network.open(peer, ECHO).await.is_err() {}
    })
    .await;
    let mut listeners = again.network.listeners(HEADS);
    within("the new one knows who listens", async {
        while listeners.next().await.expect("the network lives") != 1 {}
    })
    .await;
}

#[tokio::test]
async fn a_peer_of_another_network_is_refused_and_both_can_tell_why() {
    let here = node(1, config(QUIC)).await;
    let there = node_in(ELSEWHERE, 2, config(QUIC)).await;
    here.meet(&there);
    there.meet(&here);
    for (node, other) in [(&here, &there), (&there, &here)] {
        let peer = other.network.me();
        let error = within("refused", node.network.open(peer, NOTHING)).await.err();
        assert_eq!(error, Some(StreamError::Unreachable(peer)));
        assert!(node.network.refused().foreign_network > 0);
        assert!(node.network.peers().is_empty());
    }
    let foreign = Foreign { peer: there.network.me(), network: ELSEWHERE.to_string() };
    assert_eq!(here.network.refused().last_foreign, Some(foreign));
}

#[tokio::test]
async fn an_offender_is_banned_after_the_limit_and_nobody_else() {
    let (a, b) = pair(Config { offence_limit: 3, ..config(QUIC) }).await;
    let (good, bad) = (node(3, config(QUIC)).await, b.network.me());
    a.meet(&good);
    within("up", contract::come_up(&a.network, good.network.me())).await;
    let (mut here, mut there) = (a.network.events(), b.network.events());
    for offence in [Offence::Malformed, Offence::BadSignature] {
        a.network.penalise(bad, offence);
    }
    let error = a.network.open(bad, NOTHING).await.err();
    assert_eq!(error, Some(StreamError::Unsupported(bad, NOTHING)), "not banned yet");
    a.network.penalise(bad, Offence::Oversized);
    within("down here", contract::go_down(&mut here, bad)).await;
    within("down there", contract::go_down(&mut there, a.network.me())).await;
    let error = within("refused", a.network.open(bad, NOTHING)).await.err();
    assert_eq!(error, Some(StreamError::Unreachable(bad)));
    b.meet(&a);
    within("the ban is counted", async {
        while a.network.refused().banned == 0 {
            let error = b.network.open(a.network.me(), NOTHING).await.err();
            assert!(error.is_some(), "a banned peer got a stream");
        }
    })
    .await;
    assert_eq!(a.network.peers(), [good.network.me()]);
    let (_, record) = a.network.offences()[0];
    assert_eq!((record.malformed, record.bad_signature, record.oversized), (1, 1, 1));
    assert!(record.banned);
}

#[tokio::test]
async fn a_ban_ends() {
    let (a, b) = pair(Config { offence_limit: 1, ban_ms: 100, ..config(QUIC) }).await;
    let mut events = a.network.events();
    a.network.penalise(b.network.me(), Offence::Flooding);
    within("down", contract::go_down(&mut events, b.network.me())).await;
    within("up again", contract::come_up(&a.network, b.network.me())).await;
    assert!(!a.network.offences()[0].1.banned);
}

#[tokio::test]
async fn nonsense_about_peers_is_an_offence() {
    let (a, b) = pair(Config { offence_limit: 2, ..config(QUIC) }).await;
    let mut events = a.network.events();
    let said: [&[u8]; 2] = [&[5, 0, 0, 0], &[0, 0, 0, 2, 0xff, 0xff]];
    for bytes in said {
        let mut stream = b.network.open(a.network.me(), PEERS).await.expect("a stream");
        stream.write_all(bytes).await.expect("an open stream");
        stream.flush().await.expect("an open stream");
    }
    within("banned", contract::go_down(&mut events, b.network.me())).await;
    let (_, record) = a.network.offences()[0];
    assert_eq!((record.oversized, record.malformed), (1, 1));
}

#[tokio::test]
async fn an_address_of_somebody_else_leads_nowhere() {
    let (a, b) = (node(1, config(QUIC)).await, node(2, config(QUIC)).await);
    let expected = key(9).public();
    a.network.know(expected, vec![b.address().at]);
    let error = within("refused", a.network.open(expected, NOTHING)).await.err();
    assert_eq!(error, Some(StreamError::Unreachable(expected)));
    assert!(a.network.refused().wrong_peer > 0);
}

#[tokio::test]
async fn a_full_node_refuses_further_peers_and_counts_them() {
    let full = Config { max_connections: 2, max_connections_per_peer: 2, ..config(QUIC) };
    let a = node(1, full).await;
    let guests = [node(2, config(QUIC)).await, node(3, config(QUIC)).await];
    for guest in &guests {
        guest.meet(&a);
        within("up", contract::come_up(&a.network, guest.network.me())).await;
    }
    let late = node(4, config(QUIC)).await;
    late.meet(&a);
    within("refused", async {
        while a.network.refused().too_many == 0 {
            let error = late.network.open(a.network.me(), NOTHING).await.err();
            assert!(matches!(
                error,
                Some(StreamError::Unreachable(_) | StreamError::Unsupported(..))
            ));
        }
    })
    .await;
    assert!(!a.network.peers().contains(&late.network.me()));
    let mut stream = guests[0].network.open(a.network.me(), PEERS).await.expect("still served");
    write_frame(&mut stream, b"").await.expect("an open stream");
}
