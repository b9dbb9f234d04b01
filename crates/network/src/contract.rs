//! What every implementation of [`Streams`] must do, as functions that a test calls. They wait for
//! what they expect without a limit of their own: the caller sets one.
//!
//! # Panics
//! Everything here panics when the contract is broken; that is its purpose.

use futures::{
    AsyncWriteExt, StreamExt,
    future::{join, join_all},
};
use identity::PublicKey;
use protocol::port::{
    Events, Incoming, PeerEvent, Protocol, StreamError, Streams, read_frame, write_frame,
};

const LIMIT: usize = 1024 * 1024;
/// More streams than any implementation may let wait in one queue.
const MANY: usize = 100_000;

/// The whole contract, for two nodes that know each other's addresses and are, or come,
/// connected. Nobody else may use protocols under `/polity/contract/`.
pub async fn streams(a: &dyn Streams, b: &dyn Streams) {
    come_up(a, b.me()).await;
    come_up(b, a.me()).await;
    carry_frames(a, b).await;
    carry_frames(b, a).await;
    carry_many_at_once(a, b).await;
    refuse_the_unsupported(a, b).await;
    have_one_acceptor(a, b).await;
    refuse_beyond_the_queue(a, b).await;
    reach_nobody_unknown(a).await;
}

/// Waits until the events of `node` say that `peer` is there.
pub async fn come_up(node: &dyn Streams, peer: PublicKey) {
    let mut events = node.events();
    while events.next().await.expect("the network lives") != PeerEvent::Up(peer) {}
    assert!(node.peers().contains(&peer), "a peer that is up is listed");
    let first = node.events().next().await;
    assert!(matches!(first, Some(PeerEvent::Up(_))), "events start with those who are there");
}

/// Waits until the events of `node` say that `peer` is gone.
pub async fn go_down(events: &mut Events<PeerEvent>, peer: PublicKey) {
    while events.next().await.expect("the network lives") != PeerEvent::Down(peer) {}
}

/// Answers each frame of each stream with itself, until the acceptor is dropped.
pub async fn echo(incoming: Events<Incoming>) {
    let answer = |Incoming { mut stream, .. }: Incoming| async move {
        while let Ok(Some(frame)) = read_frame(&mut stream, LIMIT).await {
            if write_frame(&mut stream, &frame).await.is_err() {
                return;
            }
        }
    };
    incoming.for_each_concurrent(None, answer).await;
}

async fn carry_frames(a: &dyn Streams, b: &dyn Streams) {
    const PROTOCOL: Protocol = Protocol("/polity/contract/frames/1");
    let mut incoming = b.accept(PROTOCOL).expect("nobody else accepts");
    let mut here = a.open(b.me(), PROTOCOL).await.expect("a stream");
    let Incoming { peer, stream: mut there } = incoming.next().await.expect("a stream");
    assert_eq!(peer, a.me());
    let large = vec![7; LIMIT];
    for frame in [&b""[..], b"hello", &large] {
        let (sent, got) = join(write_frame(&mut here, frame), read_frame(&mut there, LIMIT)).await;
        sent.expect("the stream is open");
        assert_eq!(got.expect("the stream is open").as_deref(), Some(frame));
        let (sent, got) = join(write_frame(&mut there, frame), read_frame(&mut here, LIMIT)).await;
        sent.expect("the stream is open");
        assert_eq!(got.expect("the stream is open").as_deref(), Some(frame));
    }
    here.close().await.expect("one direction closes");
    assert_eq!(read_frame(&mut there, LIMIT).await.expect("a clean end"), None);
    // Together: flow control may let nothing through until somebody reads.
    let (sent, last) = join(write_frame(&mut there, b"bye"), read_frame(&mut here, LIMIT)).await;
    sent.expect("the other direction is open");
    assert_eq!(last.expect("the other direction is open").as_deref(), Some(&b"bye"[..]));
    drop(there);
    assert!(!matches!(read_frame(&mut here, LIMIT).await, Ok(Some(_))), "the peer has left");
}

async fn carry_many_at_once(a: &dyn Streams, b: &dyn Streams) {
    const PROTOCOL: Protocol = Protocol("/polity/contract/many/1");
    let answers = echo(b.accept(PROTOCOL).expect("nobody else accepts"));
    let asks = join_all((0..50_u8).map(|n| async move {
        let mut stream = a.open(b.me(), PROTOCOL).await.expect("a stream");
        write_frame(&mut stream, &[n]).await.expect("the stream is open");
        let answer = read_frame(&mut stream, LIMIT).await.expect("the stream is open");
        assert_eq!(answer.as_deref(), Some(&[n][..]));
    }));
    futures::pin_mut!(answers);
    futures::future::select(asks, answers).await;
}

async fn refuse_the_unsupported(a: &dyn Streams, b: &dyn Streams) {
    const PROTOCOL: Protocol = Protocol("/polity/contract/unsupported/1");
    let refused = a.open(b.me(), PROTOCOL).await.err();
    assert_eq!(refused, Some(StreamError::Unsupported(b.me(), PROTOCOL)));
}

async fn have_one_acceptor(a: &dyn Streams, b: &dyn Streams) {
    const PROTOCOL: Protocol = Protocol("/polity/contract/taken/1");
    let first = b.accept(PROTOCOL).expect("nobody else accepts");
    assert_eq!(b.accept(PROTOCOL).err(), Some(StreamError::Taken(PROTOCOL)));
    drop(first);
    let refused = a.open(b.me(), PROTOCOL).await.err();
    assert_eq!(refused, Some(StreamError::Unsupported(b.me(), PROTOCOL)));
    let mut second = b.accept(PROTOCOL).expect("the first has left");
    let _stream = a.open(b.me(), PROTOCOL).await.expect("a stream");
    assert!(second.next().await.is_some());
}

async fn refuse_beyond_the_queue(a: &dyn Streams, b: &dyn Streams) {
    const PROTOCOL: Protocol = Protocol("/polity/contract/queue/1");
    let mut incoming = b.accept(PROTOCOL).expect("nobody else accepts");
    let mut open = Vec::new();
    let refused = loop {
        assert!(open.len() < MANY, "the queue has no bound");
        match a.open(b.me(), PROTOCOL).await {
            Ok(stream) => open.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, StreamError::Busy(b.me()));
    assert!(!open.is_empty());
    // Room again.
    for _ in 0..open.len() {
        assert!(incoming.next().await.is_some(), "an open stream waits in the queue");
    }
    drop(open);
    a.open(b.me(), PROTOCOL).await.expect("there is room again");
}

async fn reach_nobody_unknown(a: &dyn Streams) {
    const PROTOCOL: Protocol = Protocol("/polity/contract/unknown/1");
    for nobody in [PublicKey([42; 32]), a.me()] {
        let refused = a.open(nobody, PROTOCOL).await.err();
        assert_eq!(refused, Some(StreamError::Unreachable(nobody)));
    }
}
