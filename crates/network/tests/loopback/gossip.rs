//! Messages to everybody.

use crate::support::{Node, QUIC, config, node, pair, within};
use bytes::Bytes;
use futures::StreamExt;
use network::Config;
use protocol::port::{Gossip, GossipError, Message, Streams, Topic};

const HEADS: Topic = Topic("polity/heads/1");
const OTHER: Topic = Topic("polity/other/1");

async fn heard_by(node: &Node, topic: Topic, count: usize) {
    let mut listeners = node.network.listeners(topic);
    within("listeners", async {
        while listeners.next().await.expect("the network lives") != count {}
    })
    .await;
}

#[tokio::test]
async fn a_message_reaches_five_nodes_signed_by_its_source() {
    let first = node(1, config(QUIC)).await;
    let mut nodes = Vec::new();
    for n in 2..=5 {
        nodes.push(node(n, Config { bootstrap: vec![first.address()], ..config(QUIC) }).await);
    }
    nodes.insert(0, first);
    let mut inboxes: Vec<_> = nodes.iter().map(|node| node.network.subscribe(HEADS)).collect();
    for (speaker, node) in nodes.iter().enumerate() {
        heard_by(node, HEADS, 4).await;
        let bytes = Bytes::from(format!("news of {speaker}"));
        node.network.publish(HEADS, bytes.clone()).expect("somebody listens");
        let expected = Message { source: node.network.me(), bytes };
        for (listener, inbox) in inboxes.iter_mut().enumerate() {
            if listener != speaker {
                assert_eq!(within("the news", inbox.next()).await.as_ref(), Some(&expected));
            }
        }
    }
}

#[tokio::test]
async fn topics_are_apart_and_end_with_their_last_listener() {
    let (a, b) = pair(config(QUIC)).await;
    let mut heads = b.network.subscribe(HEADS);
    heard_by(&a, HEADS, 1).await;
    let nobody = a.network.publish(OTHER, Bytes::from_static(b"hello"));
    assert_eq!(nobody, Err(GossipError::NoPeers));
    let other = b.network.subscribe(OTHER);
    heard_by(&a, OTHER, 1).await;
    a.network.publish(OTHER, Bytes::from_static(b"lost")).expect("somebody listens");
    a.network.publish(HEADS, Bytes::from_static(b"found")).expect("somebody listens");
    let message = within("a message", heads.next()).await.expect("the network lives");
    assert_eq!(message.bytes, "found");
    drop(other);
    heard_by(&a, OTHER, 0).await;
}

#[tokio::test]
async fn a_message_of_the_largest_size_passes_and_a_larger_one_is_refused() {
    let (a, b) = pair(config(QUIC)).await;
    let mut inbox = b.network.subscribe(HEADS);
    heard_by(&a, HEADS, 1).await;
    let limit_bytes = Config::default().gossip_max_bytes;
    let refused = a.network.publish(HEADS, vec![0; limit_bytes + 1].into());
    let size_bytes = limit_bytes + 1;
    assert_eq!(refused, Err(GossipError::TooLarge { size_bytes, limit_bytes }));
    a.network.publish(HEADS, vec![1; limit_bytes].into()).expect("it is allowed");
    let message = within("a message", inbox.next()).await.expect("the network lives");
    assert_eq!(message.bytes.len(), limit_bytes);
}

#[tokio::test]
async fn publishing_faster_than_the_rate_fills_the_queue_and_says_so() {
    let slow = Config { gossip_rate_per_s: 1, gossip_burst: 1, gossip_queue: 4, ..config(QUIC) };
    let (a, b) = pair(slow).await;
    let _inbox = b.network.subscribe(HEADS);
    heard_by(&a, HEADS, 1).await;
    let results: Vec<_> = (0..20_u8).map(|n| a.network.publish(HEADS, vec![n].into())).collect();
    assert!(results[0].is_ok());
    assert_eq!(results[19], Err(GossipError::Full));
}
