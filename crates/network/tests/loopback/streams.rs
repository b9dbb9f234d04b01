//! Streams between nodes.

use crate::support::{Node, QUIC, TCP, config, node, pair, within};
use futures::{AsyncWriteExt, StreamExt, future::join};
use network::{Config, contract};
use protocol::port::{Incoming, Protocol, StreamError, Streams, read_frame, write_frame};

const ECHO: Protocol = Protocol("/polity/echo/1");
const LIMIT: usize = 1024;

#[tokio::test]
async fn the_contract_holds_over_quic() {
    let (a, b) = pair(config(QUIC)).await;
    within("the contract", contract::streams(&a.network, &b.network)).await;
}

#[tokio::test]
async fn the_contract_holds_over_tcp() {
    let (a, b) = pair(config(TCP)).await;
    within("the contract", contract::streams(&a.network, &b.network)).await;
}

async fn ask(a: &Node, b: &Node, n: u8) {
    let mut stream = a.network.open(b.network.me(), ECHO).await.expect("a stream");
    write_frame(&mut stream, &[n]).await.expect("an open stream");
    let answer = read_frame(&mut stream, LIMIT).await.expect("an open stream");
    assert_eq!(answer.as_deref(), Some(&[n][..]));
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_at_once_settle() {
    for listen in [QUIC, TCP] {
        let (a, b) = (node(1, config(listen)).await, node(2, config(listen)).await);
        let tasks = [&a, &b].map(|node| {
            tokio::spawn(contract::echo(node.network.accept(ECHO).expect("nobody else accepts")))
        });
        a.meet(&b);
        b.meet(&a);
        for n in 0..100 {
            within("both ways", join(ask(&a, &b, n), ask(&b, &a, n))).await;
        }
        for node in [&a, &b] {
            let mut connections = node.network.connections();
            within("one connection is left", async {
                while connections.next().await.expect("the network lives") != 1 {}
            })
            .await;
        }
        for task in tasks {
            task.abort();
        }
    }
}

#[tokio::test]
async fn an_unreachable_peer_is_an_error_and_not_a_hang() {
    for listen in [QUIC, TCP] {
        let settings = Config { dial_timeout_ms: 300, ..config(listen) };
        let a = node(1, settings.clone()).await;
        let gone = node(2, settings).await;
        let peer = gone.network.me();
        a.meet(&gone);
        within("up", contract::come_up(&a.network, peer)).await;
        let mut events = a.network.events();
        gone.service.shutdown().await.expect("a clean end");
        within("down", contract::go_down(&mut events, peer)).await;
        let error = within("an error", a.network.open(peer, ECHO)).await.err();
        assert_eq!(error, Some(StreamError::Unreachable(peer)));
    }
}

#[tokio::test]
async fn unread_streams_do_not_stop_the_others() {
    let (a, b) = pair(config(QUIC)).await;
    let mut incoming = b.network.accept(ECHO).expect("nobody else accepts");
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let mut stream = a.network.open(b.network.me(), ECHO).await.expect("a stream");
        let unread = incoming.next().await.expect("a stream");
        let task = tokio::spawn(async move { stream.write_all(&vec![0; 64 << 20]).await });
        stuck.push((task, unread));
    }
    let mut here = within("open", a.network.open(b.network.me(), ECHO)).await.expect("a stream");
    let Incoming { stream: mut there, .. } = incoming.next().await.expect("a stream");
    for n in 0..100 {
        within("write", write_frame(&mut here, &[n; 1000])).await.expect("an open stream");
        within("read", read_frame(&mut there, LIMIT)).await.expect("an open stream");
    }
    for (task, _) in stuck {
        assert!(!task.is_finished(), "64 MiB were taken from a stream that nobody reads");
        task.abort();
    }
}

#[tokio::test]
async fn streams_under_way_with_a_peer_are_bounded_at_both_ends() {
    let few = Config { max_streams_per_peer: 3, ..config(QUIC) };
    let (a, b) = pair(few).await;
    let mut incoming = b.network.accept(ECHO).expect("nobody else accepts");
    let peer = b.network.me();
    // The exchange of peers may hold one for a moment.
    let mut open = Vec::new();
    within("three streams", async {
        while open.len() < 3 {
            if let Ok(stream) = a.network.open(peer, ECHO).await {
                open.push((stream, incoming.next().await.expect("a stream")));
            }
        }
    })
    .await;
    assert_eq!(a.network.open(peer, ECHO).await.err(), Some(StreamError::Busy(peer)));
    open.pop();
    within("room again", a.network.open(peer, ECHO)).await.expect("room again");
}
